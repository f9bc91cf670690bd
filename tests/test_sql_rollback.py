"""The undo of the attendance change by the plain client: only what the ledger says is ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import ATTENDANCE, Schema, base, schema, sql_files

ROLLBACK = ATTENDANCE / "rollback"
TABLE = "table:event_attendance_audit"
INDEX = "index:event_participants.idx_participants_event_attendance"
COLUMNS = [
    f"column:event_participants.attendance_{name}"
    for name in ("status", "marked_at", "marked_by", "notes", "updated_at")
]
TRIGGERS = ["trg_event_attendance_audit_no_update", "trg_event_attendance_audit_no_delete"]
CREATE_TRIGGER = (
    "CREATE TRIGGER {} BEFORE {} ON event_attendance_audit FOR EACH ROW"
    " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='event_attendance_audit is append-only'"
)


@pytest.fixture(params=FLAVOURS)
def migrated(request: pytest.FixtureRequest) -> Iterator[Schema]:
    """Return a database on each server in turn where migrate has run, with both triggers."""
    server: Sandbox = request.getfixturevalue(f"{request.param}_server")
    with schema(server, base(ATTENDANCE)) as made:
        made.apply(ATTENDANCE / "migrate")
        made.run(
            CREATE_TRIGGER.format(TRIGGERS[0], "UPDATE"),
            CREATE_TRIGGER.format(TRIGGERS[1], "DELETE"),
        )
        yield made


def objects_of_change(of: Schema) -> set[str]:
    """Return what is there of all that the change and its triggers bring."""
    ours = {TABLE, INDEX, *COLUMNS, *(f"trigger:{name}" for name in TRIGGERS)}
    return ours & of.objects()


def test_without_a_ledger_nothing_is_dropped(migrated: Schema) -> None:
    """Where nobody recorded what was added, each file that would drop something fails instead."""
    before = objects_of_change(migrated)
    for file in sql_files(ROLLBACK):
        done = migrated.client(file)
        assert done.returncode != 0
        assert "runbook_ledger" in done.stderr
    assert objects_of_change(migrated) == before


def test_what_is_ours_goes_and_what_was_there_stays(migrated: Schema) -> None:
    """Each object goes by its own entry of the ledger; what another change added is not ours."""
    migrated.record("attendance", [INDEX, COLUMNS[0], COLUMNS[3]])
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    stays = {TABLE, *COLUMNS[1:3], COLUMNS[4], *(f"trigger:{name}" for name in TRIGGERS)}
    assert objects_of_change(migrated) == stays
    migrated.record("another", [TABLE, *COLUMNS])
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    assert objects_of_change(migrated) == stays


def test_what_was_undone_is_not_undone_again(migrated: Schema) -> None:
    """A row of the ledger that is marked undone gives no right to drop what is there now."""
    migrated.record("attendance", [TABLE, INDEX, *COLUMNS])
    migrated.run("UPDATE runbook_ledger SET undone_at = '2025-01-02'")
    before = objects_of_change(migrated)
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    assert objects_of_change(migrated) == before


def test_what_an_interrupted_migrate_added_is_ours(migrated: Schema) -> None:
    """A row that was never finished counts for what is there now and was not before it."""
    migrated.record("attendance", [], target="event_participants")
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    assert objects_of_change(migrated) == {TABLE, *(f"trigger:{name}" for name in TRIGGERS)}


def test_of_an_interrupted_migrate_only_what_it_names_is_ours(migrated: Schema) -> None:
    """A row that was never finished counts for the object that it names, if that was not before."""
    migrated.record("attendance", [], target="event_participants")
    named = f"UPDATE runbook_ledger SET added = '{COLUMNS[3]}', before_objects = "
    migrated.run(f"{named} '{COLUMNS[3]}'")
    before = objects_of_change(migrated)
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    assert objects_of_change(migrated) == before
    migrated.run(f"{named} '{COLUMNS[0]}'")
    for file in sql_files(ROLLBACK)[2:]:
        migrated.apply(file)
    assert objects_of_change(migrated) == before - {COLUMNS[3]}


def test_the_triggers_of_an_interrupted_run_are_ours(migrated: Schema) -> None:
    """A row on their table that was never finished counts for those that were not there before."""
    migrated.record("attendance", [], target="event_attendance_audit")
    migrated.run(f"UPDATE runbook_ledger SET before_objects = '{TABLE},trigger:{TRIGGERS[1]}'")
    migrated.apply(sql_files(ROLLBACK)[0])
    assert f"trigger:{TRIGGERS[0]}" not in migrated.objects()
    done = migrated.client(sql_files(ROLLBACK)[1])
    assert f"stays: {TRIGGERS[1]} was there before" in done.stderr


def test_our_triggers_go_alone_and_with_our_table(migrated: Schema) -> None:
    """A trigger goes if the ledger has it, or its table; where there is none, nothing happens."""
    migrated.record("attendance", [f"trigger:{TRIGGERS[0]}"])
    migrated.apply(sql_files(ROLLBACK)[0])
    assert f"trigger:{TRIGGERS[0]}" not in migrated.objects()
    migrated.record("attendance", [TABLE, INDEX, *COLUMNS])
    for _ in range(2):
        migrated.apply(ROLLBACK)
        assert objects_of_change(migrated) == set()


def test_a_trigger_that_was_there_before_stops_its_file(migrated: Schema) -> None:
    """Where neither trigger nor table is ours, the client stops before DROP TRIGGER, saying why."""
    migrated.record("attendance", [*COLUMNS])
    before = objects_of_change(migrated)
    for file, name in zip(sql_files(ROLLBACK)[:2], TRIGGERS, strict=True):
        done = migrated.client(file)
        assert done.returncode != 0
        assert f"stays: {name} was there before" in done.stderr
        assert [choice.text for choice in migrated.chosen(file)] == [
            f"stays: {name} was there before"
        ]
    assert objects_of_change(migrated) == before
