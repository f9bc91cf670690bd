"""Migrate: what the change's files still want here, with the backup before and verify after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from runbook import guards, ledger, leftovers
from runbook.change import Change, SqlFile
from runbook.database import Session, SqlError, TimeLimit
from runbook.environment import Environment
from runbook.guards import Choice
from runbook.ledger import Book, Entry
from runbook.options import Options
from runbook.phases import backup, preflight, verify
from runbook.site import Site
from runbook.sqltext import algorithm, mentions_variable, quote_name, target, where_clause
from runbook.steps import Chunks, Finding, Level, Plan, Record, Statement

PHASE = "migrate"
INDEX_ROWS_A_SECOND = 1_600_000
"""Measured on 2,000,000 rows (traps: INPLACE index 1.2 s); an order of magnitude, no promise."""


@dataclass(frozen=True)
class Wanted:
    """One thing a migration file asks for here, as the look found it.

    `rows` is the table's estimate, `todo` the exact rows a chunked statement
    still matches; None where nobody knows.
    """

    file: SqlFile
    choice: Choice
    table: str | None
    span: tuple[str, ...] = ()
    rows: int | None = None
    todo: int | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.choice.done or self.todo == 0


@dataclass(frozen=True)
class Facts:
    """What a look at the database found for this change."""

    wanted: tuple[Wanted, ...]
    book: Book
    records: tuple[Record, ...]


def prepare(site: Site, options: Options) -> Plan:
    """Look at everything at once and return preflight, backup, migration and verify as one plan."""
    environment, change = site.environment, site.change
    with ThreadPoolExecutor(max_workers=2) as pool:
        ahead = pool.submit(preflight.look, site, ours=site.ours)
        dumps = pool.submit(backup.look, site)
        facts = look(site)
        found = (*preflight.findings(environment, ahead.result()), *findings(environment, facts))
        changing = steps(environment, change, facts)
        before = (
            backup.steps(environment, dumps.result(), fresh=options.fresh)
            if any(not step.done for step in changing)
            else ()
        )
    return Plan(
        environment.name,
        PHASE,
        change.name,
        (*facts.records, *before, *changing, *verify.steps(environment, change)),
        found,
    )


def look(site: Site) -> Facts:
    """Evaluate the migration's guards, count what is left, and read the ledger; read-only."""
    session, change = site.reader, site.change
    book = ledger.read(session)
    wanted = tuple(
        _look_at(session, file, choice)
        for file in change.migrate
        for choice in guards.choose(session, file)
    )
    continued = [entry for w in wanted if (entry := _resumes(book, change, w))]
    stale = tuple(e for e in book.leftovers(change.name) if e not in continued)
    return Facts(wanted, book, leftovers.resolve(session, site.environment, stale))


def steps(environment: Environment, change: Change, facts: Facts) -> tuple[Statement, ...]:
    """Return the migration's statements; what is there already is shown as done."""
    return tuple(_step(environment, change, facts.book, wanted) for wanted in facts.wanted)


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return what the guards refuse, and files that changed since they ran here."""
    label = environment.database.label
    refused = tuple(
        Finding(
            w.choice.origin,
            label,
            Level.REFUSED,
            w.choice.refused,
            "Decide which of the two is right: alter the table by hand, or the file.",
        )
        for w in facts.wanted
        if w.choice.refused
    )
    current = {w.file.path: w.file.checksum for w in facts.wanted}
    ran = {entry.statement.rpartition(":")[0]: entry for entry in facts.book.entries}
    changed = tuple(
        Finding(
            path,
            label,
            Level.WARNING,
            f"the file has changed since run {entry.run} ({entry.started_at} UTC)",
            "What ran then is not what it says now; compare the two in version control.",
        )
        for path, entry in ran.items()
        if path in current and entry.checksum != current[path]
    )
    return (*refused, *changed)


def _look_at(session: Session, file: SqlFile, choice: Choice) -> Wanted:
    table = target(choice.text)
    if choice.done or choice.refused or table is None:
        return Wanted(file, choice, table)
    rows = session.value(
        "SELECT TABLE_ROWS FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
        (table,),
    )
    estimate = None if rows is None else int(str(rows))
    if not mentions_variable(choice.text, "chunk_from"):
        return Wanted(file, choice, table, rows=estimate)
    span = tuple(
        s.text
        for s in file.statements
        if s.line < choice.statement.line
        and any(mentions_variable(s.text, name) for name in ("chunk_from", "chunk_to"))
    )
    return Wanted(file, choice, table, span, estimate, _count(session, table, choice.text))


def _count(session: Session, table: str, text: str) -> int | None:
    """Return how many rows a chunked statement matches over the full range, if it can be told."""
    condition = where_clause(text)
    if condition is None:
        return None
    try:
        counted = session.value(f"SELECT COUNT(*) FROM {quote_name(table)} WHERE {condition}")
    except TimeLimit:
        return None
    except SqlError:  # a column that an earlier statement of this plan adds
        return None
    return int(str(counted))


def _step(environment: Environment, change: Change, book: Book, wanted: Wanted) -> Statement:
    choice = wanted.choice
    common = {
        "phase": PHASE,
        "title": _title(wanted),
        "where": environment.database.label,
        "text": choice.text,
        "origin": choice.origin,
        "change": change.name,
        "checksum": wanted.file.checksum,
    }
    said = {
        "table": wanted.table,
        "found": _found(wanted),
        "cost": _cost(environment, wanted),
        "done": wanted.done,
        "timeout": environment.timeouts.statement,
    }
    if not wanted.span:
        return Statement(**common, **said)  # type: ignore[arg-type]
    entry = _resumes(book, change, wanted)
    return Chunks(**common, **said, span=wanted.span, resume=entry.id if entry else None)  # type: ignore[arg-type]


def _resumes(book: Book, change: Change, wanted: Wanted) -> Entry | None:
    """Return the interrupted row that a chunked statement continues, when its file is the same."""
    if not wanted.span or wanted.done:
        return None
    return next(
        (
            entry
            for entry in reversed(book.leftovers(change.name))
            if entry.statement == wanted.choice.origin and entry.checksum == wanted.file.checksum
        ),
        None,
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
            else f"{wanted.todo:,} rows to do"
        )
    return wanted.choice.found or ("there already" if wanted.done else "")


def _cost(environment: Environment, wanted: Wanted) -> str:
    if wanted.done:
        return ""
    if wanted.span:
        return f"ranges of about {environment.policy.chunk_time * 1000:.0f} ms, each a transaction"
    named = algorithm(wanted.choice.text)
    rows = "" if wanted.rows is None else f"about {wanted.rows:,} rows"
    if named == "INSTANT":
        return f"INSTANT: only metadata changes ({rows or 'no rows'})"
    if named == "INPLACE" and wanted.rows is not None:
        seconds = max(1, round(wanted.rows / INDEX_ROWS_A_SECOND))
        return f"INPLACE: {rows}, in the order of {seconds} s; writers go on"
    return rows
