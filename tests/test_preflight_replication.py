"""Preflight with a real replica of each server: followed, behind, broken, gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.plan.plan import Level
from sandbox.sandbox import Sandbox
from tests.replicas import Pair, followed, until


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Iterator[Pair]:
    """Start a replica and let it follow from here on."""
    with followed(sandbox, tmp_path) as pair:
        yield pair


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
    until(lambda: (pair.lag() or 0) > 1)
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
