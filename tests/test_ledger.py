"""A table of the ledger's name that is not the ledger: refused, and never written to."""

from __future__ import annotations

from pathlib import Path

from runbook.database import ledger
from sandbox.sandbox import Sandbox
from tests.support import bench

OURS = ledger.CREATE.replace(ledger.TABLE, f"vaulteer.{ledger.TABLE}")
OTHERS = {
    f"CREATE TABLE vaulteer.{ledger.TABLE} (id INT, what TEXT)": "entry is absent",
    OURS.replace("run VARCHAR(40)", "run BLOB"): "run is blob instead of varchar",
    OURS.replace("AUTO_INCREMENT", ""): "id does not count by itself",
    OURS.replace("steps TEXT NULL", "steps TEXT NULL, more INT NOT NULL"): "more must be given",
    f"CREATE VIEW vaulteer.{ledger.TABLE} AS SELECT 'x' AS id": "id is varchar instead of bigint",
}


def test_a_table_that_is_not_ours_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever would read it says in which columns it differs, status too; nothing is written."""
    place = bench(sandbox, tmp_path)
    before = place.schema()
    rows = f"SELECT COUNT(*) FROM vaulteer.{ledger.TABLE}"
    for create, said in OTHERS.items():
        sandbox.query(create)
        there = sandbox.query(rows)
        for command in ("migrate", "rollback", "status") if "(id INT" in create else ("status",):
            ran = place.run(command)
            assert ran.status == (0 if command == "status" else 3), ran.why
            assert said in ran.said
            assert f"CREATE TABLE IF NOT EXISTS {ledger.TABLE}" in ran.said
        assert (place.schema(), sandbox.query(rows)) == (before, there)
        what = "VIEW" if create.startswith("CREATE VIEW") else "TABLE"
        sandbox.query(f"DROP {what} vaulteer.{ledger.TABLE}")


def test_more_columns_are_no_obstacle(mariadb: Sandbox, tmp_path: Path) -> None:
    """A ledger of a later version, with more columns that may be NULL, is read and written."""
    mariadb.query(OURS.replace("steps TEXT NULL", "steps TEXT NULL, more INT NULL"))
    assert bench(mariadb, tmp_path).run("migrate").status == 0
