"""Ahead of a migration: hosts, database, backups and the change's guards, looked at together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from runbook.environment import Environment
from runbook.errors import RunbookError
from runbook.hosts.jobs import State
from runbook.options import Options
from runbook.phases import backup, preflight, runner, wanted
from runbook.phases.dumphost import Facts as Dumps
from runbook.phases.wanted import Facts as Wanted
from runbook.plan.plan import Finding, Level, Plan
from runbook.site import Site

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What was found; None for what could not be looked at, and why stands in `errors`."""

    preflight: preflight.Facts
    dumps: Dumps | None
    wanted: Wanted | None
    errors: tuple[RunbookError, ...]
    runner: State | None = None
    """The job of the application's own runner, where the inventory names one."""


def prepare(site: Site, _options: Options) -> Plan:
    """Return a plan of no steps whose findings are all that a migration would have to face."""
    environment = site.environment
    found = findings(environment, look(site))
    ready = not any(row.level is Level.REFUSED for row in found)
    after = f"invoke migrate --env={environment.name} --dry-run" if ready else ""
    return Plan(environment.name, preflight.PHASE, site.change.name, (), found, next=after)


def look(site: Site) -> Facts:
    """Look at everything at once; read-only."""
    errors: list[RunbookError] = []

    def tried(work: Callable[[], T]) -> T | None:
        try:
            return work()
        except RunbookError as error:
            errors.append(error)
            return None

    with ThreadPoolExecutor(max_workers=3) as pool:
        around = pool.submit(preflight.look, site, ours=site.ours, guards=False)
        dumps = pool.submit(tried, lambda: backup.look(site))
        job = pool.submit(tried, lambda: runner.look(site))
        change = tried(lambda: wanted.look(site))
        return Facts(around.result(), dumps.result(), change, tuple(errors), job.result())


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return every row: preflight's, the backups', and what the change's guards refuse."""
    asked = facts.wanted.wanted if facts.wanted else ()
    rows = (
        *preflight.findings(
            environment, facts.preflight, tuple(w.choice.text for w in asked if not w.done)
        ),
        *(backup.findings(environment, facts.dumps) if facts.dumps else ()),
        *(wanted.findings(environment, facts.wanted) if facts.wanted else ()),
        *(runner.findings(environment, facts.wanted) if facts.wanted else ()),
    )
    if any(row.level is Level.REFUSED for row in rows):
        return rows  # what could not be looked at has its cause among these
    return (*rows, *(_of_error(environment, error) for error in facts.errors))


def _of_error(environment: Environment, error: RunbookError) -> Finding:
    return Finding("look", environment.name, Level.REFUSED, error.message, error.advice)
