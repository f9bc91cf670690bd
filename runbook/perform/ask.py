"""Performs a manual step: asks the operator, or takes the answer that was given beforehand."""

from __future__ import annotations

from runbook.errors import Interrupted, Outcome
from runbook.perform.run import Result, Run
from runbook.plan.steps import Ask
from runbook.visible import clean

NO = {"", "n", "no"}


def perform(step: Ask, run: Run) -> Result:
    """Return the answer as the step's detail.

    Raises:
        Interrupted: the operator said no, or nothing.
    """
    try:
        answer = clean(step.answer or run.ask(step.text)).strip()
    except KeyboardInterrupt:
        raise Interrupted(f"stopped at {step.title}: no answer") from None
    run.keep_lock(every=0.0)
    if answer.lower() in NO:
        raise Interrupted(f"stopped at {step.title}: the answer was {answer or 'empty'}")
    return Result(Outcome.OK, answer)
