"""The parts of a table that are made of its columns: indexes, keys, checks, expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.database.sessions import Session, as_text
from runbook.sql.tokens import tokenize

COLUMNS = """\
SELECT 'column', COLUMN_NAME, CONCAT_WS(' ', GENERATION_EXPRESSION, {default})
 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"""
INDEXES = """\
SELECT 'index', INDEX_NAME, {column} FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"""
FOREIGN_KEYS = """\
SELECT 'foreign key', CONSTRAINT_NAME, CONCAT('`', REPLACE(COLUMN_NAME, '`', '``'), '`')
 FROM information_schema.KEY_COLUMN_USAGE
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL"""
PARTITIONS = """\
SELECT DISTINCT 'the', 'partitions',
 CONCAT_WS(' ', PARTITION_EXPRESSION, SUBPARTITION_EXPRESSION)
 FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"""
OF_MARIADB = (
    # A check of a column itself bears its name and goes with it.
    """\
SELECT IF(LEVEL = 'Column', 'column', 'check'), CONSTRAINT_NAME, CHECK_CLAUSE
 FROM information_schema.CHECK_CONSTRAINTS
 WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = %s""",
    COLUMNS.format(default="COLUMN_DEFAULT"),  # literals are in quotes
    INDEXES.format(column="CONCAT('`', REPLACE(COLUMN_NAME, '`', '``'), '`')"),
    FOREIGN_KEYS,
    PARTITIONS,
)
OF_MYSQL = (
    """\
SELECT 'check', c.CONSTRAINT_NAME, c.CHECK_CLAUSE
 FROM information_schema.CHECK_CONSTRAINTS c
 JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA
  AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK'
 WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = %s""",
    COLUMNS.format(default="IF(EXTRA LIKE '%%DEFAULT_GENERATED%%', COLUMN_DEFAULT, '')"),
    INDEXES.format(
        column="COALESCE(CONCAT('`', REPLACE(COLUMN_NAME, '`', '``'), '`'), EXPRESSION)"
    ),
    FOREIGN_KEYS,
    PARTITIONS,
)
KINDS = {"foreign key": "constraint", "check": "constraint"}


@dataclass(frozen=True)
class Part:
    """One thing that is made of others: `index mine of t`, as the ledger spells it.

    `names` are what its definition names, in lower case; `table` is what it belongs to.
    """

    what: str
    spelled: str
    names: frozenset[str]
    table: str = ""


def parts(session: Session, table: str) -> tuple[Part, ...]:
    """Return what a table makes of its columns, but for a column as made of itself."""
    mariadb = session.server.is_mariadb
    queries = OF_MARIADB if mariadb else OF_MYSQL
    found = []
    for row in (row for text in queries for row in session.rows(text, (table,))):
        what, name, text = map(as_text, row)
        # MySQL shows an expression as it would stand in a string.
        names = names_in(text if mariadb else re.sub(r"\\(.)", r"\1", text))
        if what == "column":
            names -= {name.lower()}
        spelled = f"{KINDS.get(what, what)}:{table}.{name}"
        found.append(Part(f"{what} {name} of {table}", spelled, names, table))
    return tuple(found)


def names_in(text: str) -> frozenset[str]:
    """Return all that stands in a text as a name, in lower case."""
    return frozenset(token.identifier.lower() for token in tokenize(text) if token.identifier)
