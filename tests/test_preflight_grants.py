"""Preflight on accounts that lack something: what is said, and that the advice mends it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.hosts.clients import ALWAYS
from runbook.plan.plan import Finding, Level
from sandbox.inventory import Value
from sandbox.programs import database as database_programs
from sandbox.sandbox import Sandbox
from tests.looking import Found, Place
from tests.support import MYSQL_IS_WIDE

DATABASE = (
    "SELECT, INSERT, UPDATE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER, SHOW VIEW, EVENT,"
    " LOCK TABLES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE"
)
GLOBAL = {
    "mariadb": ("PROCESS, SLAVE MONITOR ON *.*", "SELECT ON mysql.proc"),
    "mysql": ("PROCESS, REPLICATION CLIENT, SHOW_ROUTINE ON *.*",),
}


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return each server's sandbox in turn, and drop the account that a test made."""
    yield Place(sandbox, tmp_path)
    sandbox.query("DROP USER IF EXISTS 'probe'@'%'")


def look(place: Place, database: str = DATABASE, *more: str) -> Found:
    """Look with an account that has these privileges on the database, and `more`."""
    return place.look(database=place.account(f"{database} ON vaulteer.*", *more))


ALONE: dict[str, Value] = {"app1": None, "app2": None}
"""What leaves only the host of the database in the inventory, to look sooner."""


def without(privileges: str, *names: str) -> str:
    """Return a list of privileges without some."""
    return ", ".join(p for p in privileges.split(", ") if p not in names)


def follow(place: Place, row: Finding) -> None:
    """Do what a row advises: run its statements as the server's administrator."""
    statements = re.findall(r"((?:GRANT|SET GLOBAL) [^;]+;)", row.advice)
    assert statements, row
    for statement in statements:
        place.sandbox.query(statement)


@MYSQL_IS_WIDE
def test_an_account_with_what_it_needs_is_all_ok(place: Place) -> None:
    """The privileges of this file, and no more, satisfy every phase but restore, which is told."""
    found = look(place, DATABASE, *GLOBAL[place.sandbox.server])
    assert found.at(Level.WARNING) + found.at(Level.REFUSED) == []
    assert "`vaulteer\\_restore%`.*" in found.one("grants: restore").detail


LACKS = (
    ("SELECT", "grants: backup", Level.REFUSED, "the dump stops at the first table"),
    ("SHOW VIEW", "grants: backup", Level.REFUSED, "the dump stops at the first view"),
    ("TRIGGER", "grants: backup", Level.REFUSED, "leaves every trigger out without a word"),
    ("EVENT", "grants: backup", Level.REFUSED, "the dump stops at the events"),
    ("ALTER", "grants: migrate", Level.REFUSED, "missing on vaulteer: ALTER"),
    ("CREATE", "grants: migrate", Level.REFUSED, "missing on vaulteer: CREATE"),
    ("INSERT", "grants: migrate", Level.REFUSED, "missing on vaulteer: INSERT"),
    ("UPDATE", "grants: migrate", Level.REFUSED, "missing on vaulteer: UPDATE"),
    ("INDEX", "grants: migrate", Level.REFUSED, "missing on vaulteer: INDEX"),
    ("DROP", "grants: rollback", Level.WARNING, "a rollback would stop half-way"),
    ("LOCK TABLES", "grants: rollback", Level.WARNING, "missing on vaulteer: LOCK TABLES"),
    ("TRIGGER", "grants: triggers", Level.WARNING, "no trigger can be made"),
)


@MYSQL_IS_WIDE
def test_a_missing_privilege_is_told_and_the_advice_mends_it(place: Place) -> None:
    """Each phase names what it lacks and what would happen; after the GRANT it is ok."""
    for lacks, what, level, says in LACKS:
        account = place.account(
            f"{without(DATABASE, lacks)} ON vaulteer.*", *GLOBAL[place.sandbox.server]
        )
        row = place.look(database=account, hosts=ALONE, health=None).one(what)
        assert (row.level, says in row.detail) == (level, True), f"without {lacks}: {row}"
        follow(place, row)
        assert place.look(database=account, hosts=ALONE, health=None).one(what).level is Level.OK


@MYSQL_IS_WIDE
def test_routines_that_cannot_be_read_are_refused(place: Place) -> None:
    """Without the right to read routines a dump may lack them silently: refused, and mended."""
    see = {"mariadb": "PROCESS ON *.*", "mysql": "PROCESS, REPLICATION CLIENT ON *.*"}
    account = place.account(f"{DATABASE} ON vaulteer.*", see[place.sandbox.server])
    row = place.look(database=account).one("grants: backup")
    assert row.level is Level.REFUSED
    assert "procedures and functions" in row.detail
    follow(place, row)
    assert place.look(database=account).one("grants: backup").level is Level.OK


@MYSQL_IS_WIDE
def test_without_process_others_cannot_be_seen(place: Place) -> None:
    """An account that sees only its own sessions is told so, once, with the GRANT."""
    account = place.account(f"{DATABASE} ON vaulteer.*")
    found = place.look(database=account)
    row = found.one("open transactions")
    assert row.level is Level.WARNING
    assert "lacks PROCESS" in row.detail
    assert found.of("other DDL") == []
    follow(place, row)
    assert place.look(database=account).one("open transactions").level is Level.OK


