"""Performs a manual step: asks the operator, or takes the answer that was given beforehand."""

from __future__ import annotations

from runbook.errors import Interrupted, Outcome
from runbook.run import Result, Run
from runbook.steps import Ask

NO = {"", "n", "no"}


def perform(step: Ask, run: Run) -> Result:
    """Return the answer as the step's detail.

    Raises:
        Interrupted: the operator said no, or nothing.
    """
    answer = (step.answer or run.ask(step.text)).strip()
    run.keep_lock(every=0.0)
    if answer.lower() in NO:
        raise Interrupted(f"stopped at {step.title}: the answer was {answer or 'empty'}")
    return Result(Outcome.OK, answer)
