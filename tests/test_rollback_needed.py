"""What others built on ours forbids the undo in the look, with nothing touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, Bench, lean
from tests.undoing import PARTICIPANTS, SHORT, migrated

pytestmark = pytest.mark.wide

STATUS = "column event_participants.attendance_status"
TABLE = "table event_attendance_audit"
ALTER = f"ALTER TABLE {PARTICIPANTS}"
AUDIT = "vaulteer.event_attendance_audit"


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn, migrated and exported, with the triggers."""
    made = lean(sandbox, tmp_path, timeouts=SHORT)
    migrated(made)
    assert made.run("triggers").status == 0
    assert made.run("export").status == 0
    return made


def there(place: Bench) -> tuple[object, ...]:
    """Return all that a rollback touches."""
    return place.schema(), place.sandbox.query("SHOW TRIGGERS FROM vaulteer")


def refused(place: Bench, what: str, needs: str) -> None:
    """Check that what needs ours is named and refuses the undo before it begins."""
    before = there(place)
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (3, "refused"), f"{what}: {ran.why}"
    found = {f["what"]: f["detail"] for f in ran.document["findings"] if f["level"] == "refused"}
    assert found == {what: f"needs {needs}, which would go"}
    assert there(place) == before


def undone(place: Bench) -> None:
    """Check that the undo works once nothing needs it any more."""
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why


@MYSQL_IS_WIDE
def test_a_foreign_key_that_refers_to_ours(place: Bench) -> None:
    """A key of another table, in this schema or another, needs our audit table."""
    place.sandbox.query("CREATE DATABASE reporting")
    place.sandbox.query("GRANT SELECT, REFERENCES ON reporting.* TO 'migrator'@'%'")
    for table, said in (("vaulteer.notes", "notes"), ("reporting.notes", "reporting.notes")):
        place.sandbox.query(
            f"CREATE TABLE {table} (audit BIGINT UNSIGNED,"
            f" CONSTRAINT of_audit FOREIGN KEY (audit) REFERENCES {AUDIT} (id))"
        )
        refused(place, f"foreign key of_audit of {said}", TABLE)
        place.sandbox.query(f"DROP TABLE {table}")
    undone(place)


OF_TABLE = {
    "index mine": ("ADD INDEX mine (attendance_status, user_id)", "DROP INDEX mine"),
    "column late": (
        "ADD COLUMN late INT AS (attendance_status = 'late') VIRTUAL",
        "DROP COLUMN late",
    ),
    "column copy": (
        "ADD COLUMN copy VARCHAR(9) DEFAULT (CONCAT(attendance_status, '''x'))",
        "DROP COLUMN copy",
    ),
    "check sane": (
        "ADD CONSTRAINT sane CHECK (attendance_status <> 'late' OR user_id > 0)",
        "DROP CONSTRAINT sane",
    ),
}


@MYSQL_IS_WIDE
def test_what_somebody_made_of_our_columns(place: Bench) -> None:
    """An index, a generated column, a default or a check over a column of ours needs it."""
    for what, (made, dropped) in OF_TABLE.items():
        place.sandbox.query(f"{ALTER} {made}")
        refused(place, f"{what} of event_participants", STATUS)
        place.sandbox.query(f"{ALTER} {dropped}")
    place.sandbox.query(f"{ALTER} ADD COLUMN harmless VARCHAR(20) DEFAULT 'attendance_status'")
    place.sandbox.query(f"{ALTER} DROP COLUMN harmless")
    undone(place)


def test_an_index_over_an_expression(mysql: Sandbox, tmp_path: Path) -> None:
    """A functional index needs the columns of its expression, not the words of its strings."""
    place = lean(mysql, tmp_path, timeouts=SHORT)
    migrated(place)
    assert place.run("export").status == 0
    mysql.query(
        f"{ALTER} ADD INDEX mine ((CONCAT(attendance_status, 'it''s', 'attendance_notes')))"
    )
    refused(place, "index mine of event_participants", STATUS)
    mysql.query(f"{ALTER} DROP INDEX mine")
    undone(place)


@MYSQL_IS_WIDE
def test_a_foreign_key_over_ours(place: Bench) -> None:
    """A key that somebody put over a column of ours, with its index, needs that column."""
    column = "column event_participants.attendance_marked_by"
    place.sandbox.query(f"UPDATE {PARTICIPANTS} SET attendance_marked_by = NULL")
    place.sandbox.query(
        f"{ALTER} ADD CONSTRAINT marker FOREIGN KEY (attendance_marked_by)"
        " REFERENCES vaulteer.users (user_id)"
    )
    before = there(place)
    ran = place.run("rollback")
    assert (ran.status, there(place)) == (3, before)
    found = {f["what"]: f["detail"] for f in ran.document["findings"] if f["level"] == "refused"}
    for what in ("foreign key", "index"):
        assert column in found[f"{what} marker of event_participants"]


OF_SCHEMA = {
    "view reporting.v": f"VIEW reporting.v AS SELECT attendance_status FROM {PARTICIPANTS}",
    "procedure reporting.p": "PROCEDURE reporting.p()"
    f" UPDATE {PARTICIPANTS} SET attendance_status = 'late'",
    "trigger reporting.t": "TRIGGER reporting.t AFTER INSERT ON reporting.own FOR EACH ROW"
    f" UPDATE {PARTICIPANTS} SET attendance_status = 'late'",
    "event reporting.e": "EVENT reporting.e ON SCHEDULE EVERY 1 DAY DISABLE DO"
    f" UPDATE {PARTICIPANTS} SET attendance_status = 'late'",
}


@MYSQL_IS_WIDE
def test_what_another_schema_makes_of_ours(place: Bench) -> None:
    """A view, routine, trigger or event of another schema needs ours, if it names our schema."""
    query = place.sandbox.query
    query("CREATE DATABASE reporting")
    query("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON reporting.* TO 'migrator'@'%'")
    query("CREATE TABLE reporting.own (id INT)")
    for what, made in OF_SCHEMA.items():
        query(f"CREATE {made}")
        refused(place, what, STATUS)
        kind, _, name = what.partition(" ")
        query(f"DROP {kind} {name}")
    query("CREATE TABLE reporting.event_participants (attendance_status INT)")
    query(
        "CREATE VIEW reporting.v AS SELECT attendance_status, 'vaulteer' AS a"
        " FROM reporting.event_participants"
    )
    undone(place)


@MYSQL_IS_WIDE
def test_what_the_look_could_not_see_is_told_with_a_reason(place: Bench) -> None:
    """A drop that the server refuses after all says what to mend, not only what to type again."""
    place.sandbox.query("CREATE DATABASE hidden")
    place.sandbox.query(
        "CREATE TABLE hidden.notes (audit BIGINT UNSIGNED,"
        f" CONSTRAINT of_audit FOREIGN KEY (audit) REFERENCES {AUDIT} (id))"
    )
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "Mend what the server names" in ran.document["advice"]
    place.sandbox.query("DROP DATABASE hidden")
    undone(place)
