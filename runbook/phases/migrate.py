"""Migrate: what the change's files still want here, with the backup before and verify after."""

from __future__ import annotations

from runbook.database.book import Book
from runbook.environment import Environment
from runbook.hosts.jobs import State
from runbook.options import Options
from runbook.phases import ahead, backup, estimates, runner, verify
from runbook.phases.wanted import Facts, Wanted, resumes
from runbook.plan.plan import Plan
from runbook.plan.statements import Chunks, Record, Statement
from runbook.plan.steps import Step
from runbook.site import Site
from runbook.sql.change import Change
from runbook.sql.text import algorithm
from runbook.units import counted

PHASE = "migrate"


def prepare(site: Site, options: Options) -> Plan:
    """Look at everything at once and return preflight, backup, migration and verify as one plan."""
    environment, change = site.environment, site.change
    facts = ahead.look(site)
    planned, *instead = (
        _steps(environment, change, facts, fresh=options.fresh, counting=counting)
        for counting in backup.Counting
    )
    found = ahead.findings(environment, facts)
    return Plan(environment.name, PHASE, change.name, planned, found, instead=tuple(instead))


def _steps(
    environment: Environment,
    change: Change,
    facts: ahead.Facts,
    *,
    fresh: bool,
    counting: backup.Counting,
) -> tuple[Step, ...]:
    """Return the whole plan's steps; none where the look could not see enough to plan."""
    if facts.wanted is None or facts.dumps is None:
        return ()
    changing = steps(environment, change, facts.wanted, facts.runner)
    needed = any(not step.done and not isinstance(step, Record) for step in changing)
    before = (
        # A dump from before an undo still holds what was undone.
        backup.steps(
            environment,
            facts.dumps,
            fresh=fresh,
            newest=facts.wanted.book.undone,
            counting=counting,
        )
        if needed
        else ()
    )
    return (*facts.wanted.records, *before, *changing, *verify.steps(environment, change))


def steps(
    environment: Environment, change: Change, facts: Facts, own: State | None
) -> tuple[Step, ...]:
    """Return the migration's statements; what is there already is shown as done.

    Where the application's own runner migrates (`own` is its job), it stands in
    place of those that are not done.
    """
    statements = tuple(_step(environment, change, facts.book, wanted) for wanted in facts.wanted)
    if environment.runner is None:
        return statements
    done = tuple(step for step in statements if step.done)
    return (*done, *runner.steps(environment, environment.runner, change, facts, own))


def _step(environment: Environment, change: Change, book: Book, wanted: Wanted) -> Statement:
    choice = wanted.choice
    plain = Statement(
        phase=PHASE,
        title=_title(wanted),
        where=environment.database.label,
        text=choice.text,
        origin=choice.origin,
        found=_found(wanted),
        cost=_cost(environment, wanted),
        done=wanted.done,
        timeout=environment.timeouts.statement,
        estimate=wanted.seconds,
        undo=0.0 if wanted.span else estimates.METADATA,
        change=change.name,
        table=wanted.table,
        checksum=wanted.file.checksum,
    )
    if not wanted.span:
        return plain
    entry = resumes(book, change, wanted)
    return Chunks(
        **vars(plain), span=wanted.span, key=wanted.key, resume=entry.id if entry else None
    )


def _title(wanted: Wanted) -> str:
    choice = wanted.choice
    if choice.about:
        return choice.about
    if choice.done:
        return choice.origin.rpartition("/")[2]
    return " ".join(choice.text.split())[:72]


def _found(wanted: Wanted) -> str:
    if wanted.span:
        return (
            "its rows cannot be counted yet"
            if wanted.todo is None
            else f"{counted(wanted.todo, 'row')} to do"
        )
    return wanted.choice.found or ("there already" if wanted.done else "")


def _cost(environment: Environment, wanted: Wanted) -> str:
    if wanted.done:
        return ""
    if wanted.span:
        each = environment.policy.chunk_time * 1000
        ranges = f"transactions of about {each:.0f} ms"
        filled = wanted.filled
        return ranges if filled is None else f"{estimates.backfill(filled)}, in {ranges}"
    named = algorithm(wanted.choice.text)
    rows = "" if wanted.rows is None else f"about {counted(wanted.rows, 'row')}"
    if named == "INSTANT":
        return f"INSTANT: only metadata; {rows or 'no rows'}"
    if named == "INPLACE" and wanted.rows is not None:
        return f"INPLACE: {rows}, {estimates.index(wanted.rows)}; writers go on"
    return rows
