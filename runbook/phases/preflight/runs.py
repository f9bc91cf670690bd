"""Other runs of this program here: the lock, and what an interrupted one left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database import ledger, lock
from runbook.database.book import Book, read_book
from runbook.database.lock import LOCK_HOLDER, lock_name
from runbook.database.sessions import Session, SqlError
from runbook.environment import Environment
from runbook.phases.preflight.seen import Unseen, number
from runbook.plan.plan import Finding, Level

EMPTY = Book()


@dataclass(frozen=True)
class Runs:
    """Who holds the lock (connection 0: nobody but perhaps this run), and the ledger."""

    connection: int = 0
    holder: str = ""
    book: Book | Unseen = EMPTY


def look(session: Session, environment: Environment, ours: int | None = None) -> Runs:
    """Ask who holds the lock and read the ledger; `ours` is this run's own writing session."""
    try:
        book: Book | Unseen = read_book(session)
    except SqlError as error:
        book = Unseen(error.message)
    connection = number(session.value(LOCK_HOLDER, (lock_name(environment),)))
    if connection in {0, ours}:
        return Runs(book=book)
    if isinstance(book, Unseen):
        return Runs(connection, f"session {connection}", book)
    return Runs(connection, lock.holder(session, environment), book)


def findings(environment: Environment, change: str, runs: Runs) -> Iterator[Finding]:
    """Say whether somebody else works here, and what a former run left to be done."""
    where = environment.database.label
    if runs.connection:
        yield Finding(
            "lock",
            where,
            Level.REFUSED,
            f"held by {runs.holder or f'session {runs.connection}'}",
            f"Wait until that run has ended: invoke status --env={environment.name} shows it.",
        )
    else:
        yield Finding("lock", where, Level.OK, "nobody else is working here")
    if isinstance(runs.book, Unseen):
        yield Finding(
            "ledger",
            where,
            Level.REFUSED,
            f"it cannot be read: {runs.book.why}",
            f"Grant the account SELECT, INSERT and UPDATE on {ledger.TABLE}.",
        )
        return
    yield _leftovers(where, change, runs.connection, runs.book)


def _leftovers(where: str, change: str, connection: int, book: Book) -> Finding:
    run, left = book.interrupted(), book.leftovers(change)
    if run and run.connection == connection:
        return Finding("leftovers", where, Level.OK, "those of the run that is going on")
    open_statements = "".join(f"; {entry.statement} was in hand" for entry in left[:3])
    if run:
        return Finding(
            "leftovers",
            where,
            Level.WARNING,
            f"run {run.run} of {run.phase} by {run.operator} on {run.host}, begun "
            f"{run.started_at[:19]} UTC, was interrupted{open_statements}",
            "The same command looks at the schema and does what is left.",
        )
    if left:
        entry = left[0]
        return Finding(
            "leftovers",
            where,
            Level.WARNING,
            f"run {entry.run} never said how it ended{open_statements}",
            "The next run looks at the schema and settles it.",
        )
    return Finding("leftovers", where, Level.OK, "no interrupted run")
