"""What triggers cannot be had for, cannot stop, or are held up by, on real servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runbook import site as sites
from runbook.errors import UsageError
from runbook.inventory import load
from runbook.phases import triggers
from runbook.plan.plan import Level
from runbook.sql import proofs
from runbook.sql.change import read
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.guarding import AUDIT, FILES, NAMES, everything, insert, migrated, refused, standing
from tests.looking import Place
from tests.support import MYSQL_IS_WIDE, Bench
from tests.test_kill import TRIES, deaths, killed


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn, migrated."""
    return migrated(sandbox, tmp_path)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated."""
    return migrated(mariadb, tmp_path)


@MYSQL_IS_WIDE
def test_what_server_or_account_cannot_do_is_refused_before(place: Bench, tmp_path: Path) -> None:
    """Without TRIGGER, or under error 1419, nothing is touched; the advice mends it."""
    sandbox = place.sandbox
    sandbox.query("REVOKE TRIGGER ON vaulteer.* FROM 'migrator'@'%'")
    said = refused(place.run("triggers"))
    assert "missing on vaulteer: TRIGGER" in said
    assert "GRANT TRIGGER ON" in said
    assert "invoke watch --env=test --install" in said
    sandbox.query("GRANT TRIGGER ON vaulteer.event_attendance_audit TO 'migrator'@'%'")
    sandbox.query("SET GLOBAL log_bin_trust_function_creators = OFF")
    assert "error 1419" in refused(place.run("triggers"))
    assert standing(place) == []
    sandbox.query("SET GLOBAL log_bin_trust_function_creators = ON")
    assert place.run("triggers").status == 0
    sandbox.query("SET GLOBAL log_bin_trust_function_creators = OFF")
    assert place.run("triggers").outcomes == ["ok"] * 4
    sandbox.query("REVOKE TRIGGER ON vaulteer.event_attendance_audit FROM 'migrator'@'%'")
    with sites.opened(load(tmp_path / "inventory.yaml").environment("test")) as site:
        assert not triggers.look(site).visible


@pytest.mark.parametrize("text", ["SIGNALS SQLSTATE '45000'", "DO 0"], ids=["unknown", "ignored"])
def test_a_server_without_signal_is_refused(
    maria: Bench, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SIGNAL is no SQL, or raises nothing, no trigger is made, and a watch is advised."""
    monkeypatch.setattr(triggers, "SIGNAL", text)
    said = refused(maria.run("triggers"))
    assert "SIGNAL: this server does not know SIGNAL, or something in front of it" in said
    assert "invoke watch --env=test --install" in said
    assert standing(maria) == []


def test_what_signal_is_needed_for_is_only_to_make_triggers(maria: Bench) -> None:
    """Facts without SIGNAL refuse triggers that are missing, not those that stand already."""
    environment = load(maria.folder / "inventory.yaml").environment("test")

    def refusals() -> list[str]:
        with sites.opened(environment) as site:
            facts = triggers.look(site)
        assert facts.signals
        rows = triggers.findings(environment, replace(facts, signals=False))
        return [row.what for row in rows if row.level is Level.REFUSED]

    assert refusals() == ["SIGNAL"]
    assert maria.run("triggers").status == 0
    assert refusals() == []


def test_a_table_that_cannot_roll_back_is_never_tried_on(maria: Bench) -> None:
    """Under an engine without transactions the plan is refused; no row is risked."""
    insert(maria)
    maria.sandbox.query(f"ALTER TABLE {AUDIT} ENGINE = MyISAM")
    said = refused(maria.run("triggers"))
    assert "could not be rolled back → ALTER TABLE `event_attendance_audit` ENGINE=InnoDB;" in said
    assert standing(maria) == []


