"""Status and verify: where an environment stands, and what to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.events import CheckRow
from runbook.telling import render
from sandbox.sandbox import Sandbox
from tests.support import Bench, Ran, bench


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB."""
    return bench(mariadb, tmp_path)


def row(ran: Ran, what: str) -> str:
    """Return what a finding says: its level and detail."""
    (found,) = (f for f in ran.document["findings"] if f["what"] == what)
    return f"{found['level']} {found['detail']}"


def test_status_names_the_next_command_at_every_stage(place: Bench) -> None:
    """Before, after and in the middle of a migration, what to type next is right."""
    assert place.run("status").document["next"] == "invoke migrate --env=test --dry-run"
    preview = place.run("migrate", dry_run=True).document
    assert preview["next"] == f"invoke migrate --env=test --plan={preview['plan']}"
    assert place.run("migrate").status == 0
    assert place.run("status").document["next"] == "invoke verify --env=test"
    place.sandbox.query(
        "INSERT INTO vaulteer.runbook_ledger (entry, run, phase, change_name, plan, operator,"
        " host, connection_id, started_at)"
        " VALUES ('run', 'cut', 'rollback', 'attendance', '000000000000', 'ann', 'here', 1, NOW())"
    )
    assert place.run("status").document["next"] == "invoke rollback --env=test --dry-run"


def test_status_tells_the_newest_export(place: Bench) -> None:
    """Its folder, age, rows and size; one that was tampered with is a warning."""
    assert row(place.run("status"), "export").startswith("ok none yet")
    assert place.run("migrate").status == 0
    place.sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_notes = 'x' WHERE participant_id = 1"
    )
    assert place.run("export").status == 0
    (folder,) = (place.folder / "backups/exports/test/attendance").iterdir()
    told = row(place.run("status"), "export")
    assert told.startswith(f"ok {folder}, ")
    assert ", 1 row, " in told
    next(folder.glob("*.tsv.gz")).write_bytes(b"")
    assert "was changed after it was written" in row(place.run("status"), "export")


def test_status_looks_on_where_the_exports_cannot_be_seen(place: Bench) -> None:
    """A folder that cannot be read is a warning among what the database says."""
    exports = place.folder / "backups/exports/test"
    exports.mkdir(parents=True)
    (exports / "attendance").write_text("no folder")
    ran = place.run("status")
    assert ran.status == 0, ran.document
    assert row(ran, "export").startswith("warning db1: the exports in")
    assert row(ran, "table event_attendance_audit").startswith("pending")


def test_status_tells_the_rest_while_a_table_is_locked(place: Bench) -> None:
    """A table that somebody locks hides the migration's state, and nothing else."""
    with place.sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES vaulteer.event_participants WRITE")
        ran = place.run("status")
    assert ran.status == 0, ran.document
    assert "locked" in row(ran, "migration")
    assert row(ran, "lock") == "ok nobody is working here"
    assert row(ran, "export").startswith("ok none yet")
    assert ran.document["next"] == "invoke preflight --env=test"


def test_verify_says_that_the_change_is_not_migrated(place: Bench) -> None:
    """Where checks fail because nothing was migrated yet, that is said, with what to type."""
    document = place.run("verify").document
    assert document["outcome"] == "failed"
    assert "not migrated here" in document["advice"]
    assert document["next"] == "invoke migrate --env=test --dry-run"
    assert place.run("migrate").status == 0
    place.sandbox.query("ALTER TABLE vaulteer.event_participants DROP COLUMN attendance_notes")
    assert "1 statement still to run" in place.run("verify").document["advice"]


def test_checks_that_fail_alike_are_one_line() -> None:
    """A few mismatches are shown one by one; many with the same answer are summed up."""
    few = tuple(CheckRow(f"column {n}", "there", "absent") for n in range(3))
    assert list(render.mismatches(few)) == [
        f"column {n}: expected there, is absent" for n in range(3)
    ]
    many = (*few, CheckRow("fine", "1", "1"), CheckRow("key", "there", "absent"))
    (line,) = render.mismatches(many)
    assert line == "4 are absent: column 0, column 1, column 2, key"
