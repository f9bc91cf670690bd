"""Status: where the environment stands, from looking at it, and what to type next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from runbook.database import lock
from runbook.database.book import Book
from runbook.environment import Environment
from runbook.errors import Refusal, RunbookError, StepFailed
from runbook.exports import finding
from runbook.exports.saved import Saved
from runbook.options import Options
from runbook.phases import backup, export, runner, triggers, wanted, watch
from runbook.phases.wanted import Wanted
from runbook.plan.gate import Gate
from runbook.plan.plan import Finding, Level, Plan
from runbook.site import Site
from runbook.units import age, counted, size


def prepare(site: Site, _options: Options) -> Plan:
    """Look, and return a plan of no steps whose findings are the state of things."""
    environment, change = site.environment, site.change
    env, why = f"--env={environment.name}", tuple[str, ...]()
    keeper = environment.backup.host
    scanner = environment.watch.host if environment.watch else ""
    with ThreadPoolExecutor(max_workers=4) as pool:
        dumps = pool.submit(
            _seen, keeper, "backup", lambda: backup.findings(environment, backup.look(site))
        )
        newest = pool.submit(_seen, keeper, "export", lambda: _exports(site))
        own = pool.submit(runner.going_on, site)
        scans = pool.submit(_seen, scanner, "watch", lambda: watch.standing(site))
        holder = lock.holder(site.reader, environment)
        try:
            facts = wanted.look(site)
        except (Refusal, StepFailed) as error:  # such as a table that somebody locks
            rows, after = _unseen(environment, error), f"invoke preflight {env}"
        else:
            rows = _migration(environment, facts, change.name, bool(holder))
            after, why = _next(environment, facts)
        if holder:
            after, why = f"invoke status {env}", ()
        beside = tuple(replace(row, level=Level.WARNING) for row in own.result())
        guards = _seen(environment.database.label, "append-only", lambda: triggers.standing(site))
        saved = (*dumps.result(), *newest.result(), *_either(guards, scans.result()))
        rows = (_lock(environment, holder), *beside, *_window(environment), *saved, *rows)
    return Plan(environment.name, "status", change.name, (), rows, why, next=after)


def _migration(
    environment: Environment, facts: wanted.Facts, change: str, running: bool
) -> tuple[Finding, ...]:
    return (
        *(_statement(environment, one) for one in facts.wanted),
        *_interrupted(environment, facts.book, change, running),
        *(replace(f, level=Level.WARNING) for f in wanted.findings(environment, facts)),
    )


def _unseen(environment: Environment, error: RunbookError) -> tuple[Finding, ...]:
    where = environment.database.label
    return (Finding("migration", where, Level.WARNING, error.message, error.advice),)


def _seen(where: str, what: str, look: Callable[[], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Return what a look at one place found; that it failed says nothing of the others."""
    try:
        return look()
    except RunbookError as error:
        return (Finding(what, where, Level.WARNING, error.message, error.advice),)


def _either(guards: tuple[Finding, ...], scans: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return both ways to be append-only: where one stands, the other need not be there."""
    return (*_spared(guards, scans, "the watch stands"), *_spared(scans, guards, "triggers stand"))


def _spared(ours: tuple[Finding, ...], others: tuple[Finding, ...], why: str) -> Iterator[Finding]:
    stands = bool(others) and all(other.level is Level.OK for other in others)
    for one in ours:
        if stands and one.level is Level.PENDING:
            yield replace(one, level=Level.OK, detail=f"{one.detail}; {why}", advice="")
        else:
            yield one


def _lock(environment: Environment, holder: str) -> Finding:
    return Finding(
        "lock",
        environment.database.label,
        Level.WARNING if holder else Level.OK,
        f"held by {holder}" if holder else "nobody is working here",
        "Wait until that run has ended." if holder else "",
    )


def _window(environment: Environment) -> tuple[Finding, ...]:
    if not environment.windows:
        return ()
    return (Finding("window", environment.name, Level.OK, Gate(environment).state),)


def _exports(site: Site) -> tuple[Finding, ...]:
    """Tell the newest whole export, and what was passed over to find it."""
    environment = site.environment
    where, again = environment.backup.host, f"invoke export --env={environment.name}"
    seen, kept = list(finding.newest(site.hosts, environment, site.change.name)), None
    for number, one in enumerate(seen):
        seen[number] = finding.prove(site.hosts, environment, one)
        if not seen[number].defect:
            kept = seen[number]
            break
    advice = export.PASSED_OVER if kept else f"{export.PASSED_OVER} {again}"
    passed = tuple(
        Finding("export", where, Level.WARNING, f"{one.folder}: {one.defect}", advice)
        for one in finding.passed(seen, kept)
    )
    if kept or passed:
        return (*((_export(where, kept),) if kept else ()), *passed)
    return (Finding("export", where, Level.OK, "none yet; a rollback wants one", again),)


def _export(where: str, saved: Saved) -> Finding:
    files = saved.manifest.files if saved.manifest else ()
    rows = counted(sum(file.rows for file in files), "row")
    bytes_ = size(sum(file.compressed_bytes for file in files))
    if finding.ahead(saved):
        detail = f"{saved.folder}, whose time lies in the future, {rows}, {bytes_}"
        advice = "A clock was ahead. It counts as any other for the rows that it has."
        return Finding("export", where, Level.WARNING, detail, advice)
    old = age(max(0.0, saved.age))
    return Finding("export", where, Level.OK, f"{saved.folder}, {old} old, {rows}, {bytes_}")


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


def _next(environment: Environment, facts: wanted.Facts) -> tuple[str, tuple[str, ...]]:
    """Return what to type next, and what there is to know of it."""
    env = f"--env={environment.name}"
    if run := facts.book.interrupted():
        return f"invoke {run.phase} {env} --dry-run", ()
    if all(one.done for one in facts.wanted):
        return f"invoke verify {env}", ("the change is migrated here; nothing is left to do",)
    return f"invoke migrate {env} --dry-run", ()
