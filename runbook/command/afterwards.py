"""What to say when a run ended early or its checks do not hold: the state, and what to type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.errors import Lost, Outcome, RunbookError
from runbook.plan.plan import Level, Plan
from runbook.plan.steps import Follow
from runbook.units import counted

DONE = (Outcome.OK, Outcome.CHANGED)
UNDO = {"migrate": "rollback {}", "triggers": "triggers {} --remove"}
"""What undoes the statements of a phase, as it is typed; the first covers the other."""
WRITES = {"statement", "chunks", "runner"}

Ended = Sequence[Mapping[str, object]]
"""The steps that ended, as the document has them."""


def after_failed_checks(plan: Plan, ended: Ended) -> str:
    """Say what to do about checks that do not hold, which were told one by one."""
    ahead = (f.detail for f in plan.findings if f.level is Level.PENDING and not plan.pending)
    after = (f"Next: {plan.next}",) if plan.next else ()
    return "\n".join((*ahead, *after, *_undo(plan, ended), _where(plan)))


def after_error(plan: Plan, ended: Ended, error: RunbookError, resume: str) -> str:
    """Say what state things are in, what resumes and what undoes."""
    still = ("What was in hand may still be going on.",) if isinstance(error, Lost) else ()
    return "\n".join(
        (
            *((error.advice,) if error.advice else ()),
            reached(plan, ended),
            *still,
            f"Resume: {resume}",
            *_undo(plan, ended),
            _where(plan),
        )
    )


def resuming(plan: Plan, ended: Ended, digest: str | None) -> str:
    """Return what is typed to go on with a plan that was approved by `digest`, if by any.

    Where all is done but to follow the logs, that is just following them: the
    run's ledger is closed by then, and nothing else is to be done again.
    """
    over = {n["number"] for n in ended if n["outcome"] in {*DONE, Outcome.SKIPPED}}
    left = (s for n, s in enumerate(plan.steps, start=1) if n not in over and not s.rescues)
    if isinstance(next(left, None), Follow) and (alone := following(plan)):
        return alone
    return f"{plan.command} --plan={digest}" if digest else plan.command


def following(plan: Plan) -> str:
    """Return what is typed to only follow the logs as a window does at its end, if it does."""
    found = (step for step in plan.steps if isinstance(step, Follow) and step.phase != plan.phase)
    step = next(found, None)
    return f"invoke {step.phase} --env={plan.environment} --hours={step.hours:g}" if step else ""


def _undo(plan: Plan, ended: Ended) -> tuple[str, ...]:
    """Say what undoes what was changed so far, if anything was that can be undone."""
    changed = (step for step in ended if step["outcome"] == Outcome.CHANGED or step.get("part"))
    phases = {step["phase"] for step in changed if step["kind"] in WRITES}
    undo = next((typed for phase, typed in UNDO.items() if phase in phases), None)
    return (f"Undo: invoke {undo.format(f'--env={plan.environment}')}",) if undo else ()


def reached(plan: Plan, ended: Ended) -> str:
    """Say how many steps are done, what of another one is, and which is the first that is not."""
    ahead = {n: step for n, step in enumerate(plan.steps, start=1) if not step.rescues}
    outcomes = {step["number"]: step["outcome"] for step in ended if step["number"] in ahead}
    done = [outcome for outcome in outcomes.values() if outcome in DONE]
    changed = counted(done.count(Outcome.CHANGED), "change")
    part = "".join(f" and part of one: {part}" for step in ended if (part := step.get("part")))
    said = f"{len(done)} of {counted(len(ahead), 'step')} done, with {changed}{part}"
    for number, step in ahead.items():
        outcome = outcomes.get(number)
        if outcome not in DONE:
            word = "in doubt" if outcome == Outcome.UNKNOWN else "next"
            return f"{said}; {word}: {number}, {step.title}"
    return said


def _where(plan: Plan) -> str:
    return f"Where it stands: invoke status --env={plan.environment}"
