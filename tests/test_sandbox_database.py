"""The sandbox's databases: what they hold, log and allow, and that they survive a crash."""

from __future__ import annotations

import pymysql
import pytest

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE


def test_general_log_has_each_statement_of_an_account(sandbox: Sandbox) -> None:
    """The log returns statements as sent, with their session, for the account asked for."""
    text = "SELECT 'a\nb 🎟', \"c;d\" /* e */"
    sandbox.general_log(True)
    connection = pymysql.connect(
        host="127.0.0.1",
        port=sandbox.database_port,
        user="migrator",
        password=sandbox.password("migrator"),
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        ((session,),) = cursor.fetchall()
        cursor.execute(text)
    sandbox.query("SELECT 'by root'")
    sandbox.general_log(False)
    queries = [entry for entry in sandbox.statements() if entry.kind == "Query"]
    assert [entry.text for entry in queries][-1] == text
    assert {(entry.thread, entry.user) for entry in queries} == {(session, "migrator")}


@MYSQL_IS_WIDE
def test_database_keeps_its_data_and_port_over_a_crash(sandbox: Sandbox) -> None:
    """A killed server is gone at once, and comes back with what had been committed."""
    sandbox.query("DELETE FROM vaulteer.event_participants WHERE participant_id > 10")
    port = sandbox.database_port
    sandbox.kill_database()
    assert sandbox.processes()["database"] is None
    with pytest.raises(pymysql.err.OperationalError):
        sandbox.query("SELECT 1")
    sandbox.restart_database()
    assert sandbox.query("SELECT COUNT(*), @@port FROM vaulteer.event_participants") == [(10, port)]


def test_both_servers_are_seeded_alike(mariadb_server: Sandbox, mysql_server: Sandbox) -> None:
    """Every row of every table is the same on MariaDB and on MySQL."""

    def rows(sandbox: Sandbox, table: str) -> list[tuple[object, ...]]:
        return sandbox.query(f"SELECT * FROM vaulteer.{table} ORDER BY 1")

    for sandbox in (mariadb_server, mysql_server):
        sandbox.reset(rows=3001)
    for table in ("users", "events", "event_participants"):
        assert rows(mariadb_server, table) == rows(mysql_server, table)
    assert len(rows(mysql_server, "event_participants")) == 3001


def test_seed_has_every_kind_of_object_and_awkward_values(sandbox: Sandbox) -> None:
    """The database holds what makes backups go wrong: all kinds, NULLs, bytes and emoji."""
    kinds = {name.split()[0] for name in sandbox.definitions()}
    assert kinds == {"table", "view", "trigger", "procedure", "function", "event"}
    ((emoji, empty, null, escape),) = sandbox.query(
        "SELECT SUM(notes LIKE '%🥕%'), SUM(notes = ''), SUM(notes IS NULL), SUM(notes = '\\\\N')"
        " FROM vaulteer.event_participants"
    )
    assert (emoji, empty, null, escape) == (20, 20, 420, 20)
    ((length, values),) = sandbox.query(
        "SELECT MAX(LENGTH(avatar_hash)), COUNT(DISTINCT avatar_hash) FROM vaulteer.users"
    )
    assert (length, values) == (16, 16)


def test_partial_start_has_the_column_but_no_value(sandbox: Sandbox) -> None:
    """With `partial` the column is there as if added by hand: a default, and NULL everywhere."""
    sandbox.reset(rows=50, partial=True)
    assert sandbox.query(
        "SELECT COUNT(*), COUNT(attendance_status) FROM vaulteer.event_participants"
    ) == [(50, 0)]
    table = sandbox.definitions()["table event_participants"]
    assert (
        "`attendance_status` enum('unknown','present','late','absent') DEFAULT 'unknown'" in table
    )


def test_migrator_may_do_the_runbook_and_no_more(sandbox: Sandbox) -> None:
    """The migrating account alters, restores and looks around, and nothing beyond that."""
    connection = pymysql.connect(
        host="127.0.0.1",
        port=sandbox.database_port,
        user="migrator",
        password=sandbox.password("migrator"),
        database="vaulteer",
    )
    allowed = [
        "ALTER TABLE event_participants ADD COLUMN extra INT NULL, ALGORITHM=INSTANT",
        "CREATE TABLE audit (id INT PRIMARY KEY)",
        "CREATE TRIGGER t BEFORE DELETE ON audit FOR EACH ROW SIGNAL SQLSTATE '45000'",
        "CREATE DATABASE vaulteer_restore_1",
        "CREATE TABLE vaulteer_restore_1.t (id INT)",
        "SHOW CREATE PROCEDURE cancel_registration",
        "SELECT * FROM performance_schema.metadata_locks",
        "DROP DATABASE vaulteer_restore_1",
    ]
    refused = [
        "CREATE DATABASE vaulteerx",
        "CREATE DATABASE vaulteer_other",
        "SELECT * FROM mysql.user",
        "SET GLOBAL read_only = ON",
        "SELECT 1 INTO OUTFILE '/tmp/never'",
        "CREATE USER someone",
    ]
    with connection, connection.cursor() as cursor:
        for statement in allowed:
            cursor.execute(statement)
        for statement in refused:
            with pytest.raises(pymysql.err.MySQLError, match=r"denied|privilege"):
                cursor.execute(statement)
