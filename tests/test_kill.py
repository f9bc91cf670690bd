"""Killed with SIGKILL anywhere, the same command finishes the work, and nothing is done twice."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tests.killed import MOMENTS
from tests.standins import suite
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, bench

TRIES = 30


def killed(place: Bench, command: str, moment: str, *options: str) -> bool:
    """Run a command that dies at `moment`; return whether it came so far."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", moment, command, str(place.folder), *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, _why(done)
    return done.returncode != 0


def _why(done: subprocess.CompletedProcess[str]) -> str:
    said = str(json.loads(done.stdout)["message"]) if done.stdout else ""
    return f"{done.returncode}: {said}{done.stderr}"


def deaths(place: Bench, command: str, moment: str, *options: str) -> int:
    """Run a command until it lives to its end; return how often it died before."""
    again = itertools.takewhile(lambda _: killed(place, command, moment, *options), range(TRIES))
    return sum(1 for _ in again)


def once(place: Bench) -> None:
    """Check that the ledger says of every object that it was added exactly once."""
    rows = place.sandbox.query(
        "SELECT added, COUNT(*) FROM vaulteer.runbook_ledger"
        " WHERE entry = 'statement' AND undone_at IS NULL AND added <> '' GROUP BY added"
    )
    assert rows
    assert all(count == 1 for _, count in rows), rows


QUICK = "inside a range of the backfill"
ONWARD = tuple(moment for moment in MOMENTS if moment != "inside a proof")
"""After which the next run has less to do; a proof is tried again every time."""


@pytest.mark.parametrize(
    "moment",
    [m if m == QUICK else pytest.param(m, marks=pytest.mark.wide) for m in ONWARD],
)
def test_migrate_and_rollback_survive_being_killed_again_and_again(
    mariadb: Sandbox, tmp_path: Path, moment: str
) -> None:
    """Killed at the same moment of every run, each run gets further and the end is the same."""
    _killed_again_and_again(mariadb, tmp_path, moment)


@pytest.mark.wide
@pytest.mark.parametrize("moment", ONWARD)
def test_the_same_on_mysql(mysql: Sandbox, tmp_path: Path, moment: str) -> None:
    """The same holds on MySQL."""
    _killed_again_and_again(mysql, tmp_path, moment)


def _killed_again_and_again(sandbox: Sandbox, folder: Path, moment: str) -> None:
    sandbox.reset(rows=4000, partial=True)
    place = bench(sandbox, folder, policy={"chunk_time": "1ms"})
    before = place.schema()
    assert 1 <= deaths(place, "migrate", moment) < TRIES
    assert place.run("migrate").document["outcome"] == "ok"
    assert place.run("verify").status == 0
    once(place)
    assert place.run("export").status == 0
    assert deaths(place, "rollback", moment) < TRIES
    assert place.run("rollback").status == 0
    assert place.schema() == before
    assert place.run("migrate").status == 0


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    "moment",
    [
        "after a step",
        *(
            pytest.param(m, marks=pytest.mark.wide)
            for m in ("before its ledger row is closed", QUICK)
        ),
    ],
)
def test_a_window_survives_being_killed_again_and_again(
    sandbox: Sandbox, tmp_path: Path, moment: str
) -> None:
    """Killed in every run, a window goes on by the digest of its first preview, to the same end."""
    sandbox.reset(rows=2000, partial=True)
    place = bench(
        sandbox,
        tmp_path,
        policy={"confirm": "plan", "chunk_time": "1ms"},
        smoke={"host": "app1", "command": suite(tmp_path), "folder": str(tmp_path)},
    )
    before = place.schema()
    assert place.run("backup", plan=_digest(place, "backup")).status == 0
    chosen: dict[str, Any] = {"first": "migrate", "triggers": True}
    digest = _digest(place, "run", **chosen)
    said = ("first=migrate", "triggers=yes", f"plan={digest}")
    assert 1 <= deaths(place, "run", moment, *said) < TRIES
    again = place.run("run", dry_run=True, **chosen).document
    kinds = {step["kind"] for step in again["planned"] if not step["done"]}
    assert kinds == {"skip", "check", "proof"}
    once(place)
    made = "SHOW TRIGGERS FROM vaulteer LIKE 'event_attendance_audit'"
    assert len(place.sandbox.query(made)) == 2
    assert place.run("verify").status == 0
    for undo in ("export", "rollback"):
        assert place.run(undo, plan=_digest(place, undo)).status == 0
    assert place.schema() == before
    assert not place.sandbox.query(made)


