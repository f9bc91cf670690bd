"""The one loop over the steps of a plan."""

from __future__ import annotations

import dataclasses
import time
from functools import partial

from runbook.command import rescue
from runbook.errors import Interrupted, Outcome, Refusal, RunbookError, StepFailed
from runbook.events import StepFinished, StepStarted
from runbook.perform import (
    ask,
    check,
    chunks,
    command,
    export,
    fetch,
    fetch_export,
    follow,
    guarded,
    job,
    proof,
    runner,
    scan,
    statement,
    suite,
    survey,
    trial,
    wait,
)
from runbook.perform.run import Result, Run
from runbook.plan.plan import Plan
from runbook.plan.statements import (
    Check,
    Chunks,
    Compare,
    Export,
    Guarded,
    Proof,
    Record,
    Statement,
    Trial,
)
from runbook.plan.steps import (
    Ask,
    Command,
    Expect,
    Fetch,
    FetchExport,
    Follow,
    Job,
    Runner,
    Scan,
    Skip,
    Step,
    Suite,
    Survey,
    Wait,
)


def execute(plan: Plan, run: Run) -> Outcome:
    """Perform every step in order and return how the whole ended.

    When a step fails, what rescues its block is performed before that is raised.
    After a check that does not hold the other checks still run, so that all
    that is wrong is seen at once, but nothing is changed any more, and what
    was to be so after the changes is not asked.

    Raises:
        RunbookError: a step could not be done; the step's own event was told before.
        Interrupted: a step was not begun, since its window is too short for it.
    """
    outcome, skipped = Outcome.OK, False
    locked = [number for number, step in enumerate(plan.steps, start=1) if step.locked]
    for number, step in enumerate(plan.steps, start=1):
        if locked and number == locked[-1] + 1:
            run.settle(outcome)
        if step.rescues:
            continue
        if step.done:
            run.tell(StepFinished(number, step, Outcome.OK, 0.0, step.found))
            continue
        if outcome is Outcome.FAILED and (
            step.changes
            or isinstance(step, Ask | Follow)
            or (skipped and isinstance(step, Compare))
        ):
            skipped = skipped or step.changes
            run.tell(StepFinished(number, step, Outcome.SKIPPED, 0.0, "a check above failed"))
            continue
        admit = partial(run.gate.admit, plan, number - 1)
        admit()
        try:
            result = _step(number, step, dataclasses.replace(run, admit=admit))
        except RunbookError as error:
            rescue.answer(plan, number, error, run, _step)
            raise
        if result.outcome is Outcome.FAILED:
            outcome = Outcome.FAILED
        elif result.outcome is Outcome.CHANGED and outcome is Outcome.OK:
            outcome = Outcome.CHANGED
    return outcome


def _step(number: int, step: Step, run: Run) -> Result:
    run.brake.check()
    began = time.monotonic()
    run.tell(StepStarted(number, step))
    try:
        if step.changes:
            run.keep_lock(every=0.0)
        result = perform(step, dataclasses.replace(run, number=number))
        if step.changes and not isinstance(step, Statement | Record):
            run.keep_lock(every=0.0)  # what a host did is a success only while the lock was ours
    except KeyboardInterrupt as error:
        stopped = Interrupted(
            f"stopped at once; {step.title} may still be running on {step.where}",
            running=True,
        )
        _told(number, step, run, stopped, began)
        raise stopped from error
    except Refusal as error:  # "nothing was touched" would not be true any more
        failed = StepFailed(error.message, advice=error.advice, output=error.output)
        _told(number, step, run, failed, began)
        raise failed from error
    except RunbookError as error:
        _told(number, step, run, error, began)
        raise
    took = time.monotonic() - began
    run.tell(
        StepFinished(
            number, step, result.outcome, took, result.detail, result.checks, result.output
        )
    )
    return result


def _told(number: int, step: Step, run: Run, error: RunbookError, began: float) -> None:
    took = time.monotonic() - began
    part = run.part(number)
    run.tell(
        StepFinished(
            number, step, error.outcome, took, error.message, output=error.output, part=part
        )
    )


def perform(step: Step, run: Run) -> Result:
    """Perform one step, by its kind."""
    match step:
        case Suite():
            return suite.perform(step, run)
        case Runner():
            return runner.perform(step, run)
        case Job():
            return job.perform(step, run)
        case Wait():
            return wait.perform(step, run)
        case Expect():
            return command.expect(step, run)
        case Scan():
            return scan.perform(step, run)
        case Command():
            return command.perform(step, run)
        case Chunks():
            return chunks.perform(step, run)
        case Guarded():
            return guarded.perform(step, run)
        case Statement():
            return statement.perform(step, run)
        case Record():
            return statement.record(step, run)
        case Proof():
            return proof.perform(step, run)
        case Check():
            return check.perform(step, run)
        case Follow():
            return follow.perform(step, run)
        case Ask():
            return ask.perform(step, run)
        case Skip():
            return Result(Outcome.SKIPPED, step.text)
        case Survey():
            return survey.perform(step, run)
        case Trial():
            return trial.perform(step, run)
        case Compare():
            return check.compare(step, run)
        case Export():
            return export.perform(step, run)
        case FetchExport():
            return fetch_export.perform(step, run)
        case Fetch():
            return fetch.perform(step, run)
        case _:
            raise StepFailed(f"no way to perform a {type(step).__name__}")
