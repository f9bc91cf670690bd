"""Rollback: undo exactly what migrate added, and only once what goes with it is exported."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from runbook.database import ledger
from runbook.database.book import Book, read_book
from runbook.database.dependents import Dependent, dependents
from runbook.database.guards import Choice, choose
from runbook.database.settings import within
from runbook.environment import Environment
from runbook.options import Options
from runbook.phases import export, runner
from runbook.phases.losses import Loss, brought, compared_before, findings, losses, unasked
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Check, Compare, Guarded, Record, Statement
from runbook.plan.steps import Step
from runbook.site import Site
from runbook.sql.change import SqlFile
from runbook.sql.text import quote_name, quote_string, target

PHASE = "rollback"
STOP = "the application must not use these tables and columns any more: its statements would fail"


@dataclass(frozen=True)
class Facts:
    """What a look found: the ledger, what the files choose to undo, and what that destroys."""

    book: Book
    choices: tuple[tuple[SqlFile, Choice], ...]
    exports: export.Facts
    losses: tuple[Loss, ...]
    unasked: tuple[tuple[str, tuple[str, ...]], ...]
    needed: tuple[Dependent, ...]
    runner: tuple[Finding, ...]

    @property
    def drops(self) -> bool:
        """Whether anything is still to be undone."""
        return any(not choice.done for _, choice in self.choices)


def prepare(site: Site, _options: Options) -> Plan:
    """Look, and return the plan that brings the schema back to what it was before migrate."""
    environment, change = site.environment, site.change
    book = read_book(site.reader)
    if not book.of(change.name):
        return Plan(environment.name, PHASE, change.name, (), (), (_nothing(book, change.name),))
    facts = look(site, book)
    gone = facts.losses if facts.drops else ()
    passed = export.findings(facts.exports) if any(loss.rows for loss in gone) else ()
    found = (*_refusals(environment, facts), *passed, *findings(environment, facts.exports, gone))
    return Plan(
        environment.name,
        PHASE,
        change.name,
        steps(environment, change.name, facts),
        found,
        notes(environment, change.name, facts),
    )


def _nothing(book: Book, change: str) -> str:
    """Say why there is nothing to undo."""
    undone = [r for r in book.runs if (r.phase, r.change) == (PHASE, change)]
    if undone:
        last = undone[-1]
        when = f"{last.started_at[:19]} UTC"
        return f"undone already, by {last.operator} on {last.host} at {when} (run {last.run})"
    return "nothing was migrated here by this program, so nothing is undone; what is there stays"


def look(site: Site, book: Book) -> Facts:
    """Evaluate the guards of the undo and count what it would destroy; read-only."""
    choices = tuple(
        (file, choice) for file in site.change.rollback for choice in choose(site.reader, file)
    )
    exported = export.look(site)
    ours = brought(site.reader, book, site.change.name)
    # Its rows stay open as long as it may go on; else no host need be asked.
    beside = any(entry.of_runner for entry in book.leftovers(site.change.name))
    return Facts(
        book,
        choices,
        exported,
        losses(exported, ours),
        unasked(site.reader, exported, ours),
        dependents(site.reader, tuple(sorted(ours))),
        runner.going_on(site) if beside else (),
    )


def steps(environment: Environment, change: str, facts: Facts) -> tuple[Step, ...]:
    """Return the last check, the undo, the ledger's closing, and the comparison with before."""
    drops = _drops(environment, change, facts)
    check = (_check(environment, facts),) if facts.drops and facts.losses else ()
    compares = tuple(
        _compare(environment, table, before) for table, before in facts.book.before(change).items()
    )
    # Closed before the comparison: what others changed meanwhile does not make it ours again.
    return (*check, *drops, _closing(environment, change), *compares)


def notes(environment: Environment, change: str, facts: Facts) -> tuple[str, ...]:
    """Return what to know before it runs: first what will be lost."""
    said = [loss.sentence(environment.backup.host) for loss in facts.losses if facts.drops]
    if any(loss.rows for loss in facts.losses) and facts.drops:
        said.append(STOP)
    kept = [choice for _, choice in facts.choices if "stays" in choice.found]
    filled = [e for e in facts.book.of(change) if e.position is not None]
    if kept and filled:
        origins = ", ".join(dict.fromkeys(entry.statement for entry in filled))
        said.append(f"values that {origins} wrote into columns that were there before stay")
    return tuple(said)


