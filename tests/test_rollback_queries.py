"""Rollback of another change: its queries joined, incomplete, or not to be compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runbook.phases.losses import destroys
from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, lean


@MYSQL_IS_WIDE
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
    assert ran.status == 0, ran.why
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


@MYSQL_IS_WIDE
def test_a_query_may_join_and_name_its_tables_otherwise(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every table that a query selects from is locked under each name that the query gives it."""
    place = library(
        sandbox,
        tmp_path,
        "SELECT r.*, l.reader FROM reminders AS r JOIN loans AS l USING (loan_id)",
    )
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.why
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


@MYSQL_IS_WIDE
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
