"""Migrating by the application's own runner: what is expected of it, and the step that runs it.

The change's files are its too, and it runs them as it will. So the guards'
choices are what it is expected to do, not what is sent; verify decides.
"""

from __future__ import annotations

from runbook.application import Runner as Own
from runbook.environment import Environment
from runbook.errors import RunbookError
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.hosts.shell import typed
from runbook.phases import estimates
from runbook.phases.wanted import Facts, Wanted
from runbook.placeholders import fill
from runbook.plan.plan import Finding, Level
from runbook.plan.steps import Expect, Runner, Step
from runbook.site import Site
from runbook.sql.change import Change
from runbook.units import age, counted

PHASE = "migrate"
COST = (
    "its statements wait for locks as long as its own session lets them, and fill all rows at once"
)


def look(site: Site) -> State | None:
    """Look at the runner's job, which may go on since an earlier run; read-only."""
    own = site.environment.runner
    if own is None:
        return None
    seen = site.hosts.run(own.host, jobs.watch(_job(own)))
    return jobs.parse(tuple(seen.out.splitlines())) if seen.ok else None


def steps(
    environment: Environment, own: Own, change: Change, facts: Facts, job: State | None
) -> tuple[Step, ...]:
    """Return the comparison of its files and the run of it; with nothing left, what closes rows.

    A run of it that still goes on is waited for, whatever is there already.
    """
    left = tuple(wanted for wanted in facts.wanted if not wanted.done)
    running = job if job and job.running else None
    if not left and not running:
        return facts.left
    command = _filled(own, own.command)
    files = (_files(environment, own, change),) if own.files else ()
    opened = (e.target for e in facts.book.leftovers(change.name) if e.of_runner)
    runner = Runner(
        phase=PHASE,
        title=f"the application's own runner: {command}",
        where=own.host,
        text=jobs.task(_job(own), command),
        watch=jobs.watch(_job(own)),
        origin=environment.at("runner.command"),
        found=_found(left, running),
        cost=COST,
        timeout=environment.timeouts.job,
        estimate=_estimate(left),
        undo=estimates.METADATA * sum(not wanted.span for wanted in left),
        change=change.name,
        checksum=jobs.task_name(command),
        tables=tuple(dict.fromkeys(t for t in (*(w.table for w in left), *opened) if t)),
        fills=tuple((w.choice.origin, w.file.checksum) for w in left if w.span),
    )
    return (*files, runner)


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return what the runner is expected to do, as the change's guards chose it."""
    own = environment.runner
    if own is None:
        return ()
    return tuple(
        Finding(
            wanted.choice.about or wanted.choice.origin,
            own.host,
            Level.PENDING,
            f"left to the application's runner, expected: {' '.join(wanted.choice.text.split())}",
        )
        for wanted in facts.wanted
        if not wanted.done and not wanted.choice.refused
    )


def going_on(site: Site) -> tuple[Finding, ...]:
    """Refuse what must not be done while the application's own runner still migrates; read-only.

    It may outlive the run that began it, and that run's lock.
    """
    own, what = site.environment.runner, "the application's runner"
    if own is None:
        return ()
    try:
        job = look(site)
    except RunbookError as error:
        detail = f"whether it still migrates cannot be seen: {error.message}"
        return (Finding(what, own.host, Level.REFUSED, detail, error.advice),)
    if job is None or not job.running:
        return ()
    detail = f"it has been migrating for {age(job.seconds)}, by itself, and still does"
    advice = f"Wait until it has ended: invoke migrate --env={site.environment.name} waits for it."
    return (Finding(what, own.host, Level.REFUSED, detail, advice),)


def _estimate(left: tuple[Wanted, ...]) -> float | None:
    """Return how many seconds it may take for all that is left to it; None where nobody knows."""
    each = [wanted.seconds_whole for wanted in left]
    known = [seconds for seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) and each else None


def _found(left: tuple[Wanted, ...], running: State | None) -> str:
    if running:
        return f"it is running for {running.seconds} s: attaches to it"
    return f"{counted(len(left), 'statement')} of the change left to it"


def _files(environment: Environment, own: Own, change: Change) -> Expect:
    """Return the step that compares its migration files with those of the change."""
    names = {file.path.rpartition("/")[2]: file.checksum for file in change.migrate}
    return Expect(
        phase=PHASE,
        title="the runner's files are those of the change",
        where=own.host,
        text=typed(f"cd {_filled(own, own.files or '')} && sha256sum {' '.join(names)}"),
        origin=environment.at("runner.files"),
        timeout=environment.timeouts.command,
        expected="\n".join(f"{checksum}  {name}" for name, checksum in names.items()),
    )


def _job(own: Own) -> str:
    return f"{fill(own.folder, host=own.host)}/.runbook/runner"


def _filled(own: Own, text: str) -> str:
    return fill(text, folder=fill(own.folder, host=own.host), host=own.host)
