"""SQL sessions through an SSH channel: the only import of PyMySQL.

PyMySQL speaks over the channel itself, so no local port is opened and a refused
connection is an error at once. A look's session is READ ONLY on the server's
side: the server, not our care, refuses its writes (error 1792).
"""

from __future__ import annotations

import datetime
import decimal
import re
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pymysql
import pymysql.constants.CR as client_errors
import pymysql.constants.ER as server_errors
import pymysql.cursors

from runbook.environment import Address, Environment, Tls
from runbook.errors import Lost, Refusal, StepFailed, UsageError
from runbook.fields import Field, RawRow, field, raw_row
from runbook.pump import Buffered, socket_over
from runbook.settings import reader_settings, snapshot_settings, writer_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from paramiko import Channel

Value = str | int | float | bytes | decimal.Decimal | datetime.datetime | datetime.date | None
Row = tuple[Value, ...]

LOST = {
    client_errors.CR_SERVER_GONE_ERROR,
    client_errors.CR_SERVER_LOST,
    server_errors.SERVER_SHUTDOWN,
    1927,  # MariaDB: ER_CONNECTION_KILLED
}
LOCK_WAIT = {server_errors.LOCK_WAIT_TIMEOUT, server_errors.LOCK_DEADLOCK}
KILLED = {server_errors.QUERY_INTERRUPTED, 1969, 3024}  # a look's own time limit


class SqlError(StepFailed):
    """The server refused a statement; `code` is its error number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"error {code}: {message}")
        self.code = code


class LockWait(SqlError):
    """A lock was not granted in time (1205), or a deadlock was broken (1213)."""


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


class Database:
    """Opens sessions on the environment's database and its replicas."""

    def __init__(
        self,
        environment: Environment,
        tunnel: Callable[[str, Address], Channel],
        password: Callable[[], str],
    ) -> None:
        self._environment = environment
        self._tunnel = tunnel
        self._password = password

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """A session that the server keeps read-only, with a time limit a query."""
        target = self._environment.database
        with self._session(target.via, target.address, target.name) as session:
            for text in reader_settings(self._environment, session.server.is_mariadb):
                session.execute(text)
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session in one consistent, read-only transaction; a query may take its time."""
        target = self._environment.database
        with self._session(target.via, target.address, target.name) as session:
            for text in snapshot_settings(self._environment, session.server.is_mariadb):
                session.execute(text)
            yield session

    @contextmanager
    def writer(self) -> Iterator[Session]:
        """The session that writes; locks are waited for only a few seconds."""
        target = self._environment.database
        with self._session(target.via, target.address, target.name) as session:
            for text in writer_settings(self._environment):
                session.execute(text)
            yield session

    @contextmanager
    def replica(self, name: str) -> Iterator[Session]:
        """A session on the replica called `name`."""
        replica = next(r for r in self._environment.database.replicas if r.name == name)
        with self._session(replica.via, replica.address, None) as session:
            for text in reader_settings(self._environment, session.server.is_mariadb):
                session.execute(text)
            yield session

    @contextmanager
    def _session(self, via: str, address: Address, database: str | None) -> Iterator[Session]:
        target = self._environment.database
        limit = self._environment.timeouts.connect
        tls = target.tls
        where = f"{target.user}@{address.host}:{address.port} through {via}"
        connection = pymysql.connections.Connection(
            host=(tls and tls.hostname) or address.host,
            user=target.user,
            password=self._password().encode(),
            database=database,
            charset="utf8mb4",
            autocommit=True,
            read_timeout=limit,
            write_timeout=limit,
            defer_connect=True,
            program_name="runbook",
            ssl=_trust(tls) if tls else None,
            ssl_disabled=tls is None,
        )
        with self._tunnel(via, address) as channel:
            try:
                with translated():
                    sock = socket_over(channel) if tls else Buffered(channel)
                    connection.connect(sock=sock)  # type: ignore[arg-type]
            except SqlError as error:
                raise _explained(error, where, target.name) from error
            # A statement may be quiet for an hour; whether the host still answers
            # is watched on the SSH connection (remote).
            vars(connection).update(_read_timeout=None, _write_timeout=None)
            session = Session(connection)
            try:
                yield session
            finally:
                session.close()


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


def _trust(tls: Tls) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=tls.ca)
    except OSError as error:  # an SSLError is one
        raise UsageError(
            f"{tls.ca}: cannot be read as certificates ({error})",
            advice="database.tls.ca names a file of PEM certificates.",
        ) from error


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
        kind = LockWait if code in LOCK_WAIT else TimeLimit if code in KILLED else SqlError
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


def _explained(error: SqlError, where: str, database: str) -> Refusal:
    """Say of a failed login what would mend it."""
    advice = {
        server_errors.BAD_DB_ERROR: f"Is there a database {database} on this server?",
        server_errors.DBACCESS_DENIED_ERROR: f"Grant the account its rights on {database}.",
        1862: "The account's password has expired: ALTER USER … IDENTIFIED BY gives it a new one.",
        server_errors.CON_COUNT_ERROR: "The server has no connection left: max_connections.",
    }.get(error.code, "Check the user and where the inventory takes the password from.")
    return Refusal(f"{where}: {error.message}", advice=advice)
