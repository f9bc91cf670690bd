"""Status: where the environment stands, from looking at it, and what to type next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from runbook.database import lock
from runbook.database.ledger import Book
from runbook.environment import Environment
from runbook.options import Options
from runbook.phases import backup, wanted
from runbook.phases.wanted import Wanted
from runbook.site import Site
from runbook.steps import Finding, Level, Plan
from runbook.units import counted


def prepare(site: Site, _options: Options) -> Plan:
    """Look, and return a plan of no steps whose findings are the state of things."""
    environment, change = site.environment, site.change
    with ThreadPoolExecutor(max_workers=1) as pool:
        dumps = pool.submit(backup.look, site)
        facts = wanted.look(site)
        holder = lock.holder(site.reader, environment)
        saved = backup.findings(environment, dumps.result())
    rows = (
        _lock(environment, holder),
        *saved,
        *(_statement(environment, one) for one in facts.wanted),
        *_interrupted(environment, facts.book, change.name, bool(holder)),
        *(replace(f, level=Level.WARNING) for f in wanted.findings(environment, facts)),
    )
    notes = (f"next: {_next(environment, facts, holder)}",)
    return Plan(environment.name, "status", change.name, (), rows, notes)


def _lock(environment: Environment, holder: str) -> Finding:
    return Finding(
        "lock",
        environment.database.label,
        Level.WARNING if holder else Level.OK,
        f"held by {holder}" if holder else "nobody is working here",
        "Wait until that run has ended." if holder else "",
    )


def _statement(environment: Environment, one: Wanted) -> Finding:
    choice = one.choice
    if one.done:
        detail = f"done ({choice.found})" if choice.found else "done"
    elif one.todo is not None:
        detail = f"not done: {counted(one.todo, 'row')} left"
    else:
        detail = f"not done ({choice.found})" if choice.found else "not done"
    level = Level.OK if one.done else Level.PENDING
    return Finding(choice.about or choice.origin, environment.database.label, level, detail)


def _interrupted(
    environment: Environment, book: Book, change: str, running: bool
) -> tuple[Finding, ...]:
    if running:
        return ()
    run = book.interrupted()
    left = book.leftovers(change)
    if run is None and not left:
        return ()
    who = f"run {run.run} ({run.phase}) by {run.operator} on {run.host}" if run else "a run"
    return (
        Finding(
            "interrupted run",
            environment.database.label,
            Level.WARNING,
            f"{who} was cut off, {counted(len(left), 'statement')} unfinished",
            "The same command again looks at the schema and does what is left.",
        ),
    )


def _next(environment: Environment, facts: wanted.Facts, holder: str) -> str:
    env = f"--env={environment.name}"
    if holder:
        return f"invoke status {env}"
    if all(one.done for one in facts.wanted):
        return f"nothing to do; invoke verify {env} checks it"
    return f"invoke migrate {env} --dry-run"
