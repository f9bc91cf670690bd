"""Opens database sessions through an SSH channel.

PyMySQL speaks over the channel itself, so no local port is opened and a refused
connection is an error at once. A look's session is READ ONLY on the server's
side: the server, not our care, refuses its writes (error 1792).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymysql
import pymysql.constants.CR as client_errors
import pymysql.constants.ER as server_errors

from runbook.database.pump import Buffered, socket_over
from runbook.database.sessions import Session, SqlError, translated
from runbook.database.settings import reader_settings, snapshot_settings, writer_settings
from runbook.environment import Address, Environment, Tls
from runbook.environment import Database as Target
from runbook.errors import Lost, Refusal, UsageError

if TYPE_CHECKING:
    from paramiko import Channel

OTHER_NAME = {62, 64}
"""OpenSSL's numbers for a certificate of another host name or IP address."""


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
                raise _explained(error, where, target) from error
            except Lost as error:  # nothing of ours was running there yet
                raise Refusal(
                    f"{where}: the connection was lost during the login",
                    advice="Is the server starting or stopping just now? Try again.",
                ) from error
            # A statement may be quiet for an hour; whether the host still answers
            # is watched on the SSH connection (remote).
            vars(connection).update(_read_timeout=None, _write_timeout=None)
            session = Session(connection)
            try:
                yield session
            finally:
                session.close()


def _trust(tls: Tls) -> ssl.SSLContext:
    try:
        trust = ssl.create_default_context(cafile=tls.ca)
    except OSError as error:  # an SSLError is one
        raise UsageError(
            f"{tls.ca}: cannot be read as certificates ({error})",
            advice="database.tls.ca names a file of PEM certificates.",
        ) from error
    # Python 3.13 is strict by default; the certificates that MySQL makes for itself are not.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return trust


def _explained(error: SqlError, where: str, target: Target) -> Refusal:
    """Say of a failed login what would mend it."""
    source = target.password.source or "the inventory"
    check = f"Check the user and the password; where that comes from stands in {source}"
    advice = {
        server_errors.BAD_DB_ERROR: f"Is there a database {target.name} on this server?",
        server_errors.DBACCESS_DENIED_ERROR: f"Grant the account its rights on {target.name}.",
        server_errors.ACCESS_DENIED_ERROR: f"{check}."
        if target.tls
        else f"{check}. If the account requires TLS: add database.tls.",
        1862: "The account's password has expired: ALTER USER … IDENTIFIED BY gives it a new one.",
        3159: "The server wants TLS: add database.tls to the inventory.",
        client_errors.CR_SSL_CONNECTION_ERROR: "The inventory's database.tls wants TLS: set the "
        "server up for it, or is this another server?",
        server_errors.CON_COUNT_ERROR: "The server has no connection left: max_connections.",
    }.get(error.code, f"{check}.")
    failed = getattr(error.__cause__, "original_exception", None)
    if isinstance(failed, ssl.SSLCertVerificationError):
        advice = (
            "Its certificate is for another name: if the server is the right one, give that name "
            "as database.tls.hostname."
            if failed.verify_code in OTHER_NAME
            else "Is it the right server? Then database.tls.ca must name the file of the authority "
            "that signed its certificate."
        )
    return Refusal(f"{where}: {error.message}", advice=advice)
