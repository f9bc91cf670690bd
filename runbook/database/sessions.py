"""SQL sessions: statements, results and errors, over PyMySQL.

What it raises is turned into this program's own errors, by number and not by prose.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
import pymysql.constants.CR as client_errors
import pymysql.constants.ER as server_errors
import pymysql.cursors

from runbook.database.fields import Field, RawRow, field, raw_row
from runbook.errors import Lost, StepFailed

Value = str | int | float | bytes | decimal.Decimal | datetime.datetime | datetime.date | None
Row = tuple[Value, ...]

LOST = {
    client_errors.CR_SERVER_GONE_ERROR,
    client_errors.CR_SERVER_LOST,
    server_errors.SERVER_SHUTDOWN,
    1927,  # MariaDB: ER_CONNECTION_KILLED
}
LOCK_WAIT = {server_errors.LOCK_WAIT_TIMEOUT, server_errors.LOCK_DEADLOCK}
TIME_LIMITS = {1969, 3024}  # MariaDB's max_statement_time, MySQL's max_execution_time
UNSURE = {
    server_errors.QUERY_INTERRUPTED,
    server_errors.ERROR_DURING_COMMIT,
    server_errors.ERROR_ON_WRITE,  # as of the binary log, when the change itself is made
    server_errors.DISK_FULL,
    server_errors.GET_ERRNO,
    *TIME_LIMITS,
}
"""Ended or out of storage, a statement may have happened all the same; else refused is refused."""
THERE = {
    server_errors.TABLE_EXISTS_ERROR,
    server_errors.DUP_FIELDNAME,
    server_errors.DUP_KEYNAME,
    server_errors.TRG_ALREADY_EXISTS,
    4099,  # MySQL's note for CREATE TRIGGER IF NOT EXISTS
}
"""What is to be added is there already."""


ADVICE = {
    server_errors.QUERY_INTERRUPTED: "Somebody ended this statement (KILL QUERY). Ask who and why, "
    "then run the same command again.",
    **dict.fromkeys(
        THERE,
        "Somebody else has added it meanwhile: it counts as theirs, and a rollback leaves it. "
        "The same command looks again.",
    ),
}


class SqlError(StepFailed):
    """The server refused a statement; `code` is its error number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"error {code}: {message}", advice=ADVICE.get(code, ""))
        self.code = code


class LockWait(SqlError):
    """A lock was not granted in time (1205), or a deadlock was broken (1213)."""

    @property
    def is_deadlock(self) -> bool:
        """Whether the server has ended it at once, in favour of another transaction."""
        return self.code == server_errors.LOCK_DEADLOCK


class TimeLimit(SqlError):
    """A look's query was ended by its own time limit."""


@dataclass(frozen=True)
class Server:
    """What answers: its flavour and version, such as ('MariaDB', (10, 11, 6))."""

    flavour: str
    version: tuple[int, ...]
    text: str

    @property
    def is_mariadb(self) -> bool:
        """Whether this is MariaDB rather than MySQL."""
        return self.flavour == "MariaDB"


@dataclass(frozen=True)
class Rows:
    """A result: column names and rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Session:
    """One connection to the server. Not for use from two threads at once."""

    def __init__(self, connection: pymysql.connections.Connection[pymysql.cursors.Cursor]) -> None:
        self._connection = connection
        self.server = parse_server(connection.get_server_info())  # type: ignore[no-untyped-call]
        self.id = int(connection.thread_id())  # type: ignore[no-untyped-call]

    def execute(self, text: str, args: tuple[Value, ...] | None = None) -> int:
        """Run one statement and return how many rows it affected.

        Raises:
            LockWait, TimeLimit, SqlError: the server refused it.
            Lost: the connection went away while it ran.
        """
        with translated(), self._connection.cursor() as cursor:
            return cursor.execute(text, args)

    def query(self, text: str, args: tuple[Value, ...] | None = None) -> Rows:
        """Run one statement and return its result; raises as `execute` does."""
        with translated(), self._connection.cursor() as cursor:
            cursor.execute(text, args)
            names = tuple(str(column[0]) for column in cursor.description or ())
            return Rows(names, tuple(cursor.fetchall()))

    def rows(self, text: str, args: tuple[Value, ...] | None = None) -> tuple[Row, ...]:
        """Run one statement and return its rows; raises as `execute` does."""
        return self.query(text, args).rows

    def value(self, text: str, args: tuple[Value, ...] | None = None) -> Value:
        """Return the first column of the first row, or None where there is no row."""
        rows = self.rows(text, args)
        return rows[0][0] if rows else None

    def stream(self, text: str) -> tuple[tuple[Field, ...], Generator[RawRow, None, None]]:
        """Run a SELECT; return its columns and its rows, one at a time and as they were sent.

        Numbers and times are ASCII, text is UTF-8, binary is bytes. An iterator
        that is not read to its end ends the session.
        """
        connection = self._connection
        cursor = connection.cursor(pymysql.cursors.SSCursor)
        with translated():
            cursor.execute(text)
        result = vars(cursor)["_result"]
        # PyMySQL would make Python values of every field, at three times the cost.
        result._read_row_from_packet = lambda packet: raw_row(packet.get_all_data())

        def rows() -> Generator[RawRow, None, None]:
            read = False
            try:
                with translated():
                    while (row := cursor.fetchone()) is not None:
                        yield row
                    read = True
            finally:
                if not read:  # closing the cursor would read all that is left
                    result.unbuffered_active = False
                    connection._force_close()  # type: ignore[attr-defined]
                cursor.close()

        return tuple(map(field, result.fields)), rows()

    def close(self) -> None:
        """Say goodbye where that is still possible."""
        try:
            self._connection.close()
        except (pymysql.err.Error, OSError, EOFError):
            return


def as_text(value: Value) -> str:
    """Return a value as text; some servers give names as bytes, and NULL is empty."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def parse_server(version: str) -> Server:
    """Read a server's version text, such as `11.4.2-MariaDB-log` or `9.7.4`.

    MariaDB may put `5.5.5-` in front for old replicas' sake.
    """
    flavour = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    plain = version.removeprefix("5.5.5-") if flavour == "MariaDB" else version
    found = re.match(r"\d+(\.\d+)*", plain)
    return Server(flavour, tuple(int(n) for n in found[0].split(".")) if found else (), version)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what PyMySQL and the channel raise into the errors of this module."""
    try:
        yield
    except pymysql.err.InterfaceError as error:
        raise _lost(error) from error
    except pymysql.err.MySQLError as error:
        code, message = _code(error)
        if code in LOST:
            raise _lost(error) from error
        kind = LockWait if code in LOCK_WAIT else TimeLimit if code in TIME_LIMITS else SqlError
        raise kind(code, message) from error
    except (OSError, EOFError) as error:
        raise _lost(error) from error


def _code(error: Exception) -> tuple[int, str]:
    code, *rest = error.args or (0,)
    return (code if isinstance(code, int) else 0), str(rest[0] if rest else error)


def _lost(error: Exception) -> Lost:
    _, message = _code(error)
    return Lost(
        f"the database connection was lost ({message or type(error).__name__})",
        advice="Run the same command again: it looks first and does what is left.",
    )
