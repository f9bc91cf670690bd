"""A rollback beside open transactions, killed, and after runs that were cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.exporting import attend, exports
from tests.support import MYSQL_IS_WIDE, Bench, lean
from tests.undoing import (
    AUDIT,
    INSERT,
    PARTICIPANTS,
    SHORT,
    ended,
    exported,
    in_background,
    migrated,
    open_transaction,
    waiting,
)

pytestmark = pytest.mark.wide


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn."""
    return lean(sandbox, tmp_path, timeouts=SHORT)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated and with 166 rows of each kind, exported."""
    return exported(mariadb, tmp_path)


def test_a_row_committed_while_a_drop_waits_is_not_lost(place: Bench) -> None:
    """Rows are compared behind the lock: one that an open transaction brings stops the drop."""
    migrated(place)
    assert place.run("export").status == 0
    with open_transaction(place.sandbox, INSERT) as writer:
        thread, results = in_background(place, "rollback")
        waiting(place.sandbox, "LOCK TABLES")
        writer.commit()
        thread.join()
    (ran,) = results
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "expected 166 rows" in ran.document["message"]
    assert "is 167 rows" in ran.document["message"]
    assert "invoke export" in ran.document["advice"]
    assert place.sandbox.query(f"SELECT COUNT(*) FROM {AUDIT}") == [(167,)]
    assert place.run("export").status == 0
    assert place.run("rollback").status == 0


def test_a_transaction_that_does_not_end_is_named(maria: Bench, tmp_path: Path) -> None:
    """When a lock is not to be had in time, the rollback gives up and says who holds it."""
    impatient = lean(maria.sandbox, tmp_path, timeouts={"lock_wait": "1s", "lock_give_up": "2s"})
    with open_transaction(maria.sandbox, f"SELECT * FROM {PARTICIPANTS} LIMIT 1"):
        ran = impatient.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "event_participants" in ran.document["message"]
    assert "root@" in ran.document["message"]
    assert maria.run("rollback").status == 0


@MYSQL_IS_WIDE
def test_killed_between_drops_it_goes_on_where_it_was(place: Bench) -> None:
    """Killed when the audit table is gone and the rest is not, the same command does the rest."""
    before = place.schema()
    migrated(place)
    assert place.run("export").status == 0
    held = open_transaction(place.sandbox, f"SELECT * FROM {PARTICIPANTS} LIMIT 1")
    with held, place.start("rollback", "--env=test") as process:
        waiting(place.sandbox, "ALTER TABLE event_participants DROP INDEX")
        process.kill()
    assert "event_attendance_audit" not in place.schema()
    assert len(exports(place)) == 1
    ended(place, before)


def test_a_plan_that_was_cut_off_may_go_on_under_its_digest(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Where only previewed plans run, the rest of a killed rollback still runs by its digest."""
    place = lean(mariadb, tmp_path, timeouts=SHORT)
    migrated(place)
    assert place.run("export").status == 0
    strict = lean(mariadb, tmp_path, timeouts=SHORT, policy={"confirm": "plan"})
    digest = strict.run("rollback", dry_run=True).document["plan"]
    held = open_transaction(mariadb, f"SELECT * FROM {PARTICIPANTS} LIMIT 1")
    with held, strict.start("rollback", "--env=test", f"--plan={digest}") as process:
        waiting(mariadb, "ALTER TABLE event_participants DROP INDEX")
        process.kill()
    assert strict.run("rollback").status == 3
    ran = strict.run("rollback", plan=digest)
    assert (ran.status, ran.document["outcome"]) == (0, "changed")


@MYSQL_IS_WIDE
def test_what_an_interrupted_migrate_added_is_undone_too(place: Bench) -> None:
    """Rows of the ledger that never ended are resolved by the schema: what is new goes."""
    before = place.schema()
    assert place.run("migrate").status == 0
    place.sandbox.query(
        "UPDATE vaulteer.runbook_ledger SET finished_at = NULL, outcome = NULL, added = NULL"
        " WHERE added IN ('column:event_participants.attendance_notes',"
        " 'index:event_participants.idx_participants_event_attendance',"
        " 'table:event_attendance_audit')"
    )
    attend(place.sandbox)
    assert place.run("rollback").status == 3
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.why
    assert place.schema() == before


def test_a_failed_check_drops_nothing(maria: Bench) -> None:
    """When rows change between the look and the first drop, nothing at all is dropped."""
    there = maria.schema()
    with open_transaction(maria.sandbox, INSERT) as writer:
        thread, results = in_background(maria, "rollback")
        waiting(maria.sandbox, "LOCK TABLES")
        writer.commit()
        thread.join()
    assert results[0].document["outcome"] == "failed"
    assert maria.schema() == there