@MYSQL_IS_WIDE
def test_what_triggers_cannot_stop_is_told_with_what_mends_it(place: Bench) -> None:
    """Rights to TRUNCATE, DROP and ALTER, and cascades, are warnings; following them clears all."""
    what = "what triggers of event_attendance_audit cannot stop"

    def warned() -> dict[str, str]:
        rows = place.run("triggers", dry_run=True).document["findings"]
        return {f["detail"]: f["advice"] for f in rows if f["what"] == what and f["advice"]}

    place.sandbox.query("GRANT ALL ON vaulteer.* TO 'app'@'%'")
    assert ["is not shown to migrator@%" in detail for detail in warned()] == [True]
    place.sandbox.query("GRANT SELECT ON mysql.* TO 'migrator'@'%'")
    place.sandbox.query("GRANT DROP ON vaulteer.event_attendance_audit TO 'app'@'%'")
    place.sandbox.query(
        f"ALTER TABLE {AUDIT} ADD CONSTRAINT fk_gone FOREIGN KEY (event_id)"
        " REFERENCES vaulteer.events (event_id) ON DELETE CASCADE"
    )
    rows = warned()
    assert len(rows) == 3
    assert any("foreign key fk_gone: rows of events" in detail for detail in rows)
    for advice in rows.values():
        place.sandbox.load(f"USE vaulteer; {advice}")
    assert warned() == {}
    place.sandbox.query("GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON vaulteer.* TO 'app'@'%'")


@MYSQL_IS_WIDE
def test_a_cascade_does_get_past_them(place: Bench) -> None:
    """The warning is true: rows go with their parent's although the trigger refuses a DELETE."""
    assert place.run("triggers").status == 0
    place.sandbox.query(
        f"ALTER TABLE {AUDIT} ADD CONSTRAINT fk_gone FOREIGN KEY (event_id)"
        " REFERENCES vaulteer.events (event_id) ON DELETE CASCADE"
    )
    insert(place)
    place.sandbox.query("DELETE FROM vaulteer.events WHERE event_id = 1")
    assert place.sandbox.query(f"SELECT COUNT(*) FROM {AUDIT}") == [(0,)]


def test_who_holds_the_table_is_named_and_waited_for(mariadb: Sandbox, tmp_path: Path) -> None:
    """An open transaction on the table holds CREATE TRIGGER back, which steps back and says who."""
    place = migrated(mariadb, tmp_path)
    insert(place)
    app = Place(mariadb, tmp_path).connect()
    with app.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {AUDIT}")
        with place.start("triggers", "--env=test") as process:
            assert process.stdout
            out = ""
            while "held by session" not in out and (line := process.stdout.readline()):
                out += line
            app.close()
            out += process.communicate(timeout=60)[0]
    assert process.returncode == 0, out
    assert "held by session" in out
    assert "app@" in out


@MYSQL_IS_WIDE
def test_killed_within_a_proof_nothing_of_it_stays(place: Bench) -> None:
    """Killed between attempt and ROLLBACK, the server takes all back; the same command proves."""
    before = everything(place)
    for _ in range(2):
        assert killed(place, "triggers", "inside a proof")
        assert wait_until(lambda: everything(place) == before, 10)
    assert standing(place) == list(NAMES)
    assert place.run("triggers").outcomes == ["ok"] * 4


@pytest.mark.parametrize(
    "moment",
    ["before its ledger row is closed", pytest.param("after a step", marks=pytest.mark.wide)],
)
def test_killed_and_resumed(maria: Bench, moment: str) -> None:
    """Killed at any moment, the same command does what is left; an undo knows what is ours."""
    before = set(maria.schema())
    assert killed(maria, "triggers", moment)
    killed(maria, "triggers", moment)
    assert maria.run("triggers").status == 0
    assert maria.run("triggers").outcomes == ["ok"] * 4
    assert 1 <= deaths(maria, "rollback", moment) < TRIES
    assert maria.run("rollback").status == 0
    assert standing(maria) == []
    assert before - set(maria.schema()) == {"event_attendance_audit"}


def test_a_file_that_could_commit_is_no_proof(tmp_path: Path) -> None:
    """DDL, COMMIT, or a missing ROLLBACK in a proof is a mistake, told before anything is tried."""
    good = (FILES / "proof" / "10_update.sql").read_text()
    for bad in (
        good.replace("ROLLBACK;", "COMMIT;"),
        good.replace("UPDATE", "ALTER TABLE t ADD c INT; UPDATE", 1).replace(
            "ALTER", "COMMIT;ALTER"
        ),
        good.replace("INSERT INTO event_attendance_audit", "TRUNCATE TABLE x; INSERT INTO y"),
        good.replace("START TRANSACTION;", ""),
    ):
        file = tmp_path / "proof.sql"
        file.write_text(bad)
        with pytest.raises(UsageError):
            proofs.read(read(file, "proof.sql"))