def _refusals(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    label = environment.database.label
    undecided = tuple(
        Finding(
            choice.origin,
            label,
            Level.REFUSED,
            choice.refused,
            "Decide what is to become of it, by hand or in the file.",
        )
        for choice in (*(choice for _, choice in facts.choices), *facts.exports.refused)
        if choice.refused
    )
    forgotten = tuple(
        Finding(
            table,
            label,
            Level.REFUSED,
            f"{', '.join(names)} would go with values that no export query selects",
            f"Add them to a query in {environment.change}/export, then export again.",
        )
        for table, names in facts.unasked
        if facts.drops
    )
    needed = tuple(
        Finding(
            one.what,
            label,
            Level.REFUSED,
            f"needs {one.needs.replace(':', ' ')}, which would go",
            "It would fail from then on, go along, or forbid the undo: alter or drop it first.",
        )
        for one in facts.needed
        if facts.drops
    )
    compared = tuple(loss.asked for loss in facts.losses) if facts.drops else ()
    unlockable = export.unlockable(environment, compared)
    return (*facts.runner, *undecided, *forgotten, *needed, *unlockable)


def _check(environment: Environment, facts: Facts) -> Check:
    limit = environment.timeouts.statement
    statements = _checks(facts, facts.losses, limit)
    return Check(
        phase=PHASE,
        title="no other rows would be lost than these",
        where=environment.database.label,
        text=";\n".join(statements),
        statements=statements,
        origin=", ".join(loss.asked.query.origin for loss in facts.losses),
        timeout=limit,
    )


def _checks(facts: Facts, lost: tuple[Loss, ...], limit: float) -> tuple[str, ...]:
    return tuple(
        within(
            loss.asked.query.check(loss.asked.census.identity),
            limit,
            mariadb=facts.exports.mariadb,
        )
        for loss in lost
    )


def _drops(environment: Environment, change: str, facts: Facts) -> tuple[Statement, ...]:
    """Return the undo; what destroys rows compares them first, behind the tables' lock."""
    pending = [choice.text for _, choice in facts.choices if not choice.done]
    lost = iter(compared_before(pending, facts.losses))
    steps = []
    for file, choice in facts.choices:
        plain = _drop(environment, change, file, choice)
        mine = () if choice.done else next(lost)
        steps.append(_guarded(environment, facts, plain, mine) if mine else plain)
    return tuple(steps)


def _drop(environment: Environment, change: str, file: SqlFile, choice: Choice) -> Statement:
    return Statement(
        phase=PHASE,
        title=choice.about or _title(choice),
        where=environment.database.label,
        text=choice.text,
        origin=choice.origin,
        found=choice.found,
        done=choice.done,
        timeout=environment.timeouts.statement,
        change=change,
        table=target(choice.text),
        checksum=file.checksum,
    )


def _guarded(
    environment: Environment, facts: Facts, drop: Statement, lost: tuple[Loss, ...]
) -> Guarded:
    """Return a drop that first locks its tables and compares the rows that go with it.

    Should this program go away with the lock, the server ends its session after
    a minute, and the lock with it.
    """
    tables = sorted({*(t for loss in lost for t in loss.sources), *filter(None, (drop.table,))})
    names = {*map(quote_name, tables), *(n for loss in lost for n in loss.asked.query.locks)}
    opening = (
        "SET SESSION wait_timeout = 60",
        "LOCK TABLES " + ", ".join(f"{name} WRITE" for name in sorted(names)),
    )
    checks = _checks(facts, lost, environment.timeouts.query)
    closing = ("UNLOCK TABLES", "SET SESSION wait_timeout = 86400")
    seconds = max(0.1, sum(loss.asked.seconds for loss in lost))
    said = {field.name: getattr(drop, field.name) for field in dataclasses.fields(drop)}
    said |= {
        "text": ";\n".join((*opening, *checks, drop.text, *closing)),
        "cost": f"others wait for {', '.join(tables)} about {seconds:.1f} s, while the rows are "
        "compared with the exported ones",
    }
    return Guarded(**said, opening=opening, checks=checks, drop=drop.text, closing=closing)


def _title(choice: Choice) -> str:
    if choice.done:
        return choice.origin.rpartition("/")[2]
    return " ".join(choice.text.split())[:72]


def _compare(environment: Environment, table: str, before: str | None) -> Compare:
    return Compare(
        phase=PHASE,
        title=f"{table} is as before migrate" if before else f"{table} is gone, as before migrate",
        where=environment.database.label,
        text=f"SHOW CREATE TABLE {quote_name(table)}",
        timeout=environment.timeouts.query,
        table=table,
        expected=before,
    )


def _closing(environment: Environment, change: str) -> Record:
    return Record(
        phase=PHASE,
        title="close the ledger: the change is undone",
        where=environment.database.label,
        text=ledger.UNDONE.replace(":change", quote_string(change)),
        timeout=environment.timeouts.query,
    )
