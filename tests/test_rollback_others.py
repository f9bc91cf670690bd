"""What somebody else adds while migrate waits for its lock is never taken for ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, Bench, Ran, lean
from tests.undoing import AUDIT, PARTICIPANTS, SHORT, in_background, open_transaction, waiting

pytestmark = pytest.mark.wide

STATUS = "attendance_status ENUM('unknown','present','late','absent') NOT NULL DEFAULT 'unknown'"
FIRST = "ALTER TABLE event_participants ADD COLUMN attendance_status"
LATER = "ALTER TABLE event_participants ADD INDEX"
RECORDED = "SELECT GROUP_CONCAT(added) FROM vaulteer.runbook_ledger WHERE undone_at IS NULL"


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn."""
    return lean(sandbox, tmp_path, timeouts=SHORT)


def steps_back(sandbox: Sandbox, text: str) -> None:
    """Wait until the program no longer waits with a statement that begins so."""
    shown = "SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = 'migrator'"
    end = time.monotonic() + 20
    while any(str(info).startswith(text) for (info,) in sandbox.query(shown)):
        assert time.monotonic() < end, f"it never stepped back from {text}"
        time.sleep(0.01)


@contextmanager
def blocked(place: Bench, text: str) -> Iterator[list[Ran]]:
    """Let migrate wait with `text` as long as this lasts; yields where its result will be."""
    with open_transaction(place.sandbox, f"SELECT * FROM {PARTICIPANTS} LIMIT 1"):
        thread, results = in_background(place, "migrate")
        waiting(place.sandbox, text)
        yield results
    thread.join()


def altered(place: Bench, change: str, text: str) -> threading.Thread:
    """Alter the participants as somebody who queues before migrate's next try does."""
    return queued(place, f"ALTER TABLE {PARTICIPANTS} {change}", text)


def queued(place: Bench, statement: str, text: str) -> threading.Thread:
    """Run a statement that waits for the same lock as the program's, and gets it first."""
    other = threading.Thread(target=place.sandbox.query, args=(statement,))
    other.start()
    steps_back(place.sandbox, text)
    return other


def recorded(place: Bench) -> str:
    """Return all that the ledger says was added."""
    return str(place.sandbox.query(RECORDED)[0][0])


def marked(place: Bench) -> int:
    """Return how many rows have the status that somebody else wrote."""
    rows = f"SELECT COUNT(*) FROM {PARTICIPANTS} WHERE attendance_status = 'late'"
    return int(str(place.sandbox.query(rows)[0][0]))


def undone(place: Bench) -> Ran:
    """Export and roll back."""
    assert place.run("export").status == 0
    return place.run("rollback")


@MYSQL_IS_WIDE
@pytest.mark.parametrize("next_try", [False, True], ids=["between two tries", "within one"])
def test_a_duplicate_is_not_ours(place: Bench, next_try: bool) -> None:
    """A column that somebody added just before our own is refused stays, with all its values."""
    with blocked(place, FIRST) as results:
        other = altered(place, f"ADD COLUMN {STATUS}, ADD COLUMN vip INT NULL", FIRST)
        if next_try:
            waiting(place.sandbox, FIRST)
    other.join()
    (ran,) = results
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "Duplicate column name 'attendance_status'" in ran.document["message"]
    assert "Somebody else has added it meanwhile" in ran.document["advice"]
    place.sandbox.query(f"UPDATE {PARTICIPANTS} SET attendance_status = 'late', vip = 1")
    before = place.schema()
    assert place.run("migrate").status == 0
    assert "attendance_notes" in recorded(place)
    assert "attendance_status" not in recorded(place).replace("idx_participants", "")
    assert "vip" not in recorded(place)
    ran = undone(place)
    assert ran.status == 0, ran.why
    assert place.schema() == before
    assert marked(place) == 500


@MYSQL_IS_WIDE
def test_what_comes_before_the_first_touch_was_there_before(place: Bench) -> None:
    """Another column that somebody adds while the first statement waits stays and is no change."""
    with blocked(place, FIRST):
        other = altered(place, "ADD COLUMN vip INT NULL", FIRST)
    other.join()
    assert "vip" not in recorded(place)
    ran = undone(place)
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why
    assert "`vip`" in place.schema()["event_participants"]
    assert "attendance" not in place.schema()["event_participants"]


@MYSQL_IS_WIDE
def test_what_comes_later_is_told(place: Bench) -> None:
    """A column that comes while a later statement waits stays, and is told as what differs."""
    assert place.run("migrate").status == 0
    place.sandbox.query(f"ALTER TABLE {PARTICIPANTS} DROP INDEX idx_participants_event_attendance")
    with blocked(place, LATER):
        other = altered(place, "ADD COLUMN vip INT NULL DEFAULT 7", LATER)
    other.join()
    assert "vip" not in recorded(place)
    ran = undone(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    (failed,) = [s for s in ran.document["steps"] if s["outcome"] == "failed"]
    assert any("+" in line and "`vip`" in line for line in failed["output"])
    assert "`vip`" in place.schema()["event_participants"]
    assert "attendance" not in place.schema()["event_participants"]


@MYSQL_IS_WIDE
def test_killed_between_two_tries(place: Bench) -> None:
    """What comes after a run that was killed while it stepped back is not taken for its own."""
    with (
        open_transaction(place.sandbox, f"SELECT * FROM {PARTICIPANTS} LIMIT 1"),
        place.start("migrate", "--env=test") as process,
    ):
        waiting(place.sandbox, FIRST)
        other = altered(place, f"ADD COLUMN {STATUS}", FIRST)
        time.sleep(0.1)
        process.kill()
    other.join()
    place.sandbox.query(f"UPDATE {PARTICIPANTS} SET attendance_status = 'late'")
    before = place.schema()
    assert place.run("rollback").status == 0
    assert place.schema() == before
    assert place.run("migrate").status == 0
    assert undone(place).status == 0
    assert place.schema() == before
    assert marked(place) == 500


@MYSQL_IS_WIDE
def test_a_trigger_that_is_there_already_is_not_ours(place: Bench) -> None:
    """Where IF NOT EXISTS found one that somebody made within the same try, none was added."""
    assert place.run("migrate").status == 0
    make = "CREATE TRIGGER {}trg_event_attendance_audit_no_update"
    body = "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='event_attendance_audit is append-only'"
    text = make.format("IF NOT EXISTS ")
    with open_transaction(place.sandbox, f"SELECT * FROM {AUDIT} LIMIT 1"):
        thread, results = in_background(place, "triggers")
        waiting(place.sandbox, text)
        other = queued(
            place,
            f"{make.format('vaulteer.')} BEFORE UPDATE ON {AUDIT} FOR EACH ROW {body}; END",
            text,
        )
        waiting(place.sandbox, text)
    thread.join()
    other.join()
    assert results[0].status == 0, results[0].why
    assert "trigger:trg_event_attendance_audit_no_update" not in recorded(place)
    assert "trigger:trg_event_attendance_audit_no_delete" in recorded(place)
