"""Performs a command on a host."""

from __future__ import annotations

from runbook.errors import Outcome, StepFailed
from runbook.run import Result, Run
from runbook.steps import Command


def perform(step: Command, run: Run) -> Result:
    """Run the command; its last line of output is the detail.

    Raises:
        StepFailed: it exited with anything but 0.
    """
    stdin = run.credentials() if step.credentials else ""
    done = run.hosts.run(step.where, step.text, stdin=stdin, timeout=step.timeout)
    if not done.ok:
        raise StepFailed(
            f"{step.where}: exit status {done.status}: {step.title}", output=done.tail()
        )
    lines = done.out.strip().splitlines()
    outcome = Outcome.CHANGED if step.changes else Outcome.OK
    return Result(outcome, lines[-1] if lines else "", output=done.tail())
