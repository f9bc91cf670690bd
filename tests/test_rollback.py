"""Rollback on real servers: exactly what migrate added goes, and no row that is not exported."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from runbook.exports.seal import opened, sealed
from sandbox.sandbox import Sandbox
from tests.exporting import exports
from tests.support import MYSQL_IS_WIDE, Bench, lean
from tests.undoing import AUDIT, INSERT, PARTICIPANTS, SHORT, ended, exported, migrated


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn."""
    return lean(sandbox, tmp_path, timeouts=SHORT)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB, migrated and with 166 rows of each kind, exported."""
    return exported(mariadb, tmp_path)


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


def test_after_an_undo_migrate_takes_a_backup_anew(maria: Bench) -> None:
    """A dump from before the rollback still holds what was undone, so it does not count."""
    assert maria.run("rollback").status == 0
    ran = maria.run("migrate")
    assert ran.status == 0
    assert next(s["kind"] for s in ran.document["steps"] if s["phase"] == "backup") == "job"
