"""Rollback: undo exactly what migrate added, and only once what goes with it is exported."""

from __future__ import annotations

from dataclasses import dataclass

from runbook import guards, ledger
from runbook.change import SqlFile
from runbook.environment import Environment
from runbook.guards import Choice
from runbook.ledger import Book
from runbook.losses import Loss, brought, findings, losses
from runbook.options import Options
from runbook.phases import export
from runbook.settings import time_limit
from runbook.site import Site
from runbook.sqltext import quote_name, quote_string, target
from runbook.steps import Check, Compare, Finding, Level, Plan, Record, Statement, Step

PHASE = "rollback"
CLOSE = (
    "The application must not need these columns and tables any more. A row that it writes "
    "while they are being dropped is in no export."
)


@dataclass(frozen=True)
class Facts:
    """What a look found: the ledger, what the files choose to undo, and what that destroys."""

    book: Book
    choices: tuple[tuple[SqlFile, Choice], ...]
    exports: export.Facts
    losses: tuple[Loss, ...]

    @property
    def drops(self) -> bool:
        """Whether anything is still to be undone."""
        return any(not choice.done for _, choice in self.choices)


def prepare(site: Site, _options: Options) -> Plan:
    """Look, and return the plan that brings the schema back to what it was before migrate."""
    environment, change = site.environment, site.change
    book = ledger.read(site.reader)
    if not book.of(change.name):
        note = (
            "nothing was migrated here by this program, so nothing is undone; what is there stays"
        )
        return Plan(environment.name, PHASE, change.name, (), (), (note,))
    facts = look(site, book)
    gone = facts.losses if facts.drops else ()
    found = (*_refusals(environment, facts), *findings(environment, facts.exports, gone))
    return Plan(
        environment.name,
        PHASE,
        change.name,
        steps(environment, change.name, facts),
        found,
        notes(environment, change.name, facts),
    )


def look(site: Site, book: Book) -> Facts:
    """Evaluate the guards of the undo and count what it would destroy; read-only."""
    choices = tuple(
        (file, choice)
        for file in site.change.rollback
        for choice in guards.choose(site.reader, file)
    )
    exported = export.look(site)
    ours = brought(site.reader, book, site.change.name)
    return Facts(book, choices, exported, losses(exported, ours))


def steps(environment: Environment, change: str, facts: Facts) -> tuple[Step, ...]:
    """Return the last check, the undo, the comparison with before, and the ledger's closing."""
    drops = tuple(_drop(environment, change, file, choice) for file, choice in facts.choices)
    check = (_check(environment, facts),) if facts.drops and facts.losses else ()
    compares = tuple(
        _compare(environment, table, before) for table, before in facts.book.before(change).items()
    )
    return (*check, *drops, *compares, _closing(environment, change))


def notes(environment: Environment, change: str, facts: Facts) -> tuple[str, ...]:
    """Return what to know before it runs: first what will be lost."""
    saved = facts.exports.saved
    place = f"{environment.backup.host}:{saved.folder}" if saved else ""
    said = [loss.sentence(place) for loss in facts.losses if facts.drops]
    if any(loss.rows for loss in facts.losses) and facts.drops:
        said.append(CLOSE)
    kept = [choice for _, choice in facts.choices if choice.done and "stays" in choice.found]
    filled = [e for e in facts.book.of(change) if e.position is not None]
    if kept and filled:
        origins = ", ".join(dict.fromkeys(entry.statement for entry in filled))
        said.append(f"values that {origins} wrote into columns that were there before stay")
    return tuple(said)


def _refusals(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            choice.origin,
            environment.database.label,
            Level.REFUSED,
            choice.refused,
            "Decide what is to become of it, by hand or in the file.",
        )
        for choice in (*(choice for _, choice in facts.choices), *facts.exports.refused)
        if choice.refused
    )


def _check(environment: Environment, facts: Facts) -> Check:
    statements = (
        "SET SESSION time_zone = '+00:00'",
        time_limit(facts.exports.mariadb, environment.timeouts.statement),
        *(loss.asked.query.check(loss.asked.census.identity) for loss in facts.losses),
    )
    return Check(
        phase=PHASE,
        title="the rows to be lost are still the exported ones",
        where=environment.database.label,
        text=";\n".join(statements),
        statements=statements,
        origin=", ".join(loss.asked.query.origin for loss in facts.losses),
        timeout=environment.timeouts.statement,
    )


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
