"""Triggers: make those of the change, prove that they hold, and say what gets past them."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database import bypasses, ledger
from runbook.database.book import Book, read_book
from runbook.database.bypasses import Bypasses
from runbook.database.guards import Choice, choose
from runbook.database.schema import can_roll_back
from runbook.database.sessions import Session, SqlError, as_text
from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.options import Options
from runbook.phases import estimates, leftovers, proof, unstopped
from runbook.phases.preflight import needs, server
from runbook.phases.preflight.needs import Account
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Record, Statement
from runbook.plan.steps import Step
from runbook.site import Site
from runbook.sql import proofs
from runbook.sql.change import Change, SqlFile
from runbook.sql.proofs import Attempt
from runbook.sql.text import leading_keywords, quote_name, quote_string, target, trigger

PHASE = "triggers"
SIGNAL = f"SIGNAL SQLSTATE '{proofs.SQLSTATE}' SET MESSAGE_TEXT = 'does SIGNAL work here'"


@dataclass(frozen=True)
class Facts:
    """What a look found: the account, the files' choices, and what gets past triggers.

    `tables` are those that get triggers or are written by a proof: True where
    one can roll back, False where it cannot, None where it is not there.
    """

    account: Account
    signals: bool
    choices: tuple[tuple[SqlFile, Choice], ...]
    attempts: tuple[Attempt, ...]
    tables: dict[str, bool | None]
    past: tuple[Bypasses, ...]

    @property
    def visible(self) -> bool:
        """Whether the account is shown triggers at all; without the right it is not."""
        return all(
            self.account.grants.holds("TRIGGER", self.account.database, table)
            for table in guarded(self)
        )

    @property
    def standing(self) -> tuple[str, ...]:
        """The triggers that are there, whatever they do."""
        return tuple(c.about for _, c in self.choices if c.done or c.refused)


def prepare(site: Site, options: Options) -> Plan:
    """Look, and return the plan that makes the triggers and proves them, or removes ours."""
    environment, change = site.environment, site.change
    refuse_without(change)
    book = read_book(site.reader)
    mine = tuple(e for e in book.leftovers(change.name) if e.phase == PHASE)
    open_rows = leftovers.resolve(site.reader, environment, mine)
    facts = look(site)
    if options.remove:
        undo = _undo(site, book)
        made = (*open_rows, *removal(environment, change, undo, book))
        found = _of_removal(environment, facts, undo)
    else:
        made = (*open_rows, *steps(environment, change, facts))
        found = (*findings(environment, facts), *absent(environment, facts))
    return Plan(environment.name, PHASE, change.name, made, found)


def refuse_without(change: Change) -> None:
    """Raise UsageError for a change that has no triggers."""
    if not change.triggers:
        raise UsageError(
            f"{change.name} has no triggers/*.sql",
            advice="sql/README.md says how to write them; invoke watch does without.",
        )


def look(site: Site) -> Facts:
    """See whether the triggers can be made, which are there, and what gets past them; read-only.

    The tables themselves need not be there yet.
    """
    session, change = site.reader, site.change
    choices = tuple((f, choice) for f in change.triggers for choice in choose(session, f))
    attempts = tuple(map(proofs.read, change.proof))
    guards = tuple(dict.fromkeys(t for _, c in choices if (t := target(c.text))))
    every = dict.fromkeys((*guards, *(t for a in attempts for t in a.tables)))
    return Facts(
        needs.look(session),
        _signals(session),
        choices,
        attempts,
        {table: can_roll_back(session, table) for table in every},
        tuple(bypasses.look(session, table) for table in guards),
    )


def standing(site: Site) -> tuple[Finding, ...]:
    """Return how the triggers stand, for a phase that only wants to know; nothing without any."""
    if not site.change.triggers:
        return ()
    environment, facts = site.environment, look(site)
    level, env = Level.PENDING, f"--env={environment.name}"
    detail, advice = (
        "not made",
        f"invoke triggers {env}, or invoke watch {env} where they cannot be had",
    )
    if not facts.visible:
        detail = f"not shown to {facts.account.facts.account}, which lacks TRIGGER"
    elif any(choice.refused for _, choice in facts.choices):
        level, detail = Level.WARNING, "another trigger of that name is there"
    elif all(choice.done for _, choice in facts.choices):
        level, detail, advice = Level.OK, f"{', '.join(facts.standing)} stand", ""
    return (Finding("append-only", environment.database.label, level, detail, advice),)


def guarded(facts: Facts) -> tuple[str, ...]:
    """Return the tables that the triggers are about."""
    return tuple(past.table for past in facts.past)


def steps(environment: Environment, change: Change, facts: Facts) -> tuple[Step, ...]:
    """Return the triggers that are missing, those that are there as done, and the proofs."""
    made = (_statement(environment, change, file, choice) for file, choice in facts.choices)
    return (*made, *proof.steps(environment, facts.attempts, PHASE))


def removal(
    environment: Environment,
    change: Change,
    undo: tuple[tuple[SqlFile, Choice], ...],
    book: Book,
) -> tuple[Step, ...]:
    """Return the drops of the triggers that are ours, and what closes their rows of the ledger."""
    drops = tuple(_statement(environment, change, file, choice) for file, choice in undo)
    if not book.of(change.name, PHASE) and not any(not drop.done for drop in drops):
        return drops
    closing = Record(
        phase=PHASE,
        title="close the ledger: these triggers are undone",
        where=environment.database.label,
        text=f"{ledger.UNDONE} AND phase = {quote_string(PHASE)}".replace(
            ":change", quote_string(change.name)
        ),
        timeout=environment.timeouts.query,
    )
    return (*drops, closing)


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return what forbids the triggers here, and what gets past them."""
    where = environment.database.label
    refused = (
        Finding(
            choice.origin,
            where,
            Level.REFUSED,
            choice.refused,
            "Decide which of the two is right: drop the trigger by hand, or change the file.",
        )
        for _, choice in facts.choices
        if choice.refused
    )
    cannot = (
        Finding(
            table,
            where,
            Level.REFUSED,
            "its engine has no transactions, so what the proof tries could not be rolled back",
            f"ALTER TABLE {quote_name(table)} ENGINE=InnoDB;",
        )
        for table, safe in facts.tables.items()
        if safe is False
    )
    ours = facts.account.facts.account
    past = (row for one in facts.past for row in unstopped.findings(where, ours, one))
    return (*_able(environment, facts, new=not _complete(facts)), *refused, *cannot, *past)


