"""Preflight on real database servers: their state, other sessions and other runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.database.ledger import Ledger
from runbook.database.lock import TAKE_LOCK, lock_name
from runbook.database.sessions import parse_server
from runbook.options import Options
from runbook.phases import preflight
from runbook.phases.preflight import server
from runbook.phases.preflight.activity import is_ddl
from runbook.plan.plan import Level
from sandbox.processes import recorded
from sandbox.sandbox import Sandbox
from tests.looking import Found, Place
from tests.support import MYSQL_IS_WIDE

Connection: TypeAlias = "pymysql.connections.Connection[pymysql.cursors.Cursor]"

RUN = {
    "run": "20251217T101112Z-ab12",
    "phase": "migrate",
    "change": "attendance",
    "plan": "0" * 12,
    "operator": "anna",
    "host": "laptop",
}


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return each server's sandbox in turn; what a test sets globally is put back."""
    names = ("time_zone", "sql_mode", "super_read_only")
    listed = ", ".join(f"'{name}'" for name in names)
    before = sandbox.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})")
    yield Place(sandbox, tmp_path)
    for name, value in before:
        sandbox.query(f"SET GLOBAL {name} = '{value}'")


def until(seen: Callable[[], bool]) -> None:
    """Wait until something shows, at most 10 seconds."""
    end = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < end, "it never showed"
        time.sleep(0.02)


@contextmanager
def transaction(place: Place, statement: str) -> Iterator[int]:
    """Hold a transaction of the application open for the time of the block; yield its session."""
    connection = place.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield int(connection.thread_id())  # type: ignore[no-untyped-call]


@MYSQL_IS_WIDE
def test_a_read_only_server_is_refused(place: Place) -> None:
    """A server that takes no writes is refused, and the setting is named."""
    place.sandbox.query("SET GLOBAL read_only = ON")
    found = place.look()
    assert found.at(Level.REFUSED) == ["writable@vaulteer@db1"]
    assert "read_only is on" in found.one("writable").detail


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("10.5.29-MariaDB", False),
        ("5.5.5-10.5.9-MariaDB-log", False),
        ("10.6.0-MariaDB", True),
        ("11.8.2-MariaDB-ubu2404", True),
        ("5.7.44-log", False),
        ("8.0.28", False),
        ("8.0.29", True),
        ("8.4.3-3", True),
        ("9.7.4", True),
    ],
)
def test_servers_below_the_oldest_supported_are_refused(version: str, supported: bool) -> None:
    """MariaDB below 10.6 and MySQL below 8.0.29 are refused with the reason."""
    facts = server.ServerFacts(parse_server(version), "me@%", "shop")
    row = next(server.findings("shop@db1", facts))
    assert row.level is (Level.OK if supported else Level.REFUSED)
    assert supported or ("too old" in row.detail and "Upgrade" in row.advice)


@MYSQL_IS_WIDE
def test_a_mode_that_changes_what_sql_means_is_no_matter(place: Place) -> None:
    """Our sessions have a mode of their own: with ANSI_QUOTES the grants are read as ever."""
    place.sandbox.query("SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',ANSI_QUOTES')")
    found = place.look()
    assert found.at(Level.WARNING) == []
    assert found.one("grants: migrate").level is Level.OK


def test_a_node_of_a_cluster_is_a_warning(mariadb: Sandbox, tmp_path: Path) -> None:
    """On Galera what holds on one node only is said, and what an ALTER does to all of them."""
    process = recorded(mariadb.database.folder)
    assert process is not None
    process.end(grace=20.0)
    try:
        mariadb.database.start("--wsrep-on=ON")  # without a provider it is a cluster of its own
        found = Place(mariadb, tmp_path).look()
    finally:
        mariadb.restart_database()
    assert found.at(Level.WARNING) == ["cluster@vaulteer@db1"]
    assert "hold on this node alone" in found.one("cluster").detail