@MYSQL_IS_WIDE
def test_whether_this_is_a_replica_may_be_hidden(place: Place) -> None:
    """Without the right to see replication that is a warning, with the GRANT."""
    account = place.account(f"{DATABASE} ON vaulteer.*")
    row = place.look(database=account).one("replication")
    assert row.level is Level.WARNING
    follow(place, row)
    assert place.look(database=account).one("replication").level is Level.OK


@MYSQL_IS_WIDE
def test_triggers_need_more_where_the_server_logs(place: Place) -> None:
    """With binary logging and without SUPER the server refuses triggers (1419): told before."""
    place.sandbox.query("SET GLOBAL log_bin_trust_function_creators = OFF")
    row = place.look().one("grants: triggers")
    assert row.level is Level.WARNING
    assert "1419" in row.detail
    follow(place, row)
    assert place.look().one("grants: triggers").level is Level.OK


@MYSQL_IS_WIDE
def test_grants_on_the_tables_themselves_suffice_to_migrate(place: Place) -> None:
    """An account limited to the change's tables and the ledger may migrate, and not back up."""
    tables = ("event_participants", "event_attendance_audit", "events", "runbook_ledger")
    rights = "SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, REFERENCES"
    account = place.account(*(f"{rights} ON vaulteer.{table}" for table in tables))
    found = place.look(database=account)
    assert found.one("grants: migrate").level is Level.OK
    assert found.one("grants: backup").level is Level.REFUSED


@MYSQL_IS_WIDE
def test_the_privileges_of_a_role_count_when_it_is_active(place: Place) -> None:
    """A default role's privileges are the account's; those of a role that is not active are not."""
    role, user = "deployers", "'probe'@'%'"
    place.sandbox.query(f"DROP ROLE IF EXISTS {role}")
    account = place.account(f"SELECT, SHOW VIEW ON vaulteer.{'*'}")
    place.sandbox.load(
        f"CREATE ROLE {role}; GRANT {DATABASE} ON vaulteer.* TO {role}; GRANT {role} TO {user};"
    )
    assert place.look(database=account).one("grants: migrate").level is Level.REFUSED
    default = "FOR" if place.sandbox.server == "mariadb" else "TO"
    place.sandbox.query(f"SET DEFAULT ROLE {role} {default} {user}")
    assert place.look(database=account).one("grants: migrate").level is Level.OK
    place.sandbox.query(f"DROP ROLE {role}")


def test_a_partial_revoke_is_seen(mysql: Sandbox, tmp_path: Path) -> None:
    """MySQL's REVOKE on one database takes a global privilege away there."""
    place = Place(mysql, tmp_path)
    mysql.query("SET GLOBAL partial_revokes = ON")
    try:
        account = place.account(f"{DATABASE} ON *.*", *GLOBAL["mysql"])
        assert place.look(database=account).one("grants: migrate").level is Level.OK
        mysql.query("REVOKE ALTER ON vaulteer.* FROM 'probe'@'%'")
        row = place.look(database=account).one("grants: migrate")
        assert (row.level, row.detail) == (Level.REFUSED, "missing on vaulteer: ALTER")
        follow(place, row)
        assert place.look(database=account).one("grants: migrate").level is Level.OK
    finally:
        mysql.query("DROP USER 'probe'@'%'")
        mysql.query("SET GLOBAL partial_revokes = OFF")


@MYSQL_IS_WIDE
@pytest.mark.parametrize("lacks", ["TRIGGER", "routines"])
def test_what_is_said_to_go_missing_silently_does(place: Place, lacks: str) -> None:
    """Without the privilege a dump ends well and lacks the triggers, or the routines."""
    rights = without("SELECT, SHOW VIEW, TRIGGER, EVENT", lacks)
    account = place.account(
        f"{rights} ON vaulteer.*", *(GLOBAL[place.sandbox.server] if lacks == "TRIGGER" else ())
    )
    assert place.look(database=account).one("grants: backup").level is Level.REFUSED
    text = _dump(place)
    kind = "TRIGGER" if lacks == "TRIGGER" else "PROCEDURE"
    assert any(name.startswith(kind.lower()) for name in place.sandbox.definitions())
    assert re.search(rf"{kind}\s+`?\w", text, re.IGNORECASE) is None
    assert text.rstrip().splitlines()[-1].startswith("-- Dump completed")


def _dump(place: Place) -> str:
    """Dump the database as `probe`, which must succeed."""
    secret = (place.folder / "probe.password").read_text().rstrip("\n")
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    login = place.folder / "probe.cnf"
    login.touch(mode=0o600)
    login.write_text(
        f'[client]\nuser=probe\npassword="{escaped}"\nhost=127.0.0.1\nprotocol=tcp\n'
        f"port={place.sandbox.database_port}\n"
    )
    done = subprocess.run(
        [
            database_programs(place.sandbox.server).dump,
            f"--defaults-extra-file={login}",
            *ALWAYS,
            *(["--set-gtid-purged=OFF"] if place.sandbox.server == "mysql" else []),
            "vaulteer",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
