"""What a look may not be allowed to see: the reason is kept in place of the rows."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.sessions import Row, Session, SqlError, Value


@dataclass(frozen=True)
class Unseen:
    """The server would not show it; `why` is what it said."""

    why: str


def rows(
    session: Session, text: str, args: tuple[Value, ...] | None = None
) -> tuple[Row, ...] | Unseen:
    """Return the rows of a query, or why the server would not show them.

    Raises:
        Lost: the connection went away.
    """
    try:
        return session.rows(text, args)
    except SqlError as error:
        return Unseen(error.message)


def number(value: object) -> int:
    """Return a value of a row as a whole number; NULL is 0."""
    return 0 if value is None else int(float(str(value)))
