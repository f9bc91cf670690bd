"""What a rollback leaves: all that was there before, or that others have built."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.exporting import exports
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, lean
from tests.undoing import PARTICIPANTS, SHORT, exported, migrated


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn."""
    return lean(sandbox, tmp_path, timeouts=SHORT)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated and with 166 rows of each kind, exported."""
    return exported(mariadb, tmp_path)


@MYSQL_IS_WIDE
def test_what_was_there_before_stays_with_its_data(place: Bench) -> None:
    """Columns, index and rows from before migrate outlive migrate and rollback untouched."""
    place.sandbox.query(
        f"ALTER TABLE {PARTICIPANTS} ADD COLUMN attendance_notes TEXT NULL,"
        " ADD COLUMN attendance_status ENUM('unknown','present','late','absent') NULL"
        " DEFAULT 'unknown', ADD INDEX idx_participants_event_attendance (event_id,"
        " attendance_status)"
    )
    place.sandbox.query(
        f"UPDATE {PARTICIPANTS} SET attendance_notes = CONCAT('n', participant_id),"
        " attendance_status = IF(participant_id % 2, 'late', NULL)"
    )
    before = place.schema()
    assert place.run("migrate").status == 0
    place.sandbox.query(f"UPDATE {PARTICIPANTS} SET attendance_marked_by = 1 LIMIT 7")
    assert place.run("rollback").status == 3
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.why
    said = " ".join(ran.document["notes"])
    assert "attendance_marked_by in 7" in said
    assert "attendance_notes in" not in said
    assert "wrote into columns that were there before stay" in said
    assert place.schema() == before
    kept = place.sandbox.query(
        "SELECT SUM(attendance_notes = CONCAT('n', participant_id)),"
        f" SUM(attendance_status = 'late') FROM {PARTICIPANTS}"
    )
    assert [int(str(count)) for count in kept[0]] == [500, 250]


@MYSQL_IS_WIDE
def test_rows_that_stay_need_no_export(place: Bench) -> None:
    """Data in columns that were there before does not ask for an export: it is not lost."""
    place.sandbox.query(
        f"ALTER TABLE {PARTICIPANTS} ADD COLUMN attendance_notes TEXT NULL,"
        " ADD COLUMN attendance_status ENUM('unknown','present','late','absent')"
        " NOT NULL DEFAULT 'unknown'"
    )
    place.sandbox.query(f"UPDATE {PARTICIPANTS} SET attendance_notes = 'kept'")
    before = place.schema()
    assert place.run("migrate").status == 0
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why
    assert exports(place) == []
    assert place.schema() == before
    assert place.sandbox.query(
        f"SELECT COUNT(*) FROM {PARTICIPANTS} WHERE attendance_notes = 'kept'"
    ) == [(500,)]


@MYSQL_IS_WIDE
def test_without_a_migration_of_ours_nothing_is_undone(place: Bench) -> None:
    """Where the program never migrated, all that is there stays, and it says so."""
    place.sandbox.load("USE vaulteer;\n" + _migration())
    there = place.schema()
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"], ran.document["planned"]) == (0, "ok", [])
    assert "nothing was migrated here by this program" in ran.said
    assert place.schema() == there


def _migration() -> str:
    folder = PROJECT / "sql" / "attendance" / "migrate"
    return "\n".join(file.read_text() for file in sorted(folder.glob("*.sql")))


def test_a_table_that_somebody_altered_meanwhile_is_told(maria: Bench) -> None:
    """A schema that is not the one before is a failure that shows the lines; ours is undone."""
    maria.sandbox.query(f"ALTER TABLE {PARTICIPANTS} ADD INDEX theirs (status)")
    ran = maria.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    (failed,) = [s for s in ran.document["steps"] if s["outcome"] == "failed"]
    assert any("theirs" in line for line in failed["output"])
    again = maria.run("rollback")
    assert (again.status, again.document["planned"]) == (0, [])
    assert "undone already, by " in again.said


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    ("made", "named"),
    [
        (
            "CREATE VIEW vaulteer.marks AS SELECT attendance_notes FROM"
            " vaulteer.event_participants",
            "view marks",
        ),
        (
            f"CREATE TRIGGER vaulteer.stamp BEFORE UPDATE ON {PARTICIPANTS} FOR EACH ROW"
            " SET NEW.attendance_updated_at = NOW()",
            "trigger stamp",
        ),
    ],
    ids=["view", "trigger"],
)
def test_what_others_built_on_ours_forbids_the_undo(place: Bench, made: str, named: str) -> None:
    """A view or trigger that needs what would go is named, and nothing is dropped."""
    migrated(place)
    assert place.run("export").status == 0
    place.sandbox.query(made)
    before = place.schema()
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert named in ran.said
    assert place.schema() == before
