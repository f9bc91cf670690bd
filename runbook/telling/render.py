"""A plan as text: the one source for the dry run, the question, the console and the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from runbook.database import ledger
from runbook.database.lock import GIVE_LOCK_BACK, TAKE_LOCK
from runbook.database.settings import writer_settings
from runbook.environment import Environment
from runbook.events import CheckRow
from runbook.perform.chunks import RANGE
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Chunks, Statement
from runbook.plan.steps import Runner, Step
from runbook.telling.folding import folded
from runbook.units import counted, listed

CODE = "code"
TYPED = "typed"
HEAD = "head"
MANY = 3


@dataclass(frozen=True)
class Line:
    """One line of a preview; what does not fit is continued beside its `lead`.

    `style` is a level, `head`, or nothing; `code` (what is sent) and `typed`
    (what a person types) are to be copied, and never broken into lines.
    """

    rest: str
    style: str = ""
    lead: str = ""

    @property
    def text(self) -> str:
        """The whole line."""
        return self.lead + self.rest


def plan_text(plan: Plan, environment: Environment, *, full: bool = False) -> str:
    """Return the whole preview of a plan, as plain lines."""
    return "".join(f"{line.text}\n" for line in preview(plan, environment, full=full))


def preview(plan: Plan, environment: Environment, *, full: bool = False) -> Iterator[Line]:
    """Yield the preview of a plan: what matters, each step's texts, and what matters again.

    Unless `full`, a part of a script that is a file of this program is named
    instead of shown.
    """
    yield Line(head(plan), HEAD)
    yield from _about(environment)
    yield from _findings(plan)
    if plan.steps:
        yield Line("")
        for number, step in enumerate(plan.steps, start=1):
            yield _head(number, step)
        for number, step in enumerate(plan.steps, start=1):
            yield Line("")
            yield _head(number, step, HEAD)
            yield from _labelled(step)
            if not step.done:
                yield from _code(step.sent, full=full)
        if texts := around(plan, environment):
            yield Line("")
            yield Line("The writing session also sends, around these steps:")
            yield from _code(texts, full=True)
        yield from _in_short(plan)
    yield Line("")
    if not full and _folds(plan):
        yield Line("A + stands for a file of this program, and its checksum. All of it whole:")
        yield Line(f"{plan.command} --dry-run --full", TYPED)
    yield from _ending(plan)


def question(plan: Plan, environment: Environment) -> Iterator[Line]:
    """Yield what a person must see to confirm a plan; the essentials come last."""
    for number, step in enumerate(plan.steps, start=1):
        short = isinstance(step, Statement) or "\n" not in step.text
        if step.changes and not step.done and short:
            yield _head(number, step, HEAD)
            yield from _code(step.sent, full=True)
    yield from _in_short(plan)
    yield Line("")
    yield from _about(environment)
    yield from _findings(plan)
    yield Line(f"{_count(plan)} something. Every text of it:")
    yield Line(f"{plan.command} --dry-run", TYPED)


def head(plan: Plan) -> str:
    """Return the line that names a plan."""
    change = f" · {plan.change}" if plan.change else ""
    return f"{plan.phase} {plan.environment}{change} · plan {plan.digest}"


def step_head(number: int, step: Step) -> str:
    """Return the line that names a step within its plan."""
    return _head(number, step).text


def finding_line(finding: Finding) -> str:
    """Return one finding as a line; its advice follows an arrow."""
    return _finding(finding).text


def by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in their order, but what weighs more after what weighs less."""
    return tuple(sorted(findings, key=lambda finding: list(Level).index(finding.level)))


def next_line(plan: Plan) -> Line:
    """Return the line that says what to type next."""
    return Line(plan.next, TYPED, f"{'next':<8} ")


def mismatches(rows: Iterable[CheckRow]) -> Iterator[str]:
    """Yield what does not hold, a line a row, but one for many that are alike."""
    alike: dict[str, list[CheckRow]] = {}
    for row in rows:
        if not row.holds:
            alike.setdefault(row.actual, []).append(row)
    for actual, group in alike.items():
        if len(group) > MANY:
            yield f"{len(group)} are {actual}: {listed(tuple(row.name for row in group))}"
        else:
            yield from (f"{r.name}: expected {r.expected}, is {r.actual}" for r in group)


