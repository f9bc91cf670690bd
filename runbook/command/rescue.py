"""What is done when a step of a block has failed: the steps that rescue this block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from runbook.errors import Interrupted, RunbookError
from runbook.perform.brake import Brake
from runbook.perform.run import Result, Run
from runbook.plan.plan import Plan
from runbook.plan.steps import Step

Attempt = Callable[[int, Step, Run], Result]


def answer(plan: Plan, failed: int, error: RunbookError, run: Run, attempt: Attempt) -> None:
    """Perform what rescues the block of step `failed` (from 1), and add to `error` what came of it.

    A host of that block is put back only if the block had begun to change it;
    after a step of its rescue that fails, the rest for that host is left out.
    Who stopped on purpose wants nothing put back, and stopped at once nothing
    more sent at all.

    Raises:
        Interrupted: the operator stopped the rescue at once.
    """
    block = plan.steps[failed - 1].block
    stopped = isinstance(error, Interrupted)
    if not block or isinstance(error.__cause__, KeyboardInterrupt):
        return
    # A Ctrl-C from before must not end this; another one does, at once.
    run = dataclasses.replace(run, brake=Brake())
    begun = {s.where for s in plan.steps[:failed] if s.block == block and s.changes and not s.done}
    said: list[str] = []
    for number, step in enumerate(plan.steps, start=1):
        if block not in step.rescues or (step.block and (stopped or step.where not in begun)):
            continue
        try:
            result = attempt(number, step, run)
        except Interrupted:
            raise
        except RunbookError as second:
            begun.discard(step.where)
            said.append(f"Not put back: {second.message}")
        else:
            said += [] if step.block else [f"{step.title}: {result.detail}"]
    error.advice = "\n".join((*said, *((error.advice,) if error.advice else ())))
