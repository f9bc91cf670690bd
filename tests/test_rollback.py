"""Rollback on real servers: exactly what migrate added goes, and no row that is not exported."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbook.exports.seal import opened, sealed
from runbook.phases.losses import destroys
from sandbox.sandbox import Sandbox
from tests.exporting import exports
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, Ran, lean
from tests.test_export import attend

AUDIT = "vaulteer.event_attendance_audit"
PARTICIPANTS = "vaulteer.event_participants"
INSERT = f"INSERT INTO {AUDIT} (event_id, participant_id, action) VALUES (1, 1, 'correction')"
SHORT = {"lock_wait": "1s", "lock_give_up": "20s"}


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn."""
    return lean(sandbox, tmp_path, timeouts=SHORT)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated and with 166 rows of each kind, exported."""
    made = lean(mariadb, tmp_path, timeouts=SHORT)
    migrated(made)
    assert made.run("export").status == 0
    return made


def migrated(place: Bench) -> None:
    """Migrate, and give the application time to leave rows of attendance."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)


def ended(place: Bench, before: dict[str, str]) -> None:
    """Check that a rollback brings the schema back, that it is then over, and migrate works."""
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.said
    assert place.schema() == before
    again = place.run("rollback")
    assert (again.status, again.document["outcome"]) == (0, "ok")
    assert again.document["planned"] == []
    assert place.run("migrate").document["outcome"] == "changed"
    assert place.run("verify").status == 0


def test_the_round_trip(place: Bench) -> None:
    """Migrate, rows, export, rollback: the schema is the one before; then migrate works again."""
    before = place.schema()
    migrated(place)
    refused = place.run("rollback")
    assert (refused.status, refused.document["outcome"]) == (3, "refused")
    advice = {f["advice"] for f in refused.document["findings"] if f["level"] == "refused"}
    assert advice == {"invoke export --env=test"}
    assert place.run("export").status == 0
    ended(place, before)


@MYSQL_IS_WIDE
def test_without_rows_nothing_need_be_exported(place: Bench) -> None:
    """Right after migrate there is nothing to lose, so nothing is asked for."""
    before = place.schema()
    assert place.run("migrate").status == 0
    ended(place, before)
    assert exports(place) == []


def test_first_it_says_what_will_be_lost(maria: Bench) -> None:
    """Rows, since when, values in which columns, and where they are exported to."""
    (export,) = exports(maria)
    first, second, _ = maria.run("rollback", dry_run=True).document["notes"]
    assert first.startswith("will be lost: audit, 166 rows from 20")
    assert first.endswith(f"UTC: all of event_attendance_audit; exported to db1:{export}")
    assert second == (
        "will be lost: participants, 166 rows from 2025-03-01 10:00:00 to 2025-03-01 10:00:00 UTC:"
        " attendance_status in 166, attendance_marked_at in 166, attendance_notes in 26;"
        f" exported to db1:{export}"
    )


def test_rows_that_changed_since_the_export_are_in_the_way(maria: Bench) -> None:
    """One row more, less or other than exported refuses the rollback, until exported again."""
    for change in (
        INSERT,
        f"DELETE FROM {AUDIT} LIMIT 1",
        f"UPDATE {PARTICIPANTS} SET attendance_notes = '' WHERE attendance_notes IS NULL LIMIT 1",
        f"UPDATE {PARTICIPANTS} SET attendance_status = 'late' WHERE participant_id = 1",
    ):
        maria.sandbox.query(change)
        ran = maria.run("rollback")
        assert ran.status == 3, change
        assert "has not exactly the present" in ran.said, change
        assert maria.run("export").status == 0
    assert maria.run("rollback").status == 0


def _edited(export: Path) -> str:
    path = export / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 166', '"rows": 167'))
    return "changed after it was written"


def _truncated(export: Path) -> str:
    path = export / "manifest.json"
    path.write_text(path.read_text()[:-100])
    return "incomplete"


def _without_manifest(export: Path) -> str:
    (export / "manifest.json").unlink()
    return "manifest.json is missing"