def _digest(place: Bench, command: str, **options: Any) -> str:
    return str(place.run(command, dry_run=True, **options).document["plan"])


def test_a_killed_run_is_told_and_its_plan_may_go_on(mariadb: Sandbox, tmp_path: Path) -> None:
    """Status names the interrupted run, and its own --plan digest still lets the rest run."""
    place = bench(mariadb, tmp_path, policy={"confirm": "plan"})
    digest = place.run("migrate", dry_run=True).document["plan"]
    done = subprocess.run(
        [sys.executable, "-c", _DIES_WITH_PLAN, str(place.folder), digest],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert "interrupted" in place.run("status").said
    ran = place.run("migrate", plan=digest)
    assert (ran.status, ran.document["outcome"]) == (0, "changed")


def test_other_runs_do_not_use_up_an_approval(mariadb: Sandbox, tmp_path: Path) -> None:
    """A killed window goes on by its digest after another run, until it is done; that is said."""
    place, digest = _window(mariadb, tmp_path, "1")
    assert place.run("migrate", plan=_digest(place, "migrate")).status == 0
    ran = place.run("run", plan=digest, **WINDOW)
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why
    again = place.run("run", plan=digest, **WINDOW)
    assert (again.status, "has done all of that one" in again.said) == (3, True)


UNDOING: dict[str, tuple[tuple[tuple[str, dict[str, Any]], ...], str]] = {
    "a rollback": ((("export", {}), ("rollback", {})), "rollback was run (run "),
    "triggers --remove": ((("triggers", {"remove": True}),), "something was undone since then"),
    "a hand": ((), "event_participants.attendance_status, was no step of it"),
}


@pytest.mark.parametrize("undone", UNDOING)
def test_an_approval_does_not_make_again_what_was_undone(
    mariadb: Sandbox, tmp_path: Path, undone: str
) -> None:
    """What somebody took away since a window was killed stays away; why is said."""
    runs, said = UNDOING[undone]
    mariadb.reset(rows=2000, partial=True)
    place, digest = _window(mariadb, tmp_path, "validate:0")
    for command, options in runs:
        assert place.run(command, plan=_digest(place, command, **options), **options).status == 0
    if not runs:
        mariadb.query(
            "ALTER TABLE vaulteer.event_participants DROP INDEX"
            " idx_participants_event_attendance, DROP COLUMN attendance_status"
        )
    before = place.schema()
    ran = place.run("run", plan=digest, **WINDOW)
    assert (ran.status, said in ran.said) == (3, True), ran.why
    assert place.schema() == before


WINDOW: dict[str, Any] = {"first": "migrate", "triggers": True}


def _window(sandbox: Sandbox, folder: Path, moment: str) -> tuple[Bench, str]:
    """Return a bench whose window was killed at `moment`, and its digest."""
    place = bench(sandbox, folder, policy={"confirm": "plan"})
    assert place.run("backup", plan=_digest(place, "backup")).status == 0
    digest = _digest(place, "run", **WINDOW)
    assert killed(place, "run", moment, "first=migrate", "triggers=yes", f"plan={digest}")
    return place, digest


_DIES_WITH_PLAN = """
import sys
from pathlib import Path
from runbook.command.commands import COMMANDS
from runbook.options import Options
from runbook.command.session import main
from tests.killed import MOMENTS
MOMENTS["before its ledger row is closed"]()
main(COMMANDS["migrate"], "test", Options(as_json=True, plan=sys.argv[2]), Path(sys.argv[1]))
"""
