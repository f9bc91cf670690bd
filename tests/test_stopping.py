"""Ctrl-C: what it stops, and what is said afterwards about the state of things."""

from __future__ import annotations

import dataclasses
import signal
import time
from pathlib import Path

from runbook.command.afterwards import after_error, reached
from runbook.errors import Interrupted, Lost
from runbook.plan.plan import Plan
from runbook.plan.statements import Statement
from sandbox.processes import recorded
from sandbox.sandbox import Sandbox
from tests.support import bench

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
