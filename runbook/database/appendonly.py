"""Which triggers keep rows from being deleted, whoever made them and whatever they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.database.sessions import Session, as_text
from runbook.sql.change import Change

TRIGGERS = """\
SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT
 FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_MANIPULATION = 'DELETE'
 ORDER BY 2, 1"""
TABLES = """\
SELECT TABLE_NAME FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"""
_COMMENT = re.compile(r"/\*.*?\*/|(?:--\s|#)[^\n]*", re.DOTALL)
_ALWAYS = re.compile(r"\s*(?:(?:\w+\s*:\s*)?BEGIN\b\s*)?SIGNAL\b", re.IGNORECASE)
"""A body whose first statement refuses; one that asks first may let a test's rows go."""


@dataclass(frozen=True)
class AppendOnly:
    """A trigger that refuses every DELETE on a table."""

    trigger: str
    table: str


def standing(session: Session, tables: tuple[str, ...]) -> tuple[AppendOnly, ...]:
    """Return those on `tables` that the account is shown; it needs TRIGGER on them."""
    found = (tuple(map(as_text, row)) for row in session.query(TRIGGERS).rows)
    return tuple(
        AppendOnly(name, table) for name, table, body in found if table in tables and refuses(body)
    )


def concerned(session: Session, change: Change) -> tuple[str, ...]:
    """Return the tables, of those there are, that the change's migration and triggers name."""
    said = "\n".join(
        s.text for file in (*change.migrate, *change.triggers) for s in file.statements
    )
    names = (as_text(row[0]) for row in session.query(TABLES).rows)
    return tuple(name for name in names if _names(said, name))


def _names(text: str, table: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(table)}(?![\w$])", text, re.IGNORECASE) is not None


def refuses(body: str) -> bool:
    """Say whether a trigger's body refuses whatever the row is."""
    return _ALWAYS.match(_COMMENT.sub(" ", body)) is not None
