"""A database of its own for the tests of SQL files, and the plain client on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from runbook.sqltext import quote_name, quote_string
from sandbox.sandbox import Sandbox

PROJECT = Path(__file__).parent.parent
NAME = "sql-files `1`"
"""The database's name: it needs quoting, so a file that names its database would fail."""

LEDGER = """\
CREATE TABLE runbook_ledger (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  change_name VARCHAR(100) NOT NULL,
  added TEXT NULL,
  undone_at DATETIME(6) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""

OBJECTS = """\
SELECT CONCAT('table:', TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT('column:', TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE()
UNION SELECT CONCAT('index:', TABLE_NAME, '.', INDEX_NAME) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT('trigger:', TRIGGER_NAME) FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = DATABASE()"""

Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class Schema:
    """An own database on a server of the sandbox, with a session of its root."""

    server: Sandbox
    connection: Connection[Cursor]

    def client(self, sql: str | Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Feed a file, or a text, to the server's plain `mysql` client."""
        programs = self.server.database.programs
        login = f"--defaults-extra-file={self.server.root / 'root.cnf'}"
        text = sql.read_text() if isinstance(sql, Path) else sql
        return subprocess.run(
            [programs.client, login, "--batch", *options, NAME],
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )

    def apply(self, *files: Path) -> str:
        """Run files one after the other with the plain client; return what they print."""
        printed = ""
        for file in files:
            done = self.client(file)
            assert done.returncode == 0, f"{file}: {done.stderr}"
            printed += done.stdout
        return printed

    def run(self, *statements: str) -> Rows:
        """Run statements in the session and return the rows of the last one."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    def definition(self, table: str) -> str:
        """Return SHOW CREATE TABLE."""
        return str(self.run(f"SHOW CREATE TABLE {quote_name(table)}")[0][1])

    def definitions(self) -> dict[str, str]:
        """Return SHOW CREATE TABLE of every table but the ledger."""
        names = [
            str(row[0]) for row in self.run("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
        ]
        return {name: self.definition(name) for name in names if name != "runbook_ledger"}

    def objects(self) -> frozenset[str]:
        """Return tables, columns, indexes and triggers as the ledger spells them."""
        return frozenset(
            row[0].decode() if isinstance(row[0], bytes) else str(row[0])
            for row in self.run(OBJECTS)
        )

    def record(self, change: str, added: Sequence[str]) -> None:
        """Write a ledger that says what a change added."""
        values = ", ".join(quote_string(value) for value in (change, ",".join(sorted(added))))
        self.run(
            "DROP TABLE IF EXISTS runbook_ledger",
            LEDGER,
            f"INSERT INTO runbook_ledger (change_name, added) VALUES ({values})",
        )


@contextmanager
def schema(server: Sandbox, base: Path) -> Iterator[Schema]:
    """Make the database anew with what `base` lays in it; drop it afterwards."""
    with server.root_connection(None) as connection:
        made = Schema(server, connection)
        made.run(
            f"DROP DATABASE IF EXISTS {quote_name(NAME)}",
            f"CREATE DATABASE {quote_name(NAME)} CHARACTER SET utf8mb4",
            f"USE {quote_name(NAME)}",
        )
        try:
            made.apply(base)
            yield made
        finally:
            made.run(f"DROP DATABASE {quote_name(NAME)}")