def _without_file(export: Path) -> str:
    (export / "audit.tsv.gz").unlink()
    return "audit.tsv.gz is missing"


def _with_other_rows(export: Path) -> str:
    path = export / "audit.tsv.gz"
    content = gzip.decompress(path.read_bytes()).replace(b"check_in", b"checkout", 1)
    path.write_bytes(gzip.compress(content, mtime=0))
    return "audit.tsv.gz was changed after it was written"


def _with_another_script(export: Path) -> str:
    with (export / "load.sql").open("a") as script:
        script.write("DROP TABLE users;\n")
    return "load.sql was changed after it was written"


def _of_elsewhere(export: Path) -> str:
    path = export / "manifest.json"
    said = {**opened(path.read_text()), "environment": "production"}
    path.write_text(sealed({name: value for name, value in said.items() if name != "seal"}))
    return "environment production"


DAMAGES = (
    _edited,
    _truncated,
    _without_manifest,
    _without_file,
    _with_other_rows,
    _with_another_script,
    _of_elsewhere,
)


def test_a_damaged_export_counts_for_nothing(maria: Bench) -> None:
    """A manifest or file that is missing, cut or edited refuses the rollback and is named."""
    for damage in DAMAGES:
        why = damage(exports(maria)[-1])
        ran = maria.run("rollback")
        assert ran.status == 3, damage
        assert why in ran.said, damage
        again = maria.run("export")
        assert (again.status, again.document["outcome"]) == (0, "changed"), damage
    assert maria.run("rollback").status == 0


@contextmanager
def open_transaction(sandbox: Sandbox, statement: str) -> Iterator[Any]:
    """Run a statement in a transaction that stays open; yields its connection."""
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(statement)
        yield connection
        connection.rollback()


def waiting(sandbox: Sandbox, text: str) -> None:
    """Wait until the program waits for a lock with a statement that begins so."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        shown = sandbox.query(
            "SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = 'migrator'"
        )
        if any(str(info).startswith(text) for (info,) in shown):
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody ever waited with {text}")


def in_background(place: Bench, command: str) -> tuple[threading.Thread, list[Ran]]:
    """Run a command in a thread; return it, and where its result will be."""
    results: list[Ran] = []
    process = place.start(command, "--env=test", "--json")

    def wait() -> None:
        out, _ = process.communicate(timeout=60)
        results.append(Ran(process.returncode, json.loads(out)))

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, results


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
    assert ran.status == 0, ran.said
    assert place.schema() == before


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
    assert ran.status == 0, ran.said
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
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.said
    assert exports(place) == []
    assert place.schema() == before
    assert place.sandbox.query(
        f"SELECT COUNT(*) FROM {PARTICIPANTS} WHERE attendance_notes = 'kept'"
    ) == [(500,)]


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


def test_after_an_undo_migrate_takes_a_backup_anew(maria: Bench) -> None:
    """A dump from before the rollback still holds what was undone, so it does not count."""
    assert maria.run("rollback").status == 0
    ran = maria.run("migrate")
    assert ran.status == 0
    assert next(s["kind"] for s in ran.document["steps"] if s["phase"] == "backup") == "job"


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


def test_another_change_goes_through_the_same_code(sandbox: Sandbox, tmp_path: Path) -> None:
    """A change of other tables migrates, verifies, exports, rolls back and migrates again."""
    changes = PROJECT / "tests" / "changes"
    sandbox.load("USE vaulteer;\n" + (changes / "library.base.sql").read_text())
    place = lean(sandbox, tmp_path, change=str(changes / "library"))
    before = place.schema()
    assert place.run("migrate").status == 0
    assert place.run("verify").status == 0
    assert place.run("migrate").document["outcome"] == "ok"
    sandbox.query("INSERT INTO vaulteer.reminders (loan_id, sent_on) VALUES (1, '2025-01-01')")
    assert place.run("rollback").status == 3
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.said
    assert place.schema() == before
    assert place.run("migrate").document["outcome"] == "changed"


def library(sandbox: Sandbox, folder: Path, query: str) -> Bench:
    """Return a bench of the library's change, migrated, whose reminders are exported by `query`."""
    changes = PROJECT / "tests" / "changes"
    sandbox.load("USE vaulteer;\n" + (changes / "library.base.sql").read_text())
    shutil.copytree(changes / "library", folder / "library")
    (folder / "library" / "export" / "reminders.sql").write_text(f"{query};\n")
    place = lean(sandbox, folder, change=str(folder / "library"))
    assert place.run("migrate").status == 0
    sandbox.query("INSERT INTO vaulteer.reminders (loan_id, sent_on) VALUES (5000000001, NOW())")
    return place


