"""Performs a command on a host, and one whose output is expected."""

from __future__ import annotations

from runbook.errors import Outcome, StepFailed
from runbook.hosts.remote import Finished
from runbook.perform.run import Result, Run
from runbook.plan.steps import Command, Expect


def perform(step: Command, run: Run) -> Result:
    """Run the command; its last line of output is the detail.

    Raises:
        StepFailed: it exited with anything but 0.
    """
    done = _done(step, run)
    lines = done.out.strip().splitlines()
    outcome = Outcome.CHANGED if step.changes else Outcome.OK
    return Result(outcome, lines[-1] if lines else "", output=done.tail())


def expect(step: Expect, run: Run) -> Result:
    """Run the command and compare the whole of what it prints.

    Raises:
        StepFailed: that is not what is expected, or it exited with anything but 0.
    """
    done = _done(step, run)
    said = done.out.strip()
    if said == step.expected:
        return Result(Outcome.OK, "as expected")
    raise StepFailed(
        f"{step.where}: {step.title}: expected {step.expected}, is {said or 'nothing'}",
        output=done.tail(),
    )


def _done(step: Command, run: Run) -> Finished:
    stdin = run.credentials() if step.credentials else ""
    done = run.hosts.run(step.where, step.text, stdin=stdin, timeout=step.timeout)
    if not done.ok:
        raise StepFailed(
            f"{step.where}: exit status {done.status}: {step.title}", output=done.tail()
        )
    return done
