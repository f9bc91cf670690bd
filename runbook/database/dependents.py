"""What would break when tables, columns or indexes go: views, triggers, routines, foreign keys."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.sessions import Session, as_text
from runbook.sql.tokens import tokenize

DEFINITIONS = """\
SELECT 'view', TABLE_NAME, '', VIEW_DEFINITION FROM information_schema.VIEWS
 WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT 'trigger', TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT
 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, '', ROUTINE_DEFINITION
 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION ALL SELECT 'event', EVENT_NAME, '', EVENT_DEFINITION
 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"""

# Foreign keys whose only index is this one: the server keeps one for each.
FOREIGN_KEYS = """\
SELECT k.CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE k
 JOIN information_schema.STATISTICS ours ON ours.TABLE_SCHEMA = k.TABLE_SCHEMA
  AND ours.TABLE_NAME = k.TABLE_NAME AND ours.COLUMN_NAME = k.COLUMN_NAME
  AND ours.SEQ_IN_INDEX = 1 AND ours.INDEX_NAME = %s
 WHERE k.TABLE_SCHEMA = DATABASE() AND k.TABLE_NAME = %s AND k.ORDINAL_POSITION = 1
  AND k.REFERENCED_TABLE_NAME IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS other
   WHERE other.TABLE_SCHEMA = k.TABLE_SCHEMA AND other.TABLE_NAME = k.TABLE_NAME
    AND other.COLUMN_NAME = k.COLUMN_NAME AND other.SEQ_IN_INDEX = 1
    AND other.INDEX_NAME <> %s)"""

# Foreign keys with nothing but the index that the server made for them: it drops
# that one, silently, as soon as another index serves.
IMPLICIT = """\
SELECT k.CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE k
 JOIN information_schema.STATISTICS own ON own.TABLE_SCHEMA = k.TABLE_SCHEMA
  AND own.TABLE_NAME = k.TABLE_NAME AND own.INDEX_NAME = k.CONSTRAINT_NAME AND own.SEQ_IN_INDEX = 1
 WHERE k.TABLE_SCHEMA = DATABASE() AND k.TABLE_NAME = %s AND k.COLUMN_NAME = %s
  AND k.ORDINAL_POSITION = 1 AND k.REFERENCED_TABLE_NAME IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS other
   WHERE other.TABLE_SCHEMA = k.TABLE_SCHEMA AND other.TABLE_NAME = k.TABLE_NAME
    AND other.COLUMN_NAME = k.COLUMN_NAME AND other.SEQ_IN_INDEX = 1
    AND other.INDEX_NAME <> own.INDEX_NAME)"""


def replaced(session: Session, table: str, column: str) -> tuple[str, ...]:
    """Return the foreign keys whose own index would vanish behind a new one on `column`."""
    return tuple(as_text(row[0]) for row in session.rows(IMPLICIT, (table, column)))


@dataclass(frozen=True)
class Dependent:
    """One thing that needs an object: `view marks`, and the object it needs."""

    what: str
    needs: str


def dependents(session: Session, objects: tuple[str, ...]) -> tuple[Dependent, ...]:
    """Return what names or needs one of `objects`, spelled as in the ledger.

    A text names a column when both the column and its table stand in it as
    names; what a table takes along (its own triggers) does not count.
    """
    found: list[Dependent] = []
    rows = [tuple(map(as_text, row)) for row in session.rows(DEFINITIONS)]
    for spelled in objects:
        kind, _, name = spelled.partition(":")
        table, _, column = name.partition(".")
        if kind == "index":
            keys = session.rows(FOREIGN_KEYS, (column, table, column))
            found += [Dependent(f"foreign key {as_text(key[0])}", spelled) for key in keys]
        elif kind in {"table", "column"}:
            wanted = {table.lower(), column.lower()} - {""}
            found += [
                Dependent(f"{what} {own}", spelled)
                for what, own, on, text in rows
                if not (kind == "table" and on == table)
                and wanted <= (_names(text) | {on.lower()})
                and own not in objects
            ]
    return tuple(found)


def _names(text: str) -> set[str]:
    return {token.identifier.lower() for token in tokenize(text) if token.identifier}
