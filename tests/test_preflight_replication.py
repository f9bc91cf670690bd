"""Preflight with a real replica of each server: followed, behind, broken, gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbook.database import replication
from runbook.plan.plan import Level
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

    def known(self) -> dict[str, Value]:
        """Return the override of the inventory that names the replica."""
        return {"replicas": {"db2": {"via": "app1", "port": self.replica.port}}}

    def lag(self) -> float | None:
        """Return the lag as the backfill asks for it."""
        with self.place.opened(database=self.known()) as site:
            return replication.lag(site.database, "db2")


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Iterator[Pair]:
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
        _until(lambda: pair.lag() == 0)
        yield pair
    finally:
        process.end()


def _until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.1)


def test_a_replica_is_followed_through_its_life(pair: Pair) -> None:
    """Unknown, written to, behind, broken, forgotten or gone: each is told, and all well is ok."""
    place, known = pair.place, pair.known()
    found = place.look(database=known)
    assert found.at(Level.WARNING) + found.at(Level.REFUSED) == []
    assert found.one("replica", "db2").detail == "0 s behind"

    row = place.look().of("replication")[1]
    assert row.level is Level.WARNING
    assert "1 connected" in row.detail
    assert "the inventory names 0" in row.detail

    with pair.replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE vaulteer")
    row = place.look(database={"port": pair.replica.port}).one("replication")
    assert row.level is Level.REFUSED
    assert f"is a replica of 127.0.0.1:{place.sandbox.database_port}" in row.detail
    pair.tell("stop")
    row = place.look(database={"port": pair.replica.port}).one("replication")
    assert row.level is Level.WARNING
    assert "set up here, but stopped" in row.detail

    pair.tell("delay", seconds=1000)
    pair.tell("start")
    place.sandbox.query("CREATE DATABASE later")
    _until(lambda: (pair.lag() or 0) > 1)
    row = place.look(database=known, policy={"max_replica_lag": "1s"}).one("replica")
    assert row.level is Level.WARNING
    assert "the policy wants at most 1 s" in row.detail

    pair.tell("pause")
    assert pair.lag() is None
    row = place.look(database=known).one("replica")
    assert row.level is Level.REFUSED
    assert "applying has stopped" in row.detail

    pair.tell("stop")
    pair.tell("forget")
    row = place.look(database=known).one("replica")
    assert (row.level, row.detail) == (Level.REFUSED, "it is no replica of anything")

    process = pair.replica.process()
    assert process is not None
    process.end()
    found = place.look(database=known)
    assert found.at(Level.REFUSED) == ["replica@db2"]
    assert "nothing answers" in found.one("replica").detail
