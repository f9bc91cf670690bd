"""What would break, or forbid it, when tables, columns or indexes go.

Views, triggers, routines and events, in every schema that the account is shown;
foreign keys, and what a table itself makes of its columns (`parts`).
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.parts import Part, names_in, parts
from runbook.database.sessions import Session, as_text

# Of other schemas, only what may name ours.
DEFINITIONS = """\
SELECT 'view', TABLE_SCHEMA, TABLE_NAME, '', VIEW_DEFINITION, TABLE_SCHEMA = DATABASE()
 FROM information_schema.VIEWS
 WHERE TABLE_SCHEMA = DATABASE() OR LOCATE(LOWER(DATABASE()), LOWER(VIEW_DEFINITION))
UNION ALL SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT,
 TRIGGER_SCHEMA = DATABASE() FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() OR LOCATE(LOWER(DATABASE()), LOWER(ACTION_STATEMENT))
UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_SCHEMA, ROUTINE_NAME, '', ROUTINE_DEFINITION,
 ROUTINE_SCHEMA = DATABASE() FROM information_schema.ROUTINES
 WHERE ROUTINE_SCHEMA = DATABASE() OR LOCATE(LOWER(DATABASE()), LOWER(ROUTINE_DEFINITION))
UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, '', EVENT_DEFINITION,
 EVENT_SCHEMA = DATABASE() FROM information_schema.EVENTS
 WHERE EVENT_SCHEMA = DATABASE() OR LOCATE(LOWER(DATABASE()), LOWER(EVENT_DEFINITION))"""

# Foreign keys for which the server needs an index, of the table that has them or that
# they refer to, where this is the only one.
KEYS_OF_INDEX = """\
SELECT k.TABLE_NAME, k.CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE k
 JOIN information_schema.STATISTICS ours ON ours.TABLE_SCHEMA = {schema}
  AND ours.TABLE_NAME = {table} AND ours.COLUMN_NAME = {column}
  AND ours.SEQ_IN_INDEX = 1 AND ours.INDEX_NAME = %s
 WHERE {schema} = DATABASE() AND {table} = %s AND k.ORDINAL_POSITION = 1
  AND k.REFERENCED_TABLE_NAME IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM information_schema.STATISTICS other
   WHERE other.TABLE_SCHEMA = {schema} AND other.TABLE_NAME = {table}
    AND other.COLUMN_NAME = {column} AND other.SEQ_IN_INDEX = 1 AND other.INDEX_NAME <> %s)"""
SIDES = (
    {"schema": "k.TABLE_SCHEMA", "table": "k.TABLE_NAME", "column": "k.COLUMN_NAME"},
    {
        "schema": "k.REFERENCED_TABLE_SCHEMA",
        "table": "k.REFERENCED_TABLE_NAME",
        "column": "k.REFERENCED_COLUMN_NAME",
    },
)

# Foreign keys of tables, in any schema, that refer to this one.
REFERENCES = """\
SELECT CONCAT(IF(TABLE_SCHEMA = DATABASE(), '', CONCAT(TABLE_SCHEMA, '.')), TABLE_NAME),
 CONSTRAINT_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE
 WHERE REFERENCED_TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = %s"""

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
    """Return what names or needs one of `objects`, spelled as in the ledger, and is none of them.

    A text names a column when both the column and its table stand in it as
    names, and its schema too where the text is of another. What a table takes
    along, such as its own triggers and indexes, does not count.
    """
    texts = _texts(session)
    parts_of, keys_of = {}, {}
    found: list[Dependent] = []
    for spelled in objects:
        kind, _, name = spelled.partition(":")
        table, _, part = name.partition(".")
        if part and f"table:{table}" in objects:
            continue
        if kind in {"table", "column"} and table not in keys_of:
            parts_of[table], keys_of[table] = parts(session, table), _references(session, table)
        needing: tuple[Part, ...] = ()
        if kind == "table":
            kept = (key for key in keys_of[table] if f"table:{key.table}" not in objects)
            named = (text for text in texts if table.lower() in text.names)
            needing = tuple(one for one in (*kept, *named) if one.table != table)
        elif kind == "column":
            made = (one for one in (*parts_of[table], *keys_of[table]) if part.lower() in one.names)
            named = (text for text in texts if {table.lower(), part.lower()} <= text.names)
            needing = (*made, *named)
        elif kind == "index":
            needing = _keys_of_index(session, table, part)
        found += [Dependent(one.what, spelled) for one in needing if one.spelled not in objects]
    return tuple(dict.fromkeys(found))


def _texts(session: Session) -> tuple[Part, ...]:
    """Return what has a text that may name ours: views, triggers, routines and events."""
    ours = as_text(session.value("SELECT DATABASE()")).lower()
    found = []
    for row in session.rows(DEFINITIONS):
        what, schema, own, on, text = map(as_text, row[:5])
        names = names_in(text) | {on.lower()}
        if row[5]:
            found.append(Part(f"{what} {own}", f"{what}:{own}", names, on))
        elif ours in names:
            found.append(Part(f"{what} {schema}.{own}", "", names))
    return tuple(found)


def _references(session: Session, table: str) -> tuple[Part, ...]:
    rows = (tuple(map(as_text, row)) for row in session.rows(REFERENCES, (table,)))
    return tuple(_key(of, key, frozenset({column.lower()})) for of, key, column in rows)


def _keys_of_index(session: Session, table: str, index: str) -> tuple[Part, ...]:
    queries = (KEYS_OF_INDEX.format(**side) for side in SIDES)
    rows = (row for text in queries for row in session.rows(text, (index, table, index)))
    return tuple(_key(as_text(of), as_text(key), frozenset()) for of, key in rows)


def _key(table: str, name: str, columns: frozenset[str]) -> Part:
    return Part(f"foreign key {name} of {table}", f"constraint:{table}.{name}", columns, table)
