"""Migrate, as whole commands on real servers."""

from __future__ import annotations

import itertools
import re
import threading
import time
from pathlib import Path

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, Bench, bench, lean

ADD = {
    "attendance_status": "ADD COLUMN attendance_status"
    " ENUM('unknown','present','late','absent') NOT NULL DEFAULT 'unknown'",
    "attendance_marked_at": "ADD COLUMN attendance_marked_at TIMESTAMP NULL DEFAULT NULL",
    "attendance_marked_by": "ADD COLUMN attendance_marked_by INT NULL",
    "attendance_notes": "ADD COLUMN attendance_notes TEXT NULL",
    "attendance_updated_at": "ADD COLUMN attendance_updated_at TIMESTAMP NULL DEFAULT NULL",
}


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn, with a backup."""
    return lean(sandbox, tmp_path)


def alter(sandbox: Sandbox, text: str) -> None:
    """Change event_participants as somebody at a prompt would."""
    sandbox.query(f"ALTER TABLE vaulteer.event_participants {text}")


def thread(connection: Connection[Cursor]) -> int:
    """Return the server's number of a connection."""
    return int(connection.thread_id())  # type: ignore[no-untyped-call]


def test_migrate_then_nothing_is_left_to_do(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first run changes the schema and verifies it; the second finds all done."""
    place = bench(sandbox, tmp_path)
    first = place.run("migrate")
    assert (first.status, first.document["outcome"]) == (0, "changed")
    assert first.outcomes.count("changed") >= 7
    second = place.run("migrate")
    assert (second.status, second.document["outcome"]) == (0, "ok")
    assert set(second.outcomes) == {"ok"}
    assert place.run("verify").status == 0


def test_verify_says_what_is_missing(place: Bench) -> None:
    """Before the migration verify fails, and names each thing that is absent."""
    ran = place.run("verify")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    wrong = [row for step in ran.document["steps"] for row in step["checks"] if not row["holds"]]
    assert any("attendance_notes" in row["name"] and row["actual"] == "absent" for row in wrong)


@pytest.mark.parametrize(
    "there",
    [
        ("attendance_status",),
        ("attendance_notes", "attendance_marked_by"),
        tuple(ADD),
    ],
    ids=lambda names: "+".join(name.removeprefix("attendance_") for name in names),
)
def test_migrate_completes_what_is_there_in_part(place: Bench, there: tuple[str, ...]) -> None:
    """Whatever columns somebody had added before, the schema ends the same but for their order."""
    for name in there:
        alter(place.sandbox, ADD[name])
    assert place.run("migrate").status == 0
    columns = place.schema()["event_participants"]
    assert all(f"`{name}`" in columns for name in ADD)
    assert place.run("migrate").document["outcome"] == "ok"


@pytest.mark.wide
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_migrate_from_every_subset_of_columns(place: Bench, count: int) -> None:
    """From every subset of the columns the migration completes, and a rollback leaves them."""
    for there in itertools.combinations(ADD, count):
        place.sandbox.reset()
        for name in there:
            alter(place.sandbox, ADD[name])
        before = place.schema()
        assert place.run("migrate").status == 0
        assert place.run("rollback").status == 0
        assert place.schema() == before


def test_another_definition_is_refused_with_both(place: Bench) -> None:
    """A column of another type stops the plan before anything is touched, backup included."""
    alter(place.sandbox, "ADD COLUMN attendance_notes VARCHAR(20) NOT NULL DEFAULT 'x'")
    before = place.schema()
    ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert "varchar(20) NOT NULL DEFAULT x" in ran.said
    assert "wanted text NULL" in ran.said
    assert place.schema() == before
    assert ran.document["steps"] == []


def test_a_foreign_keys_own_index_is_not_lost_behind_ours(place: Bench) -> None:
    """Where the server would silently replace a key's implicit index, migrate refuses."""
    alter(place.sandbox, "DROP FOREIGN KEY fk_participants_event")
    alter(place.sandbox, "DROP INDEX uq_participants_event_user")
    alter(
        place.sandbox,
        "ADD CONSTRAINT fk_participants_event FOREIGN KEY (event_id) REFERENCES events (event_id)",
    )
    before = place.schema()
    ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert "foreign key fk_participants_event" in ran.said
    assert place.schema() == before
    alter(place.sandbox, "ADD INDEX its_own (event_id)")
    assert place.run("migrate").status == 0


def test_dry_run_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A preview leaves schema, ledger and backup folder as they were."""
    place = bench(sandbox, tmp_path)
    before = place.schema()
    ran = place.run("migrate", dry_run=True)
    assert ran.status == 0
    assert len(ran.document["planned"]) > 8
    assert place.schema() == before
    assert not place.sandbox.query("SHOW TABLES FROM vaulteer LIKE 'runbook_ledger'")
    assert not (place.folder / "backups").exists()


def test_backfill_runs_in_ranges_and_leaves_no_null(place: Bench) -> None:
    """Where the column was nullable with NULLs, ranges fill every one of them."""
    place.sandbox.reset(rows=3000, partial=True)
    ran = place.run("migrate")
    assert ran.status == 0
    assert any("3,000 rows changed" in step["detail"] for step in ran.document["steps"])
    left = place.sandbox.query(
        "SELECT COUNT(*) FROM vaulteer.event_participants WHERE attendance_status IS NULL"
    )
    assert left == [(0,)]


def test_an_open_transaction_is_waited_for_briefly_and_named(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A DDL that cannot get its lock gives way, names the blocker, and stops in time."""
    place = lean(sandbox, tmp_path, timeouts={"lock_wait": "1s", "lock_give_up": "2s"})
    with sandbox.root_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM event_participants LIMIT 1")
        began = time.monotonic()
        ran = place.run("migrate")
        assert time.monotonic() - began < 20
        assert (ran.status, ran.document["outcome"]) == (1, "failed")
        assert f"session {thread(other)} root@" in ran.document["message"]
        cursor.execute("ROLLBACK")
    assert place.run("migrate").status == 0


def test_queries_never_queue_long_behind_a_waiting_ddl(sandbox: Sandbox, tmp_path: Path) -> None:
    """While a DDL waits for its lock, a new query on the table waits no longer than lock_wait."""
    place = lean(sandbox, tmp_path, timeouts={"lock_wait": "1s", "lock_give_up": "4s"})
    waits: list[float] = []
    ended = threading.Event()

    def application() -> None:
        with sandbox.root_connection() as mine, mine.cursor() as cursor:
            while not ended.is_set():
                began = time.monotonic()
                cursor.execute("SELECT COUNT(*) FROM event_participants WHERE participant_id = 1")
                waits.append(time.monotonic() - began)
                time.sleep(0.01)

    with sandbox.root_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM event_participants LIMIT 1")
        thread = threading.Thread(target=application)
        thread.start()
        place.run("migrate")
        ended.set()
        thread.join()
        cursor.execute("ROLLBACK")
    assert max(waits) > 0.3, "the DDL never waited, so this proves nothing"
    assert max(waits) < 2.0


def test_the_second_of_two_runs_is_told_who_has_the_lock(place: Bench) -> None:
    """While one run works, another is refused and told who, where and since when."""
    with place.sandbox.root_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('runbook:vaulteer', 0)")
        ran = place.run("migrate")
        assert (ran.status, ran.document["outcome"]) == (3, "refused")
        assert f"session {thread(other)} of root@" in ran.document["message"]
        assert place.run("status").status == 0


@MYSQL_IS_WIDE
def test_a_plan_that_was_not_previewed_does_not_run(place: Bench) -> None:
    """--plan runs exactly the previewed plan, and says what differs from any other."""
    digest = place.run("migrate", dry_run=True).document["plan"]
    alter(place.sandbox, ADD["attendance_notes"])
    ran = place.run("migrate", plan=digest)
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert re.search(r"^-.*ADD COLUMN attendance_notes", ran.document["message"], re.MULTILINE)
    (kept,) = place.folder.rglob(f"previews/{digest}")
    kept.write_bytes(b"\xff")
    ran = place.run("migrate", plan=digest)
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    digest = place.run("migrate", dry_run=True).document["plan"]
    assert place.run("migrate", plan=digest).status == 0


@pytest.mark.parametrize(("confirm", "word"), [("plan", "--dry-run"), ("prompt", "no terminal")])
@MYSQL_IS_WIDE
def test_policy_is_kept_without_a_terminal(
    sandbox: Sandbox, tmp_path: Path, confirm: str, word: str
) -> None:
    """Without a terminal nothing is asked: the run is refused, and a previewed plan runs."""
    place = lean(sandbox, tmp_path, policy={"confirm": confirm})
    ran = place.run("migrate")
    assert ran.status == 3
    assert word in ran.said
    digest = place.run("migrate", dry_run=True).document["plan"]
    assert place.run("migrate", plan=digest).status == 0


@MYSQL_IS_WIDE
def test_never_is_never(sandbox: Sandbox, tmp_path: Path) -> None:
    """A phase that the policy forbids is refused, and the message names the inventory's line."""
    place = lean(sandbox, tmp_path, policy={"never": ["rollback"]})
    assert place.run("migrate").status == 0
    ran = place.run("rollback")
    assert ran.status == 3
    assert "inventory.yaml" in ran.said