@MYSQL_IS_WIDE
def test_an_old_transaction_is_refused_in_any_time_zone(place: Place) -> None:
    """Who, since when, what it holds, and how to end it; a younger one is let be."""
    place.sandbox.query("SET GLOBAL time_zone = '+05:00'")
    statement = "SELECT * FROM event_participants WHERE participant_id = 250 FOR UPDATE"
    with transaction(place, statement) as session:
        assert place.look().one("open transactions").level is Level.OK
        time.sleep(1.1)
        row = place.look(policy={"max_transaction_age": "1ms"}).one("open transactions")
    assert row.level is Level.REFUSED
    assert row.detail.startswith(f"session {session} (app@127.0.0.1:")
    assert "transaction open since" in row.detail
    assert "holds event_participants" in row.detail
    assert "h " not in row.detail.partition("since")[2].partition(",")[0]
    assert row.advice.endswith(f"KILL {session};")


@MYSQL_IS_WIDE
def test_a_look_never_waits_long_for_a_row(place: Place) -> None:
    """With the first row locked by somebody, the look still ends within a few seconds."""
    statement = "SELECT * FROM event_participants ORDER BY participant_id LIMIT 1 FOR UPDATE"
    began = time.monotonic()
    with transaction(place, statement):
        found = place.look()
    assert time.monotonic() - began < 5
    assert found.one("server").level is Level.OK


def test_mysql_tells_what_an_idle_transaction_ran_last(mysql: Sandbox, tmp_path: Path) -> None:
    """Where the server keeps an idle session's last statement, it is shown."""
    place = Place(mysql, tmp_path)
    with transaction(place, "UPDATE users SET points = points + 1 WHERE user_id = 1"):
        time.sleep(1.1)
        row = place.look(policy={"max_transaction_age": "1ms"}).one("open transactions")
    assert "idle, last: UPDATE users SET points" in row.detail


@MYSQL_IS_WIDE
def test_a_transaction_in_another_database_is_only_a_warning(place: Place) -> None:
    """What works elsewhere on the server cannot hold a lock here."""
    place.sandbox.load("CREATE DATABASE other; CREATE TABLE other.t (a INT PRIMARY KEY);")
    connection = place.sandbox.root_connection("other")
    with connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO t VALUES (1)")
        time.sleep(1.1)
        row = place.look(policy={"max_transaction_age": "1ms"}).one("open transactions")
    assert row.level is Level.WARNING
    assert "works in database other" in row.detail


@MYSQL_IS_WIDE
def test_a_dump_of_our_own_account_is_no_stranger(place: Place) -> None:
    """A backup of ours that is still running does not refuse the run that waits for it."""
    statement = (
        "SELECT /*!40001 SQL_NO_CACHE */ *, SLEEP(0.1) FROM event_participants WHERE user_id < 9"
    )
    connection = place.connect("migrator")
    reading = threading.Thread(target=_run, args=(connection, statement))
    reading.start()
    time.sleep(1.2)
    row = place.look(policy={"max_transaction_age": "1ms"}).one("open transactions")
    end(place, connection)
    reading.join()
    assert row.level is Level.WARNING
    assert "a dump by session" in row.detail


def end(place: Place, *connections: Connection) -> None:
    """Cut off sessions, those that have ended by themselves too."""
    for connection in connections:
        with contextlib.suppress(pymysql.err.OperationalError):
            place.sandbox.query(f"KILL {connection.thread_id()}")  # type: ignore[no-untyped-call]


