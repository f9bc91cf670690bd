"""Ctrl-C: what it stops, and what is said afterwards about the state of things."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runbook.command.afterwards import after_error, reached
from runbook.errors import Interrupted, Lost
from runbook.plan.plan import Plan
from runbook.plan.statements import Statement
from sandbox.processes import recorded
from sandbox.sandbox import Sandbox
from tests.support import DOCUMENT, PROJECT, Bench, backfilling, bench, lean
from tests.terminal import terminal

STEP = Statement(
    phase="migrate",
    title="column t.a",
    where="shop@db1",
    text="ALTER TABLE t ADD a INT",
    change="shop",
    table="t",
    checksum="0" * 64,
)
STEPS = (STEP, *(dataclasses.replace(STEP, title=f"column t.{c}") for c in "bc"))
PLAN = Plan("staging", "migrate", "shop", STEPS, command="invoke migrate --env=staging")


def test_ctrl_c_in_a_look_ends_it_at_once(mariadb: Sandbox, tmp_path: Path) -> None:
    """A look that waits for a silent host is not waited for: nothing was changed, status 130."""
    place = bench(mariadb, tmp_path)
    silent = recorded(mariadb.root / "app1")
    assert silent
    silent.send(signal.SIGSTOP)
    try:
        with place.start("preflight", "--env=test") as looking:
            time.sleep(3)
            began = time.monotonic()
            looking.send_signal(signal.SIGINT)
            out, _ = looking.communicate(timeout=30)
    finally:
        silent.send(signal.SIGCONT)
    assert looking.returncode == 130
    assert out.strip() == "stopped  stopped before anything was changed"
    assert time.monotonic() - began < 3


SLOW_IMPORT = """
import os, signal, sys
from invoke.main import program

class Stopping:
    def find_spec(self, name, *_):
        if name == "runbook.command.session":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Stopping())
program.run(["invoke", "--search-root", {folder!r}, *{words!r}])
"""
"""`invoke …` that is asked to stop while it imports what the command needs."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_heard_before_the_program_is_there(
    mariadb: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """Asked right at the start, any command ends with 130, in words or as a document."""
    place = bench(mariadb, tmp_path)

    def typed(*words: str) -> tuple[int, str]:
        code = SLOW_IMPORT.format(number=int(number), folder=str(place.folder), words=words)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=place.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        return done.returncode, done.stdout

    said = "stopped before anything was changed"
    assert typed("status", "--env=test") == (130, f"stopped  {said}\n")
    status, out = typed("migrate", "--env=test", "--json")
    assert status == 130
    document = json.loads(out)
    DOCUMENT.validate(document)
    assert (document["message"], document["exit_status"]) == (said, 130)


@pytest.fixture
def slow(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose migration spends a while in the backfill."""
    mariadb.reset(rows=40_000, partial=True)
    return lean(mariadb, tmp_path, policy={"chunk_time": "1ms"})


def test_a_terminal_that_is_closed_stops_a_run_as_ctrl_c_does(slow: Bench) -> None:
    """The range in hand is finished, the ledger and the journal say how it ended; then go on."""
    with terminal(slow, "migrate", "--env=test") as (process, screen):
        assert backfilling(slow.sandbox)
        os.close(screen)
        assert process.wait(timeout=60) == 130
    ((outcome,),) = slow.sandbox.query(
        "SELECT outcome FROM vaulteer.runbook_ledger WHERE entry = 'run'"
    )
    assert outcome == "stopped"
    (journal,) = (slow.folder / ".runbook" / "test" / "journal").iterdir()
    last = json.loads(journal.read_text().splitlines()[-1])
    assert (last["event"], last["outcome"]) == ("RunFinished", "stopped")
    assert "stopped as asked, between two statements" in last["message"]
    assert slow.run("migrate").status == 0


def test_being_told_twice_of_a_closed_terminal_is_no_hurry(slow: Bench) -> None:
    """The shell and the kernel both send the signal: the second is not a second Ctrl-C."""
    with slow.start("migrate", "--env=test", "--json") as process:
        assert backfilling(slow.sandbox)
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert json.loads(out)["outcome"] == "stopped"


def test_under_nohup_a_closed_terminal_stops_nothing(slow: Bench) -> None:
    """Who starts it so that the signal is ignored wants it to go on."""
    command = ("nohup", sys.executable, "-m", "invoke", "migrate", "--env=test")
    with terminal(slow, command=command) as (process, screen):
        assert backfilling(slow.sandbox)
        os.close(screen)
        assert process.wait(timeout=120) == 0
    assert slow.run("verify").status == 0


def test_the_state_of_things_is_told_in_steps() -> None:
    """How many steps are done, how many changed something, and which comes next or is in doubt."""
    first = {"number": 1, "outcome": "changed", "kind": "statement", "phase": "migrate"}
    assert reached(PLAN, []) == "0 of 3 steps done, with 0 changes; next: 1, column t.a"
    assert reached(PLAN, [first]) == "1 of 3 steps done, with 1 change; next: 2, column t.b"
    doubt = {"number": 2, "outcome": "unknown", "kind": "statement"}
    assert reached(PLAN, [first, doubt]).endswith("; in doubt: 2, column t.b")
    done = [{**first, "number": number} for number in (1, 2, 3)]
    assert reached(PLAN, done) == "3 of 3 steps done, with 3 changes"


def test_what_resumes_and_what_undoes_is_told() -> None:
    """After a stop both are named; an undo only where something was changed."""
    resume = f"{PLAN.command} --plan=0123456789ab"
    first = {"number": 1, "outcome": "changed", "kind": "statement", "phase": "migrate"}
    said = after_error(PLAN, [first], Interrupted("stopped as asked"), resume)
    assert f"Resume: {resume}" in said.splitlines()
    assert "Undo: invoke rollback --env=staging" in said.splitlines()
    assert said.splitlines()[-1] == "Where it stands: invoke status --env=staging"
    said = after_error(PLAN, [], Lost("gone", advice="Wait."), resume)
    assert "Undo" not in said
    assert said.splitlines()[0] == "Wait."
    assert "may still be going on." in said
