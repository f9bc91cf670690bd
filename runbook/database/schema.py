"""What a table consists of, as the server tells it: for the ledger and for comparing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

from runbook.database.sessions import Session, SqlError, as_text
from runbook.sql.adds import ANY

NO_SUCH_TABLE = 1146

OBJECTS = """\
SELECT CONCAT('table:', TABLE_NAME) FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
UNION ALL SELECT CONCAT('column:', TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
UNION ALL SELECT DISTINCT CONCAT('index:', TABLE_NAME, '.', INDEX_NAME)
 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
UNION ALL SELECT CONCAT('constraint:', TABLE_NAME, '.', CONSTRAINT_NAME)
 FROM information_schema.TABLE_CONSTRAINTS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND CONSTRAINT_TYPE IN ('FOREIGN KEY', 'CHECK')
UNION ALL SELECT CONCAT('trigger:', TRIGGER_NAME) FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = %s"""

TRANSACTIONS = """\
SELECT COALESCE(e.TRANSACTIONS, 'NO') FROM information_schema.TABLES t
 LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
 WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = %s"""


@dataclass(frozen=True)
class Shape:
    """A table at one moment: its objects, and its SHOW CREATE TABLE (None: not there)."""

    table: str
    objects: frozenset[str]
    ddl: str | None

    def added_since(
        self, before: frozenset[str], named: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Return what is there now and was not there `before`, sorted.

        Of that only what is `named`, if the statement is known (see `sql.adds`): what
        others added meanwhile is theirs. A table that is new brings its columns and
        indexes along: only it is named.
        """
        new = self.objects - before
        table = f"table:{self.table}"
        if table in new:
            new = frozenset(name for name in new if name == table or name.startswith("trigger:"))
        if named is not None:
            known = {name.lower() for name in named}
            new = frozenset(
                name for name in new if known & {name.lower(), _any_of_its_kind(name).lower()}
            )
        return tuple(sorted(new))


def _any_of_its_kind(name: str) -> str:
    """Return `constraint:t.*` for `constraint:t.x`."""
    return f"{name.rpartition('.')[0]}.{ANY}"


def shape(session: Session, table: str) -> Shape:
    """Look at `table`, which need not be there."""
    rows = session.rows(OBJECTS, (table,) * 5)
    objects = frozenset(as_text(row[0]) for row in rows)
    return Shape(table, objects, show_create(session, table))


def show_create(session: Session, table: str) -> str | None:
    """Return SHOW CREATE TABLE without the moving AUTO_INCREMENT, or None."""
    try:
        rows = session.rows(f"SHOW CREATE TABLE `{table.replace('`', '``')}`")
    except SqlError as error:
        if error.code == NO_SUCH_TABLE:
            return None
        raise
    return re.sub(r" AUTO_INCREMENT=\d+", "", as_text(rows[0][1]))


def can_roll_back(session: Session, table: str) -> bool | None:
    """Whether the table's engine has transactions; None where there is no such table."""
    found = session.value(TRANSACTIONS, (table,))
    return None if found is None else as_text(found) == "YES"


def difference(expected: str | None, actual: str | None) -> tuple[str, ...]:
    """Return the lines in which two SHOW CREATE TABLE texts differ, marked `-` and `+`."""
    lines = difflib.unified_diff(
        (expected or "(no table)").splitlines(), (actual or "(no table)").splitlines(), n=0
    )
    return tuple(line for line in lines if not line.startswith(("---", "+++", "@@")))