def _run(connection: Connection, statement: str) -> None:
    """Run a statement that somebody will cut off."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    except (pymysql.err.Error, OSError):
        return


@MYSQL_IS_WIDE
def test_ddl_and_those_who_wait_behind_it_are_refused(place: Place) -> None:
    """An ALTER that waits is named with its state and text, and so is the query behind it."""
    root = place.sandbox.root_connection()
    with transaction(place, "SELECT COUNT(*) FROM event_participants"):
        alter = "/* nightly */ ALTER TABLE event_participants ADD COLUMN c INT"
        altering = threading.Thread(target=_run, args=(root, alter))
        altering.start()
        waits = "SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"
        until(lambda: len(place.sandbox.query(waits)) == 1)
        reader = place.connect()
        reading = threading.Thread(
            target=_run, args=(reader, "SELECT status FROM event_participants LIMIT 1")
        )
        reading.start()
        until(lambda: len(place.sandbox.query(waits)) == 2)
        found = place.look()
        end(place, root, reader)
    altering.join()
    reading.join()
    row = found.one("other DDL")
    assert row.level is Level.REFUSED
    assert "Waiting for table metadata lock" in row.detail
    assert "ALTER TABLE event_participants ADD COLUMN c" in row.detail
    row = found.one("lock waits")
    assert row.level is Level.REFUSED
    assert "SELECT status FROM event_participants" in row.detail


@given(st.text())
def test_any_query_is_ddl_or_not(query: str) -> None:
    """Whatever a session runs, judging it raises nothing and takes no time."""
    assert is_ddl(query) in {True, False}
    assert is_ddl(f"/* {query.replace('*/', '')} */ ALTER TABLE t ADD c INT") is True


@pytest.mark.parametrize(
    ("query", "ddl"),
    [
        ("alter table t add c int", True),
        ("-- a note\n  # another\nCREATE UNIQUE INDEX i ON t (a)", True),
        ("/*!40000 ALTER TABLE t DISABLE KEYS */", True),
        ("/*M!100000 DROP TABLE t */", True),
        ("TRUNCATE t", True),
        ("OPTIMIZE TABLE t", True),
        ("CREATE TEMPORARY TABLE t (a INT)", False),
        ("CREATE USER me", False),
        ("SELECT 'ALTER TABLE t'", False),
        ("/* ALTER TABLE t */ SELECT 1", False),
        ("", False),
    ],
)
def test_ddl_is_recognised_behind_comments(query: str, ddl: bool) -> None:
    """Statements that change tables, not those that change accounts or private tables."""
    assert is_ddl(query) is ddl


@MYSQL_IS_WIDE
def test_the_lock_of_another_run_is_refused_and_ours_is_not(place: Place) -> None:
    """Who has the lock is told from the ledger, where and since when; our own is nobody's."""
    with place.opened() as site, site.database.writer() as writer:
        assert writer.value(TAKE_LOCK, (lock_name(site.environment),)) == 1
        row = place.look().one("lock")
        assert row.level is Level.REFUSED
        assert row.detail.startswith(f"held by session {writer.id} of migrator@127.0.0.1")
        Ledger(lambda: writer, RUN).open("")
        row = place.look().one("lock")
        assert row.detail.startswith("held by anna on laptop since ")
        found = place.look(ours=writer.id)
        assert found.one("lock").level is Level.OK


@MYSQL_IS_WIDE
def test_an_interrupted_run_is_a_warning(place: Place) -> None:
    """A run that never said how it ended is named, with the statement it had in hand."""
    with place.opened() as site, site.database.writer() as writer:
        ledger = Ledger(lambda: writer, RUN)
        ledger.open("")
        ledger.started("sql/attendance/migrate/x.sql:14", "0" * 64, None, adds=())
    found = place.look()
    row = found.one("leftovers")
    assert row.level is Level.WARNING
    assert "run 20251217T101112Z-ab12 of migrate by anna on laptop" in row.detail
    assert "x.sql:14 was in hand" in row.detail
    assert found.at(Level.REFUSED) == []


@MYSQL_IS_WIDE
def test_the_command_shows_every_row(place: Place) -> None:
    """The plan of preflight has no steps; its findings are those of the look."""
    with place.opened() as site:
        plan = preflight.prepare(site, Options())
    assert (plan.phase, plan.steps) == ("preflight", ())
    assert Found(plan.findings).one("server").level is Level.OK
