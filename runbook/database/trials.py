"""What a job of the application is tried on: the session that chooses it, and remembers it."""

from __future__ import annotations

from runbook.database.sessions import Row, Session, as_text

REFUSED = "refused: "
"""What the row that calls the subject begins with where nothing can be tried on it; why follows."""
DONE = "done: "
"""What it begins with where the job has been there before, perhaps in a run that was cut off."""


def subject(session: Session, given: str, texts: tuple[str, ...]) -> str:
    """Run the statements that choose the subject; return how their last row calls it, or nothing.

    `given` is the operator's choice, as @subject; empty leaves it to the statements.
    The session keeps @subject for what is asked next.

    Raises:
        SqlError: the server refused a statement.
    """
    session.execute("SET @subject = %s", (given or None,))
    row = last_row(session, texts)
    return as_text(row[0]) if row else ""


def last_row(session: Session, texts: tuple[str, ...]) -> Row:
    """Run the statements in order and return the last row that one of them returned."""
    last: Row = ()
    for text in texts:
        rows = session.rows(text)
        last = rows[-1] if rows else last
    return last
