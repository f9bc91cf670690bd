"""A plan as text: the one source for the dry run, the console and the journal."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.database import ledger
from runbook.database.lock import TAKE_LOCK
from runbook.database.settings import writer_settings
from runbook.environment import Environment
from runbook.perform.chunks import RANGE
from runbook.steps import Chunks, Finding, Level, Plan, Record, Statement, Step


def plan_text(plan: Plan, environment: Environment) -> str:
    """Return the whole preview of a plan, as plain lines."""
    return "\n".join(_plan_lines(plan, environment)) + "\n"


def question_text(plan: Plan, environment: Environment) -> str:
    """Return what a person must see to confirm a plan: where, what, and the SQL that changes."""
    lines = [
        head(plan),
        f"{environment.name}: {environment.about}",
        f"database {environment.database.name} at {environment.database.address.host}:"
        f"{environment.database.address.port} through {environment.database.via}",
        *(f"note: {note}" for note in plan.notes),
        *(finding_line(f) for f in plan.findings if f.level is not Level.OK),
        "",
    ]
    for number, step in enumerate(plan.steps, start=1):
        lines.append(f"{step_head(number, step)}{_in_short(step)}")
        if isinstance(step, Statement) and not step.done:
            lines += [f"      | {line}" for text in step.sent for line in text.splitlines()]
    lines += ["", f"Every text of it: {plan.command} --dry-run"]
    return "\n".join(lines) + "\n"


def head(plan: Plan) -> str:
    """Return the line that names a plan."""
    change = f" · {plan.change}" if plan.change else ""
    return f"{plan.phase} {plan.environment}{change} · plan {plan.digest}"


def step_head(number: int, step: Step) -> str:
    """Return the line that names a step within its plan."""
    state = "done" if step.done else "change" if step.changes else "read"
    return f"{number:>2}  {step.phase:<9} {state:<6} {step.where}: {step.title}"


def step_lines(step: Step) -> Iterator[str]:
    """Yield what stands under a step's head: origin, state found, cost, exact text."""
    for label, said in (("from", step.origin), ("found", step.found), ("cost", step.cost)):
        if said:
            yield f"{label:<5} {said}"
    if not step.done:
        for text in step.sent:
            yield from (f"  | {line}" for line in text.splitlines())


def finding_line(finding: Finding) -> str:
    """Return one finding as a line; its advice follows an arrow."""
    advice = f" → {finding.advice}" if finding.advice and finding.level is not Level.OK else ""
    return f"{finding.level:<8} {finding.where}: {finding.what}: {finding.detail}{advice}"


def around(plan: Plan, environment: Environment) -> tuple[str, ...]:
    """Return what the writing session sends besides the steps' own texts.

    A word such as `:run` stands for a value of that run.
    """
    if not plan.pending:
        return ()
    opening = (*writer_settings(environment), TAKE_LOCK.replace("%s", ":lock"))
    if not any(isinstance(step, (Statement, Record)) for step in plan.pending):
        return opening
    texts = [*opening, ledger.CREATE, ledger.OPEN_RUN, ledger.STARTED]
    if any(isinstance(step, Chunks) for step in plan.pending):
        texts += ["START TRANSACTION", _named(RANGE, "from", "to"), ledger.REACHED, "COMMIT"]
    return (*texts, ledger.FINISHED, ledger.CLOSE_RUN)


def _plan_lines(plan: Plan, environment: Environment) -> Iterator[str]:
    yield head(plan)
    yield from (f"note: {note}" for note in plan.notes)
    if plan.findings:
        yield ""
        yield from (finding_line(f) for f in plan.findings)
    for number, step in enumerate(plan.steps, start=1):
        yield ""
        yield step_head(number, step)
        yield from (f"    {line}" for line in step_lines(step))
    if texts := around(plan, environment):
        yield ""
        yield "The writing session also sends, around these steps:"
        for text in texts:
            yield from (f"      | {line}" for line in text.splitlines())
    if plan.steps:
        yield ""
        yield "In short:"
        yield from (
            f"{step_head(n, step)}{_in_short(step)}" for n, step in enumerate(plan.steps, 1)
        )
        yield ""
        yield from _ending(plan)


def _in_short(step: Step) -> str:
    said = ", ".join(said for said in (step.found, step.cost) if said)
    return f" ({said})" if said else ""


def _ending(plan: Plan) -> Iterator[str]:
    count = len(plan.pending)
    if plan.refusals:
        yield from (finding_line(finding) for finding in plan.refusals)
        yield "This plan may not run."
    elif not count:
        yield "Nothing to change."
    else:
        yield (
            f"{count} of {len(plan.steps)} steps change something. To run exactly this: "
            f"{plan.command} --plan={plan.digest}"
        )


def _named(text: str, *names: str) -> str:
    for name in names:
        text = text.replace("%s", f":{name}", 1)
    return text
