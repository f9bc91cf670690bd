"""Preflight on real hosts: what is reached, what is not, and how it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.errors import Refusal, RunbookError
from runbook.hosts.remote import Finished
from runbook.phases.preflight import hosts
from runbook.plan.plan import Level
from sandbox.sandbox import Sandbox
from tests.looking import Place
from tests.support import MYSQL_IS_WIDE


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    """Return each server's sandbox in turn."""
    return Place(sandbox, tmp_path)


@pytest.fixture
def here(mariadb: Sandbox, tmp_path: Path) -> Place:
    """Return the MariaDB sandbox, for what has nothing to do with the server."""
    return Place(mariadb, tmp_path)


@MYSQL_IS_WIDE
def test_a_sound_environment_is_all_ok(place: Place) -> None:
    """On a fresh sandbox every check is there, and none of them warns."""
    found = place.look()
    assert found.at(Level.WARNING) + found.at(Level.REFUSED) == []
    assert {row.what for row in found.rows} == {
        *("SSH", "clock", "health: application"),
        *("dump program", "client program", "compressor", "backup folder"),
        *("database", "server", "writable", "replication", "lock", "leftovers"),
        *(f"grants: {p}" for p in "backup migrate export rollback triggers restore".split()),
        *("open transactions", "other DDL", "lock waits", "tables"),
        *("table event_participants", "table event_attendance_audit"),
    }
    assert {row.where for row in found.of("SSH")} == {"db1", "app1", "app2"}


@MYSQL_IS_WIDE
def test_the_look_only_reads(place: Place) -> None:
    """One command a host, and the server gets nothing but reads and settings of the session."""
    place.sandbox.clear_commands()
    place.sandbox.general_log(on=True)
    place.look()
    place.sandbox.general_log(on=False)
    assert {h: len(place.sandbox.commands(h)) for h in ("db1", "app1", "app2")} == {
        "db1": 1,
        "app1": 1,
        "app2": 1,
    }
    words = {
        said.text.split()[0].upper()
        for said in place.sandbox.statements()
        if said.kind in {"Query", "Prepare", "Execute"}
    }
    assert words <= {"SELECT", "SHOW", "SET", "COMMIT", "ROLLBACK", "PREPARE", "DEALLOCATE", "DO"}


def test_a_wrong_host_key_is_refused_and_the_others_are_still_shown(here: Place) -> None:
    """Where another key answers, that host is refused and every other row is there."""
    lines = (here.sandbox.root / "known_hosts").read_text().splitlines()
    ports = {h: f"[127.0.0.1]:{here.sandbox.ssh_port(h)}" for h in ("app1", "app2")}
    keys = {h: next(x for x in lines if x.startswith(p)) for h, p in ports.items()}
    wrong = [keys["app2"].replace(ports["app2"], ports["app1"]) if x == keys["app1"] else x
             for x in lines]  # fmt: skip
    file = here.folder / "known_hosts"
    file.write_text("\n".join(wrong) + "\n")
    found = here.look(ssh={"known_hosts": str(file)})
    assert found.at(Level.REFUSED) == ["SSH@app1"]
    assert "not the one in known_hosts" in found.one("SSH", "app1").detail
    assert "ssh-keygen -R" in found.one("SSH", "app1").advice


def test_a_host_that_is_down_is_a_row(here: Place) -> None:
    """A host that does not answer is refused, and the others are looked at all the same."""
    process = here.sandbox.hosts["app1"].process()
    assert process is not None
    process.end()
    found = here.look()
    assert found.at(Level.REFUSED) == ["SSH@app1"]
    assert found.one("health: application", "app2").level is Level.OK
    assert found.one("server").level is Level.OK


def test_without_the_host_in_front_of_it_the_database_is_one_row(here: Place) -> None:
    """When the host of the tunnel is down, the database says so in one row."""
    process = here.sandbox.hosts["db1"].process()
    assert process is not None
    process.end()
    found = here.look()
    assert found.at(Level.REFUSED) == ["SSH@db1", "database@vaulteer@db1"]
    assert "reached through db1" in found.one("database").detail


