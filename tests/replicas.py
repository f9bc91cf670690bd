"""A replica that follows a sandbox: told to pause, to lag behind, to forget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook.database import replication
from sandbox.databases import DatabaseServer
from sandbox.inventory import Value
from sandbox.ports import free_port
from sandbox.sandbox import Sandbox
from tests.looking import Place

WORDS = {
    "mariadb": {
        "where": "SHOW MASTER STATUS",
        "follow": "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port},"
        " MASTER_USER='root', MASTER_PASSWORD='{password}', MASTER_LOG_FILE='{file}',"
        " MASTER_LOG_POS={position}, MASTER_CONNECT_RETRY=1",
        "delay": "CHANGE MASTER TO MASTER_DELAY={seconds}",
        "start": "START SLAVE",
        "pause": "STOP SLAVE SQL_THREAD",
        "stop": "STOP SLAVE",
        "forget": "RESET SLAVE ALL",
    },
    "mysql": {
        "where": "SHOW BINARY LOG STATUS",
        "follow": "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port},"
        " SOURCE_USER='root', SOURCE_PASSWORD='{password}', SOURCE_LOG_FILE='{file}',"
        " SOURCE_LOG_POS={position}, SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1",
        "delay": "CHANGE REPLICATION SOURCE TO SOURCE_DELAY={seconds}",
        "start": "START REPLICA",
        "pause": "STOP REPLICA SQL_THREAD",
        "stop": "STOP REPLICA",
        "forget": "RESET REPLICA ALL",
    },
}


@dataclass(frozen=True)
class Pair:
    """A sandbox and a replica that follows it."""

    place: Place
    replica: DatabaseServer

    def tell(self, what: str, **values: object) -> None:
        """Run one of the flavour's statements on the replica."""
        text = WORDS[self.place.sandbox.server][what].format(**values)
        with self.replica.connect() as connection, connection.cursor() as cursor:
            cursor.execute(text)

    def end(self) -> None:
        """End the replica."""
        self.replica.end()

    def known(self) -> dict[str, Value]:
        """Return the override of the inventory that names the replica."""
        return {"replicas": {"db2": {"via": "app1", "port": self.replica.port}}}

    def lag(self) -> float | None:
        """Return the lag as the backfill asks for it."""
        with self.place.opened(database=self.known()) as site:
            return replication.following(site.database, "db2").lag


@contextmanager
def followed(sandbox: Sandbox, tmp_path: Path) -> Iterator[Pair]:
    """Start a replica and let it follow from here on."""
    folder = tmp_path / "replica"
    folder.mkdir()
    server = DatabaseServer(sandbox.database.programs, folder, free_port(folder), sandbox.root)
    process = server.create()
    pair = Pair(Place(sandbox, tmp_path), server)
    try:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL server_id = 2")
        file, position = sandbox.query(WORDS[sandbox.server]["where"])[0][:2]
        password = sandbox.password("root")
        port = sandbox.database_port
        pair.tell("follow", port=port, password=password, file=file, position=position)
        pair.tell("start")
        until(lambda: pair.lag() == 0)
        yield pair
    finally:
        process.end()


def until(seen: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.1)
