"""Performs a wait: asks a host again and again until it is well, or for too long."""

from __future__ import annotations

import time

from runbook.errors import Lost, Outcome, Refusal, StepFailed
from runbook.hosts.remote import Finished
from runbook.perform.run import Result, Run
from runbook.plan.steps import Wait
from runbook.units import age

ENDED_BY_LIMIT = 124


def perform(step: Wait, run: Run) -> Result:
    """Return when the host has been well for as long as the step wants.

    A host that does not answer is one that is not well yet.

    Raises:
        StepFailed: it was not within the step's time; says what it last was.
        Interrupted: the operator stopped.
    """
    began = time.monotonic()
    since: float | None = None
    while True:
        problem, output = _problem(step, run)
        now = time.monotonic()
        if problem:
            since = None
        elif since is None:
            since = now
        if since is not None and now - since >= step.steady:
            return Result(Outcome.OK, f"after {age(since - began)}")
        if problem and now - began > step.timeout:
            raise StepFailed(
                f"{step.where}: not well within {age(step.timeout)}: {problem}",
                output=(*_last_words(step, run), *output),
            )
        run.progress(0, "", note=problem or f"well for {age(now - (since or now))}")
        run.keep_lock()
        run.brake.pause(step.every)


def _problem(step: Wait, run: Run) -> tuple[str, tuple[str, ...]]:
    """Ask once; return what is not well (nothing: it is), and the output that says so."""
    try:
        for check in step.checks:
            asked = run.hosts.run(step.where, check)
            if not asked.ok:
                return f"its health check {_ended(asked)}", asked.tail()
        told = run.hosts.run(step.where, step.report)
    except (Lost, Refusal) as error:
        return error.message, error.output
    if not told.ok:
        return f"which release runs cannot be told: it {_ended(told)}", told.tail()
    if told.out.strip() != step.expected:
        return f"it runs {told.out.strip() or 'nothing'}, not {step.expected}", told.tail()
    return "", ()


def _last_words(step: Wait, run: Run) -> tuple[str, ...]:
    if not step.logs:
        return ()
    try:
        return run.hosts.run(step.where, step.logs).tail()
    except (Lost, Refusal):
        return ()


def _ended(asked: Finished) -> str:
    if asked.status == ENDED_BY_LIMIT:
        return "gave no answer in time"
    last = asked.tail(1)
    return f"ended with status {asked.status}{f': {last[0]}' if last else ''}"