def test_a_query_may_join_and_name_its_tables_otherwise(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every table that a query selects from is locked under each name that the query gives it."""
    place = library(
        sandbox,
        tmp_path,
        "SELECT r.*, l.reader FROM reminders AS r JOIN loans AS l USING (loan_id)",
    )
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.said
    assert "reminders" not in place.schema()


@pytest.mark.parametrize("query", ["SELECT 1 AS one", "SELECT reminder_id FROM reminders"])
def test_what_no_query_selects_refuses_the_rollback(
    mariadb: Sandbox, tmp_path: Path, query: str
) -> None:
    """Values that would go and that the export leaves out are named, and nothing is dropped."""
    place = library(mariadb, tmp_path, query)
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 3
    (refused,) = [f for f in ran.document["findings"] if f["level"] == "refused"]
    assert refused["what"] == "reminders"
    assert "loan_id" in refused["detail"]
    mariadb.query("DELETE FROM vaulteer.reminders")
    assert place.run("export").status == 0
    assert place.run("rollback").status == 0


def test_a_query_that_cannot_be_compared_behind_a_lock_is_refused(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Export and rollback say in their plans which table of which file is in the way."""
    place = library(mariadb, tmp_path, "SELECT * FROM reminders")
    file = tmp_path / "library" / "export" / "reminders.sql"
    for condition, said in (
        ("EXISTS (SELECT 1 FROM books)", "reads books without selecting"),
        ("loan_id IN (SELECT loan_id FROM reminders)", "reads reminders more than once"),
    ):
        file.write_text(f"SELECT * FROM reminders WHERE {condition};\n")
        for command in ("export", "rollback"):
            ran = place.run(command, dry_run=True)
            assert ran.status == 3
            (refused,) = [f for f in ran.document["findings"] if said in f["detail"]]
            assert refused["what"].endswith("library/export/reminders.sql:1")


def test_what_a_query_reads_behind_a_function_stops_before_the_drop(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What no text tells is told behind the lock, and nothing is dropped."""
    place = library(sandbox, tmp_path, "SELECT reminders.*, any_book() AS any FROM reminders")
    sandbox.query(
        "CREATE FUNCTION vaulteer.any_book() RETURNS INT READS SQL DATA"
        " RETURN EXISTS (SELECT 1 FROM vaulteer.books)"
    )
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "a column of every table that it reads" in ran.document["advice"]
    assert "reminders" in place.schema()


def test_only_what_takes_values_from_rows_is_guarded() -> None:
    """Dropping a column or table, or changing a column's type, may; an index or trigger not."""
    assert destroys("DROP TABLE t")
    assert destroys("ALTER TABLE t DROP COLUMN c, ALGORITHM=INSTANT")
    assert destroys("ALTER TABLE t DROP c")
    assert destroys("ALTER TABLE t DROP INDEX i, DROP COLUMN c")
    assert destroys("alter table t modify c INT")
    assert destroys("TRUNCATE t")
    assert destroys("DELETE FROM t")
    assert not destroys("ALTER TABLE t DROP INDEX i, ALGORITHM=INPLACE, LOCK=NONE")
    assert not destroys("ALTER TABLE t DROP FOREIGN KEY f, DROP KEY k")
    assert not destroys("DROP INDEX i ON t")
    assert not destroys("DROP TRIGGER IF EXISTS g")
