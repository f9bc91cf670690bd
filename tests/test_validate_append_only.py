"""What `validate` takes as proof that rows stay as they are: triggers, or a watch in place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import lean
from tests.test_validate import wrong
from tests.watching import AUDIT, folder_of, insert, watched, with_crontab


@pytest.fixture
def crontab(mariadb: Sandbox) -> Iterator[Path]:
    """Give MariaDB's hosts a crontab; return the file that app2 keeps it in."""
    with with_crontab(mariadb) as table:
        yield table


def test_triggers_that_stand_are_proven(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without the triggers validate warns that nothing is proven; with them it proves them."""
    made = lean(sandbox, tmp_path)
    assert made.run("migrate").status == 0
    bare = made.run("validate")
    assert (bare.status, "append-only do not stand" in bare.said) == (0, True)
    assert made.run("triggers").status == 0
    ran = made.run("validate")
    assert (ran.status, "append-only do not stand" in ran.said) == (0, False)
    proofs = [step for step in ran.document["steps"] if step["kind"] == "proof"]
    assert len(proofs) == 2


def test_a_watch_in_place_stands_in_for_the_triggers(
    mariadb: Sandbox, tmp_path: Path, crontab: Path
) -> None:
    """A watch whose last scan was clean and in time, and that cron runs, is proof enough."""
    made = watched(mariadb, tmp_path)
    before = made.run("validate")
    assert (before.status, "append-only do not stand" in before.said) == (0, True)
    assert "scan" not in [step["kind"] for step in before.document["steps"]]
    assert made.run("watch", install=True).status == 0
    assert "watch.sh" in crontab.read_text()
    ran = made.run("validate")
    assert (ran.status, "append-only do not stand" in ran.said) == (0, False), ran.why
    (scan,) = (step for step in ran.document["steps"] if step["kind"] == "scan")
    assert "baseline: 0 rows are the baseline now" in scan["detail"]


def test_a_watch_that_alerts_is_no_proof(mariadb: Sandbox, tmp_path: Path, crontab: Path) -> None:
    """Found tampering, an overdue scan and a timetable that is gone each fail the validation."""
    made = watched(mariadb, tmp_path)
    insert(mariadb, *range(1, 9))
    assert made.run("watch", install=True).status == 0
    line = crontab.read_text()
    for text in ("", f"#{line}"):
        crontab.write_text(text)
        ran = made.run("validate")
        assert (ran.status, wrong(ran)) == (1, {"what runs it": ("cron", "nothing")})
        assert "nothing on that host runs it" in ran.said or text
    crontab.write_text(line)
    scanned = folder_of(made) / "ran"
    scanned.write_text(f"{int(scanned.read_text()) - 3600}\n")
    late = {"the last scan that ended well": ("at most 31 min ago", "60 min ago")}
    assert wrong(made.run("validate")) == late
    mariadb.query(f"UPDATE {AUDIT} SET reason = '\"quoted\"' WHERE id = 3")
    assert made.run("watch", once=True).status == 1
    ran = made.run("validate")
    assert ran.status == 1
    assert wrong(ran) == {
        "event_attendance_audit 3": ("unchanged", "changed"),
        "the last scan": ("clean", "alert: 1 findings: 1 changed"),
    }


def test_a_scheduler_of_ones_own_runs_the_watch(mariadb: Sandbox, tmp_path: Path) -> None:
    """Scans by --once hold where the inventory says who runs them, as long as they come in time."""
    assert watched(mariadb, tmp_path).run("watch", once=True).status == 0
    shutil.rmtree(tmp_path / "with space and 100%")
    own = watched(mariadb, tmp_path, scheduler="own")
    assert own.run("watch", install=True).outcomes == ["changed", "changed"]
    assert own.run("watch", install=True).outcomes == ["ok"]
    assert own.run("watch", once=True).status == 0
    assert own.run("validate").status == 0
    (folder_of(own) / "ran").write_text("1\n")
    assert "the last scan that ended well" in wrong(own.run("validate"))


def test_a_watch_whose_host_is_away_is_no_proof(mariadb: Sandbox, tmp_path: Path) -> None:
    """A watch that cannot be asked is planned all the same, and fails the validation."""
    made = watched(mariadb, tmp_path)
    assert made.run("watch", once=True).status == 0
    process = mariadb.hosts["app2"].process()
    assert process
    process.end()
    ran = made.run("validate")
    assert ran.status in {1, 4}
    assert [step["kind"] for step in ran.document["planned"]].count("scan") == 1
