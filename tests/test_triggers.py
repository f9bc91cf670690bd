"""Append-only triggers on real servers: made, proven, recorded and removed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runbook import site as sites
from runbook.inventory import load
from runbook.phases import triggers
from sandbox.sandbox import Sandbox
from tests.guarding import AUDIT, FILES, NAMES, everything, insert, migrated, refused, standing
from tests.support import MYSQL_IS_WIDE, Bench, lean

RUNBOOK = """\
DELIMITER $$
CREATE TRIGGER trg_event_attendance_audit_no_update
BEFORE UPDATE ON event_attendance_audit FOR EACH ROW
BEGIN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='event_attendance_audit is append-only';
END$$

CREATE TRIGGER trg_event_attendance_audit_no_delete
BEFORE DELETE ON event_attendance_audit FOR EACH ROW
BEGIN
  SIGNAL SQLSTATE '45000'
    SET MESSAGE_TEXT='event_attendance_audit is append-only and cannot be deleted';
END$$
DELIMITER ;
"""
"""What the written runbook has one type by hand; only white space may differ."""


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn, migrated."""
    return migrated(sandbox, tmp_path)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated."""
    return migrated(mariadb, tmp_path)


@MYSQL_IS_WIDE
def test_made_proven_and_undone_by_a_rollback(place: Bench, tmp_path: Path) -> None:
    """Triggers are made and proven, again is ok; rollback removes them with all that was added."""
    ran = place.run("triggers")
    assert (ran.status, ran.outcomes) == (0, ["changed", "changed", "ok", "ok"])
    checks = [check for step in ran.document["steps"] for check in step["checks"]]
    assert [c["actual"] for c in checks] == ["SQLSTATE 45000"] * 2
    assert standing(place) == list(NAMES)
    again = place.run("triggers")
    assert (again.status, again.outcomes) == (0, ["ok"] * 4)
    fresh = lean(place.sandbox, tmp_path)
    assert fresh.run("rollback").status == 0
    assert standing(place) == []
    assert "event_attendance_audit" not in place.schema()


@MYSQL_IS_WIDE
@pytest.mark.parametrize("rows", [0, 3])
def test_a_proof_leaves_nothing(place: Bench, rows: int) -> None:
    """Whether the table has rows or none, no row, lock or transaction of the proof remains."""
    insert(place, rows)
    before = everything(place)
    assert place.run("triggers").status == 0
    assert everything(place) == before
    insert(place, 1)
    number = place.sandbox.query(f"SELECT MAX(id) FROM {AUDIT}")[0][0]
    # On an empty table each proof's own row took a number, which stays unused.
    assert number == (rows + 1 if rows else 3)


def harmless(place: Bench, folder: Path) -> Bench:
    """Return a bench on a copy of the change whose triggers refuse nothing."""
    change = folder / "attendance"
    shutil.copytree(FILES, change)
    for file in (change / "triggers").iterdir():
        file.write_text(re.sub(r"SIGNAL SQLSTATE[^;]*", "DO 0", file.read_text()))
    return lean(place.sandbox, folder, change=str(change))


def test_a_trigger_that_refuses_nothing_fails_the_proof(maria: Bench, tmp_path: Path) -> None:
    """What was to be refused and was not is a failure with both sides, and is rolled back."""
    insert(maria)
    before = everything(maria)
    ran = harmless(maria, tmp_path).run("triggers")
    assert (ran.status, ran.outcomes) == (1, ["changed", "changed", "failed", "skipped"])
    (check,) = ran.document["steps"][2]["checks"]
    assert (check["expected"], check["holds"]) == ("SQLSTATE 45000", False)
    assert "no error" in check["actual"]
    assert everything(maria) == before


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    "made",
    [
        f"CREATE TRIGGER {NAMES[0]} BEFORE UPDATE ON event_attendance_audit FOR EACH ROW"
        " SET @audited = 1",
        f"CREATE TRIGGER {NAMES[0]} BEFORE UPDATE ON event_participants FOR EACH ROW"
        " BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='event_attendance_audit is append-only';"
        " END",
    ],
    ids=["another body", "another table"],
)
def test_another_trigger_of_that_name_is_refused(place: Bench, made: str) -> None:
    """A trigger of the name with another body or table is shown beside the wanted one."""
    with place.sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute(made)
    said = refused(place.run("triggers"))
    assert f"{NAMES[0]} is BEFORE UPDATE ON" in said
    assert "wanted BEFORE UPDATE ON event_attendance_audit: BEGIN SIGNAL" in said
    assert NAMES[1] not in standing(place)


def test_those_of_the_written_runbook_are_ok_and_stay(maria: Bench) -> None:
    """Triggers made by hand as the runbook has them are proven, not made, and not removed."""
    maria.sandbox.load(f"USE vaulteer;\n{RUNBOOK}")
    ran = maria.run("triggers")
    assert (ran.status, ran.outcomes) == (0, ["ok"] * 4)
    # The table is migrate's, so what stands on it goes with it; another's table keeps its own.
    maria.sandbox.query("DROP TABLE vaulteer.runbook_ledger")
    removed = maria.run("triggers", remove=True)
    assert (removed.status, removed.document["planned"]) == (0, [])
    assert f"By hand: DROP TRIGGER {NAMES[0]};" in removed.said
    assert standing(maria) == list(NAMES)


def test_remove_takes_ours_away_and_says_so_in_the_ledger(mysql: Sandbox, tmp_path: Path) -> None:
    """--remove drops the two, once, and their rows of the ledger say that they are undone."""
    place = migrated(mysql, tmp_path)
    assert place.run("triggers").status == 0
    before = place.schema()
    ran = place.run("triggers", remove=True)
    assert (ran.status, ran.outcomes) == (0, ["changed"] * 3)
    assert standing(place) == []
    assert place.schema() == before
    assert place.run("triggers", remove=True).document["outcome"] == "ok"
    rows = place.sandbox.query(
        "SELECT COUNT(*) FROM vaulteer.runbook_ledger WHERE phase = 'triggers'"
        " AND entry = 'statement' AND undone_at IS NULL"
    )
    assert rows == [(0,)]
    assert place.run("triggers").outcomes == ["changed", "changed", "ok", "ok"]


def test_on_a_table_that_was_there_rollback_removes_only_the_triggers(
    mysql: Sandbox, tmp_path: Path
) -> None:
    """Where the change was there before and only triggers are ours, an undo drops just them."""
    place = migrated(mysql, tmp_path)
    mysql.query("DROP TABLE vaulteer.runbook_ledger")
    insert(place)
    before = everything(place)
    assert place.run("triggers").status == 0
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why
    assert standing(place) == []
    assert everything(place) == before


def test_it_is_planned_before_migrate_has_run(mysql: Sandbox, tmp_path: Path) -> None:
    """Without its table the look still yields every step; only the command alone refuses."""
    place = lean(mysql, tmp_path)
    environment = load(place.folder / "inventory.yaml").environment("test")
    with sites.opened(environment) as site:
        facts = triggers.look(site)
        steps = triggers.steps(environment, site.change, facts)
        found = triggers.findings(environment, facts)
    assert [type(step).__name__ for step in steps] == ["Statement", "Statement", "Proof", "Proof"]
    assert not any(step.done for step in steps)
    assert not [f for f in found if f.level.value == "refused"]
    assert facts.standing == ()
    said = refused(place.run("triggers"))
    assert "event_attendance_audit: is not there → invoke migrate --env=test first" in said


@MYSQL_IS_WIDE
def test_by_hand_the_files_do_the_same(place: Bench) -> None:
    """The plain client makes the triggers, any number of times, and stops at a proof with 45000."""
    programs = place.sandbox.database.programs
    login = [str(programs.client), f"--defaults-extra-file={place.sandbox.root / 'root.cnf'}"]

    def client(file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*login, "vaulteer"],
            input=file.read_text(),
            text=True,
            capture_output=True,
            check=False,
        )

    for _ in range(2):
        assert [client(f).returncode for f in sorted((FILES / "triggers").iterdir())] == [0, 0]
    assert standing(place) == list(NAMES)
    before = everything(place)
    for file in sorted((FILES / "proof").iterdir()):
        assert "ERROR 1644 (45000)" in client(file).stderr
    assert everything(place) == before
    assert place.run("triggers").outcomes == ["ok"] * 4
