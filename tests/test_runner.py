"""Migrating by the application's own runner: verify decides, and rollback is as exact as ever."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, Ran, bench

EXAMPLE = "".join(re.findall(r"^    # (.*\n)", (PROJECT / "inventory.yaml").read_text(), re.M))
"""What the shipped inventory has as a comment: staging's runner."""
SHIPPED = yaml.safe_load(EXAMPLE[EXAMPLE.index("runner:") :])["runner"]
NPM = "cd {folder}/current/backend && npm run migrate"
ONE_COLUMN = (
    'mysql --defaults-extra-file="$RUNBOOK_SANDBOX/migrator.cnf" vaulteer'
    ' --execute "ALTER TABLE event_participants ADD COLUMN attendance_notes TEXT NULL"'
)


def place(
    sandbox: Sandbox,
    folder: Path,
    command: str = NPM,
    release: str = "v1.1.0",
) -> Bench:
    """Return a bench whose application runs, and migrates by `command` on app1."""
    sandbox.start_application(release)
    own = {"host": "app1", "folder": ".sandbox/{host}/app", "command": command}
    return bench(sandbox, folder, runner=SHIPPED | own)


def step(ran: Ran) -> dict[str, Any]:
    """Return the runner's step as it ended."""
    (one,) = (s for s in ran.document["steps"] if s["kind"] == "runner")
    return dict(one)


def undone(bench: Bench, before: dict[str, str]) -> None:
    """Check that a rollback leaves the schema as it was, and the ledger with each object once."""
    rows = bench.sandbox.query(
        "SELECT added FROM vaulteer.runbook_ledger WHERE entry = 'statement' AND added <> ''"
    )
    added = [name for (names,) in rows for name in str(names).split(",")]
    assert len(added) == len(set(added)) == 7, added
    ran = bench.run("rollback")
    assert ran.status == 0, ran.document["message"]
    assert bench.schema() == before


@MYSQL_IS_WIDE
def test_the_shipped_files_run_through_the_naive_runner(sandbox: Sandbox, tmp_path: Path) -> None:
    """On both servers npm run migrate does all of it, is recorded, and can be undone exactly."""
    at = place(sandbox, tmp_path, SHIPPED["command"])
    before = at.schema()
    sandbox.clear_commands()
    preview = at.run("migrate", dry_run=True)
    assert preview.status == 0
    looked = set(sandbox.commands("app1"))
    expected = [f["detail"] for f in preview.document["findings"] if f["level"] == "pending"]
    assert len(expected) == 8
    assert any("expected: ALTER TABLE event_participants ADD COLUMN" in text for text in expected)
    assert at.schema() == before
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.document["message"]
    assert ran.document["plan"] == preview.document["plan"]
    assert step(ran)["detail"].startswith("exit status 0; added ")
    assert not [s for s in ran.document["steps"] if s["kind"] == "statement" and not s["done"]]
    planned = [s for s in preview.document["planned"] if s["where"] == "app1"]
    assert [s["estimate"] for s in planned if s["kind"] == "runner"] == [8.0]
    shown = {s["text"] for s in planned} | {s.get("watch") for s in planned}
    assert set(sandbox.commands("app1")) - looked <= shown
    again = at.run("migrate")
    assert (again.status, again.document["outcome"]) == (0, "ok")
    undone(at, before)


@MYSQL_IS_WIDE
def test_a_runner_that_did_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """It exits 0, verify does not hold, and both are said."""
    at = place(sandbox, tmp_path, release="v1.2.0-idle")
    before = at.schema()
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert step(ran)["detail"] == "exit status 0; added nothing; verify decides"
    wrong = [row for s in ran.document["steps"] for row in s["checks"] if not row["holds"]]
    assert any("attendance_notes" in row["name"] for row in wrong)
    assert at.schema() == before


def test_a_runner_that_says_it_failed_and_did_everything(mariadb: Sandbox, tmp_path: Path) -> None:
    """It exits 1, everything holds, and the exit status is told all the same."""
    at = place(mariadb, tmp_path, f"{NPM} && {{ echo out of memory; exit 1; }}")
    before = at.schema()
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (0, "changed")
    assert step(ran)["detail"].startswith("exit status 1 (out of memory); added ")
    undone(at, before)


def test_a_runner_that_dies_midway(mariadb: Sandbox, tmp_path: Path) -> None:
    """What it had added counts; run again it does the rest, and the undo is exact."""
    dies = f"[ -e {{folder}}/died ] || {{ touch {{folder}}/died; {ONE_COLUMN}; kill -9 0; }}"
    at = place(mariadb, tmp_path, f"{dies}; {NPM}")
    before = at.schema()
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert step(ran)["detail"].startswith("it died without saying how; added column:")
    ran = at.run("migrate")
    assert ran.status == 0
    undone(at, before)


@pytest.mark.wide
def test_what_a_dead_runner_had_started_is_waited_for(mariadb: Sandbox, tmp_path: Path) -> None:
    """The process that was started dies, its child migrates on: all that it adds is recorded."""
    at = place(mariadb, tmp_path, f"kill -9 $$; sleep 1; {NPM}")
    before = at.schema()
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (0, "changed")
    assert step(ran)["detail"].startswith("it died without saying how; added ")
    undone(at, before)


@pytest.mark.parametrize("then", ["goes on", pytest.param("has ended", marks=pytest.mark.wide)])
def test_killed_while_the_runner_works(mariadb: Sandbox, tmp_path: Path, then: str) -> None:
    """It goes on without us; the next run waits for it, or finds it done, and undoes exactly."""
    slowly = f"echo once >>{{folder}}/runs; {ONE_COLUMN}; sleep 2; {NPM}"
    at = place(mariadb, tmp_path, slowly)
    before = at.schema()
    home = mariadb.root / "app1" / "app"
    process = at.start("migrate", "--env=test")
    assert wait_until(lambda: "attendance_notes" in at.schema()["event_participants"], 60.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if then == "has ended":
        assert wait_until((home / ".runbook" / "runner" / "status").exists, 60.0)
    ran = at.run("migrate")
    assert ran.status == 0, ran.document["message"]
    if then == "goes on":
        assert "attaches to it" in ran.said
    assert (home / "runs").read_text().split() == ["once"]
    undone(at, before)


def test_other_files_than_the_changes_stop_before_anything(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """A release that does not have the very files of the change does not migrate."""
    at = place(mariadb, tmp_path)
    before = at.schema()
    (file,) = (mariadb.root / "app1" / "app" / "current" / "backend" / "migrations").glob("*fill*")
    file.write_text(file.read_text() + "\n")
    ran = at.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "the runner's files are those of the change" in ran.document["message"]
    assert at.schema() == before


@pytest.mark.wide
def test_its_fill_of_a_column_that_was_there_is_told_before_an_undo(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """What the runner wrote into a column that stays is named, as if we had written it."""
    mariadb.reset(rows=200, partial=True)
    at = place(mariadb, tmp_path)
    assert at.run("migrate").status == 0
    notes = at.run("rollback", dry_run=True).document["notes"]
    assert any("backfill" in n and "wrote into columns that were there before" in n for n in notes)