@MYSQL_IS_WIDE
def test_a_database_that_is_down_is_a_row(place: Place) -> None:
    """When nothing listens there, the hosts are still shown and the backup folder too."""
    place.sandbox.kill_database()
    found = place.look(health=None)
    assert found.at(Level.REFUSED) == ["database@vaulteer@db1"]
    assert "nothing answers" in found.one("database").detail
    assert found.one("backup folder").level is Level.OK


@MYSQL_IS_WIDE
def test_a_wrong_password_is_refused(place: Place) -> None:
    """A login that the server refuses is a row that says where to look."""
    secret = place.folder / "wrong"
    secret.touch(mode=0o600)
    secret.write_text("wrong\n")
    found = place.look(database={"password": {"file": str(secret)}})
    assert found.at(Level.REFUSED) == ["database@vaulteer@db1"]
    assert "1045" in found.one("database").detail


def test_an_ill_application_is_refused_with_what_it_said(here: Place) -> None:
    """A health command that fails is refused, with its last line and the command."""
    here.sandbox.set_health("app2", False)
    found = here.look()
    assert found.at(Level.REFUSED) == ["health: application@app2"]
    row = found.one("health: application", "app2")
    assert "exit status 1: the application on app2 is ill" in row.detail
    assert row.advice.endswith("app-health")


def test_a_pipe_hides_no_ill_application(here: Place) -> None:
    """A health command fails where any part of its pipe does, here as in a deploy."""
    checks = {"piped": {"role": "app", "command": "false | cat"}}
    found = here.look(health=checks)
    assert found.at(Level.REFUSED) == ["health: piped@app1", "health: piped@app2"]


def test_a_health_command_that_hangs_hides_nothing(here: Place) -> None:
    """A command without an end is ended in time, and the rest of its host is shown."""
    checks = {
        "stuck": {"role": "db", "command": "sleep 60"},
        "chatty": {"role": "db", "command": "printf 'one\\ntwo\\tthree\\n\\n'; exit 3"},
        "quoted": {"role": "db", "command": 'test "it\'s $((1 + 1))" = "it\'s 2"'},
    }
    found = here.look(health=checks, timeouts={"command": "3s"})
    assert found.one("health: stuck").detail.startswith("no answer within 2 s")
    assert found.one("health: chatty").detail == "exit status 3: two three"
    assert found.one("health: quoted").level is Level.OK
    assert found.one("backup folder").level is Level.OK


def test_a_noisy_login_shell_hides_nothing(here: Place) -> None:
    """What a host prints of its own is passed over; without our own lines it is an error."""
    environment = here.environment()
    said = Finished("app1", 0, "Welcome!\tto\tapp1\nclock\t5\nhealth\t0\t0\t\nclock\t5\n", "")
    facts = hosts.parse(environment, said, 5, 6)
    assert [health.status for health in facts.health] == [0]
    with pytest.raises(Refusal):
        hosts.parse(environment, Finished("app1", 0, "Welcome!\n", ""), 5, 6)


@pytest.mark.parametrize(
    ("skew", "level"), [(-9, Level.WARNING), (0, Level.OK), (8, Level.WARNING)]
)
def test_a_clock_that_is_off_is_a_warning(here: Place, skew: int, level: Level) -> None:
    """More than 5 seconds between a host's clock and ours is a warning, either way."""
    environment = here.environment()
    said = Finished("db1", 0, f"clock\t{1000 + skew}\nclock\t{1001 + skew}\n", "")
    facts = hosts.parse(environment, said, 1000.3, 1001.9)
    row = next(r for r in hosts.findings(environment, {"db1": facts}) if r.what == "clock")
    assert row.level is level


def test_a_look_that_fails_says_what_the_host_said(here: Place) -> None:
    """A host whose shell breaks is an error of that host, with its last lines."""
    said = Finished("db1", 2, "", "sh: 1: Syntax error\n")
    with pytest.raises(Refusal) as refused:
        hosts.parse(here.environment(), said, 0, 1)
    assert isinstance(refused.value, RunbookError)
    assert "Syntax error" in refused.value.advice
