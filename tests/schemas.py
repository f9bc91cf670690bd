"""A database of its own for the tests of SQL files, and the plain client on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from runbook.database import ledger
from runbook.sql.statements import split
from runbook.sql.text import Assign, Prepare, quote_name, quote_string, recognise
from sandbox.sandbox import Sandbox

PROJECT = Path(__file__).parent.parent
ATTENDANCE = PROJECT / "sql" / "attendance"
CHANGES = PROJECT / "tests" / "changes"
NAME = "sql-files `1`"
"""The database's name: it needs quoting, so a file that names its database would fail."""

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
class Chosen:
    """What a guard found, and the text that it chose."""

    found: str
    text: str


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

    def apply(self, files: Path, *options: str) -> str:
        """Run a file, or a folder's files at once, with the plain client; return what it prints."""
        done = self.client("".join(file.read_text() for file in sql_files(files)), *options)
        assert done.returncode == 0, f"{files}: {done.stderr}"
        return done.stdout

    def wrong(self, verify: Path) -> dict[str, tuple[str, str]]:
        """Run the checks of a folder; return expected and actual of those that do not hold."""
        rows: Rows = []
        for file in sql_files(verify):
            for statement in split(file.read_text(), file.name):
                rows += self.run(statement.text)
        assert rows
        told = [(str(name), str(expected), str(actual)) for name, expected, actual in rows]
        return {name: (expected, actual) for name, expected, actual in told if expected != actual}

    def run(self, *statements: str) -> Rows:
        """Run statements in the session and return the rows of the last one."""
        with self.connection.cursor() as cursor:
            rows: Rows = []
            for statement in statements:
                cursor.execute(statement)
                rows = [tuple(row) for row in cursor.fetchall()]
            return rows

    def lay(self, base: Path, charset: str = "utf8mb4") -> None:
        """Make the database anew with what `base` lays in it."""
        self.run(
            f"DROP DATABASE IF EXISTS {quote_name(NAME)}",
            f"CREATE DATABASE {quote_name(NAME)} CHARACTER SET {charset}",
            f"USE {quote_name(NAME)}",
        )
        self.apply(base)

    def chosen(self, file: Path) -> list[Chosen]:
        """Evaluate a file's guards in a read-only session, as the program does to plan."""
        chosen = []
        with self.server.root_connection(NAME) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            for statement in split(file.read_text(), file.name):
                match recognise(statement.text):
                    case Assign():
                        cursor.execute(statement.text)
                    case Prepare(_, variable):
                        cursor.execute(f"SELECT @found, @{variable}")
                        found, text = cursor.fetchone() or (None, None)
                        chosen.append(Chosen(str(found), str(text)))
        return chosen

    def definition(self, table: str) -> str:
        """Return SHOW CREATE TABLE."""
        return str(self.run(f"SHOW CREATE TABLE {quote_name(table)}")[0][1])

    def definitions(self) -> dict[str, str]:
        """Return SHOW CREATE TABLE of every table but the ledger."""
        names = [
            str(row[0]) for row in self.run("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
        ]
        return {name: self.definition(name) for name in names if name != ledger.TABLE}

    def data(self) -> dict[str, object]:
        """Return every table's definition and rows, but the ledger's."""
        tables = self.definitions().items()
        return {name: (ddl, self.run(f"SELECT * FROM {quote_name(name)}")) for name, ddl in tables}

    def added_since(self, before: frozenset[str]) -> list[str]:
        """Return what is new as the ledger says it: a new table without its columns, indexes."""
        new = self.objects() - before
        tables = tuple(name.removeprefix("table:") for name in new if name.startswith("table:"))
        inside = tuple(f"{kind}:{table}." for kind in ("column", "index") for table in tables)
        return sorted(name for name in new if not name.startswith(inside))

    def objects(self) -> frozenset[str]:
        """Return tables, columns, indexes and triggers as the ledger spells them."""
        return frozenset(
            row[0].decode() if isinstance(row[0], bytes) else str(row[0])
            for row in self.run(OBJECTS)
        )

    def record(self, change: str, added: Sequence[str], *, target: str = "") -> None:
        """Write a ledger with one row that says what a change added.

        With `target` the row was started on that table and never finished.
        """
        row = {
            "entry": "statement",
            "run": "r1",
            "phase": "migrate",
            "change_name": change,
            "plan": "p1",
            "operator": "somebody",
            "host": "somewhere",
            "connection_id": "1",
            "started_at": "2025-01-01",
            **({} if target else {"added": ",".join(sorted(added)), "finished_at": "2025-01-01"}),
            **({"target": target, "before_objects": ""} if target else {}),
        }
        values = ", ".join(quote_string(value) for value in row.values())
        self.run(
            f"DROP TABLE IF EXISTS {ledger.TABLE}",
            ledger.CREATE,
            f"INSERT INTO {ledger.TABLE} ({', '.join(row)}) VALUES ({values})",
        )


def base(change: Path) -> Path:
    """Return the file that lays what a change starts from."""
    return CHANGES / f"{change.name}.base.sql"


def sql_files(path: Path) -> list[Path]:
    """Return the SQL files of a folder in name order, or the file itself."""
    return sorted(path.glob("*.sql")) if path.is_dir() else [path]


@contextmanager
def schema(server: Sandbox, base: Path, charset: str = "utf8mb4") -> Iterator[Schema]:
    """Make the database anew with what `base` lays in it; drop it afterwards."""
    with server.root_connection(None) as connection:
        made = Schema(server, connection)
        try:
            made.lay(base, charset)
            yield made
        finally:
            made.run(f"DROP DATABASE {quote_name(NAME)}")