def _complete(facts: Facts) -> bool:
    return facts.visible and all(choice.done for _, choice in facts.choices)


def _able(environment: Environment, facts: Facts, *, new: bool) -> tuple[Finding, ...]:
    """Say whether this server and account can have triggers; asked where any is to be made."""
    where = environment.database.label
    rows = list(server.findings(where, facts.account.facts))
    if not new:
        return tuple(rows)
    watch = f"Where that cannot be: invoke watch --env={environment.name} --install"
    if not facts.signals:
        detail = "this server does not know SIGNAL, or something in front of it does not pass it on"
        rows.append(Finding("SIGNAL", where, Level.REFUSED, detail, watch))
    may = needs.triggers(where, facts.account, guarded(facts), Level.REFUSED)
    if may.level is Level.REFUSED:
        may = Finding(may.what, where, may.level, may.detail, f"{may.advice} {watch}")
    return (*rows, may)


def _of_removal(
    environment: Environment, facts: Facts, undo: tuple[tuple[SqlFile, Choice], ...]
) -> tuple[Finding, ...]:
    """Say whether ours can be dropped, and which triggers stay since they are not ours."""
    ours = {trigger(choice.text) for _, choice in undo if not choice.done}
    stay = tuple(
        Finding(
            choice.about,
            environment.database.label,
            Level.WARNING,
            "no run of this program made it: it stays",
            f"By hand: DROP TRIGGER {name};",
        )
        for _, choice in facts.choices
        if (choice.done or choice.refused) and (name := trigger(choice.text)) not in ours
    )
    # MySQL asks for the right of error 1419 only where a trigger is made.
    new = bool(ours) and (facts.account.facts.server.is_mariadb or not facts.visible)
    return (*_able(environment, facts, new=new), *stay)


def absent(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Refuse tables that are not there, where nothing before these steps would make them."""
    return tuple(
        Finding(
            table,
            environment.database.label,
            Level.REFUSED,
            "is not there",
            f"invoke migrate --env={environment.name} first",
        )
        for table, safe in facts.tables.items()
        if safe is None
    )


def _statement(
    environment: Environment, change: Change, file: SqlFile, choice: Choice
) -> Statement:
    return Statement(
        phase=PHASE,
        title=choice.about or file.stem,
        where=environment.database.label,
        text=choice.text,
        origin=choice.origin,
        found=choice.found,
        done=choice.done,
        timeout=environment.timeouts.statement,
        estimate=estimates.METADATA,
        undo=estimates.METADATA,
        change=change.name,
        table=_table(change, choice.text),
        checksum=file.checksum,
    )


def _table(change: Change, text: str) -> str | None:
    """Return the table whose trigger a statement makes or drops; a DROP does not name it."""
    name = trigger(text)
    made = (s.text for file in change.triggers for s in file.statements)
    return target(text) or next((target(each) for each in made if trigger(each) == name), None)


def _undo(site: Site, book: Book) -> tuple[tuple[SqlFile, Choice], ...]:
    """Evaluate the files of the undo that drop triggers; the others are of other things."""
    if not book.exists:
        return ()
    return tuple(
        (file, choice)
        for file in site.change.rollback
        if any(_drops(statement.text) for statement in file.statements)
        for choice in choose(site.reader, file)
        if _drops(choice.text)
    )


def _drops(text: str) -> bool:
    return leading_keywords(text)[:2] == ("DROP", "TRIGGER")


def _signals(session: Session) -> bool:
    """Whether SIGNAL raises here what it says; it does so in a read-only session too."""
    try:
        session.execute(SIGNAL)
    except SqlError:
        session.execute(proof.DIAGNOSE)
        return as_text(session.value(f"SELECT @{proof.STATE}")) == proofs.SQLSTATE
    return False
