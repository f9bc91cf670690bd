"""What the change still wants here: its guards, evaluated, and what the ledger says of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from runbook.database import guards
from runbook.database.book import Book, Entry, read_book
from runbook.database.dependents import replaced
from runbook.database.guards import CHUNK, Choice
from runbook.database.sessions import Session, SqlError, TimeLimit, as_text
from runbook.environment import Environment
from runbook.errors import Refusal
from runbook.phases import estimates, leftovers
from runbook.plan.plan import Finding, Level
from runbook.plan.statements import Record
from runbook.site import Site
from runbook.sql.change import Change, SqlFile
from runbook.sql.text import (
    added_index,
    algorithm,
    is_read,
    makes_empty_table,
    quote_name,
    target,
    user_variables,
    where_clause,
)


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
    key: str = ""
    replaces: tuple[str, ...] = ()
    rows: int | None = None
    todo: int | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.choice.done or self.todo == 0

    @property
    def filled(self) -> int | None:
        """How many rows a chunked statement is to fill, as far as anybody knows."""
        return self.rows if self.todo is None else self.todo

    @property
    def seconds(self) -> float | None:
        """How many seconds it may take; None where nobody knows.

        A backfill stops between two ranges when its window closes, so it is begun
        where it could be done in time.
        """
        if self.span:
            return None if self.filled is None else estimates.backfill_at_least(self.filled)
        return self._at_once

    @property
    def seconds_whole(self) -> float | None:
        """How many seconds it may take where nothing can stop it midway."""
        if self.span:
            return None if self.filled is None else estimates.backfill_at_most(self.filled)
        return self._at_once

    @property
    def _at_once(self) -> float | None:
        match algorithm(self.choice.text):
            case "INSTANT":
                return estimates.METADATA
            case "INPLACE" if self.rows is not None:
                return estimates.index_at_most(self.rows)
            case None if makes_empty_table(self.choice.text):
                return estimates.METADATA
            case _:
                return None


@dataclass(frozen=True)
class Facts:
    """What a look at the database found for this change."""

    wanted: tuple[Wanted, ...]
    book: Book
    records: tuple[Record, ...]
    left: tuple[Record, ...] = ()
    """What closes the rows of the application's own runner, unless it is still to go on."""


def look(site: Site) -> Facts:
    """Evaluate the migration's guards, count what is left, and read the ledger; read-only."""
    session, change = site.reader, site.change
    book = read_book(session)
    wanted = tuple(
        _look_at(session, file, choice)
        for file in change.migrate
        for choice in guards.choose(session, file)
    )
    continued = [entry for w in wanted if (entry := resumes(book, change, w))]
    stale = tuple(e for e in book.leftovers(change.name) if e not in continued)
    left = tuple(e for e in stale if site.environment.runner and e.of_runner)
    rest = tuple(e for e in stale if e not in left)
    environment = site.environment
    return Facts(
        wanted,
        book,
        leftovers.resolve(session, environment, rest),
        leftovers.resolve(session, environment, left),
    )


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
    behind = tuple(
        Finding(
            w.choice.about or w.choice.origin,
            label,
            Level.REFUSED,
            f"the server would drop the index that it made for the foreign key {key} behind this"
            " one, and a rollback could not bring it back",
            f"Give that key an index of its own name first: ALTER TABLE {w.table} ADD INDEX …",
        )
        for w in facts.wanted
        for key in w.replaces
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
    return (*refused, *behind, *changed)


def _look_at(session: Session, file: SqlFile, choice: Choice) -> Wanted:
    table = target(choice.text)
    chunked = bool(user_variables(choice.text) & CHUNK)
    if chunked and table is None:
        raise Refusal(
            f"{choice.origin}: a statement over ranges must be about one table",
            advice="Join in a subquery, so that UPDATE or DELETE names one table.",
        )
    if choice.done or choice.refused or table is None:
        return Wanted(file, choice, table)
    rows = session.value(
        "SELECT TABLE_ROWS FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
        (table,),
    )
    estimate = None if rows is None else int(str(rows))
    if not chunked:
        index = added_index(choice.text)
        gone = replaced(session, table, index[1]) if index else ()
        return Wanted(file, choice, table, replaces=gone, rows=estimate)
    todo = _count(session, table, choice.text)
    key = _key(session, table, choice)
    span = _span(file, choice)
    return Wanted(file, choice, table, span=span, key=key, rows=estimate, todo=todo)


def _span(file: SqlFile, choice: Choice) -> tuple[str, ...]:
    """Return the reads right above a chunked statement that set its full range."""
    above = [s for s in file.statements if s.line < choice.statement.line]
    reads = list(takewhile(lambda s: is_read(s.text), reversed(above)))
    return tuple(s.text for s in reversed(reads) if user_variables(s.text) & CHUNK)


def _key(session: Session, table: str, choice: Choice) -> str:
    """Return the one column of the table's primary key, over which ranges are cut."""
    names = session.rows(
        "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY'",
        (table,),
    )
    if len(names) == 1:
        return as_text(names[0][0])
    raise Refusal(
        f"{choice.origin}: {table} has no primary key of one column to cut ranges of",
        advice="Leave @chunk_from and @chunk_to out, or change one table at a time.",
    )


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


def resumes(book: Book, change: Change, wanted: Wanted) -> Entry | None:
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