def around(plan: Plan, environment: Environment) -> tuple[str, ...]:
    """Return what the writing session sends besides the steps' own texts.

    A word such as `:run` stands for a value of that run.
    """
    if not plan.pending:
        return ()
    opening = (*writer_settings(environment), TAKE_LOCK.replace("%s", ":lock"))
    closing = () if plan.steps[-1].locked else (GIVE_LOCK_BACK.replace("%s", ":lock"),)
    if not plan.recorded:
        return (*opening, *closing)
    writes = any(isinstance(step, Statement | Runner) for step in plan.pending)
    texts = [
        *opening,
        ledger.CREATE,
        ledger.OPEN_RUN,
        *((ledger.STARTED, ledger.AGAIN) if writes else ()),
    ]
    if any(isinstance(step, Chunks) for step in plan.pending):
        texts += ["START TRANSACTION", _named(RANGE, "from", "to"), ledger.REACHED, "COMMIT"]
    return (*texts, *((ledger.FINISHED,) if writes else ()), ledger.CLOSE_RUN, *closing)


def _about(environment: Environment) -> Iterator[Line]:
    database = environment.database
    at = f"{database.address.host}:{database.address.port}"
    if environment.about:
        yield Line(f"{environment.name} is: {environment.about}")
    yield Line(f"database {database.name} at {at} through {database.via}")


def _findings(plan: Plan) -> Iterator[Line]:
    """Yield the findings that matter; all of them where they are all there is."""
    for note in plan.notes:
        yield Line(note, lead=f"{'note':<8} ")
    weighed = by_weight(plan.findings)
    shown = [f for f in weighed if f.level is not Level.OK or not plan.steps]
    fine = len(plan.findings) - len(shown)
    if fine:
        yield Line(f"{counted(fine, 'check')}, each of them in --json", "ok", f"{'ok':<8} ")
    yield from map(_finding, shown)


def _finding(finding: Finding) -> Line:
    advice = f" → {finding.advice}" if finding.advice and finding.level is not Level.OK else ""
    said = f"{finding.where}: {finding.what}: {finding.detail}{advice}"
    return Line(said, finding.level.value, f"{finding.level:<8} ")


def _head(number: int, step: Step, style: str = "") -> Line:
    happens = "rescue" if step.rescues else "change" if step.changes else "read"
    state = "done" if step.done else happens
    lead = f"{number:>2}  {step.phase:<9} {state:<6} "
    return Line(f"{step.where}: {step.title}", style, lead)


def _labelled(step: Step) -> Iterator[Line]:
    """Yield what stands under a step's head: origin, state found, cost."""
    for label, said in (("from", step.origin), ("found", step.found), ("cost", step.cost)):
        if said:
            yield Line(said, lead=f"    {label:<5} ")


def _code(texts: Iterable[str], *, full: bool) -> Iterator[Line]:
    for text in texts:
        for line in text.splitlines() if full else folded(text):
            if isinstance(line, str):
                yield Line(line, CODE, "      | ")
            else:
                yield Line(str(line), lead="      + ")


def _folds(plan: Plan) -> bool:
    """Whether a preview of this plan names a part that it does not show."""
    texts = (text for step in plan.steps if not step.done for text in step.sent)
    return any(not isinstance(line, str) for text in texts for line in folded(text))


def _in_short(plan: Plan) -> Iterator[Line]:
    """Yield what changes, a line a step below where it happens."""
    changing = [(n, s) for n, s in enumerate(plan.steps, 1) if s.changes and not s.done]
    numbered = [(n, s) for n, s in changing if not s.rescues]
    if numbered:
        yield Line("")
        yield Line("In short, what changes:")
    for (phase, where), steps in groupby(numbered, lambda each: (each[1].phase, each[1].where)):
        yield Line(f"{phase} on {where}", HEAD)
        for number, step in steps:
            cost = f" ({step.cost})" if step.cost else ""
            yield Line(f"{step.title}{cost}", lead=f"{number:>4}  ")
    if rescue := len(changing) - len(numbered):
        yield Line(f"and {counted(rescue, 'step')} more, marked rescue, only where one fails")


def _count(plan: Plan) -> str:
    pending = sum(not step.rescues for step in plan.pending)
    steps = sum(not step.rescues for step in plan.steps)
    return f"Plan {plan.digest}: {pending} of {counted(steps, 'step')} change"


def _ending(plan: Plan) -> Iterator[Line]:
    if plan.refusals:
        yield from map(_finding, plan.refusals if plan.steps else ())
        yield Line("This plan may not run; each refused line says what would satisfy it.")
    elif plan.pending:
        yield Line(f"{_count(plan)} something. To run exactly this:")
        yield Line(f"{plan.command} --plan={plan.digest}", TYPED)
    elif plan.steps:
        yield Line("Nothing to change.")
    elif plan.next:
        yield next_line(plan)


def _named(text: str, *names: str) -> str:
    for name in names:
        text = text.replace("%s", f":{name}", 1)
    return text
