"""Rows of the ledger that were started and never finished: what became of them.

DDL either happened or did not (it is atomic in MySQL 8 and MariaDB 10.6), so
the schema tells; the row is never trusted. What others added meanwhile is told
apart by name: only what the statement's own text adds can be its.
"""

from __future__ import annotations

from runbook.database import ledger
from runbook.database.book import Entry
from runbook.database.schema import shape
from runbook.database.sessions import Session
from runbook.environment import Environment
from runbook.errors import Outcome
from runbook.plan.statements import Record
from runbook.sql.text import quote_string


def resolve(
    session: Session, environment: Environment, entries: tuple[Entry, ...]
) -> tuple[Record, ...]:
    """Return the records that close `entries` with what the schema says came of them."""
    return tuple(_resolved(session, environment, entry) for entry in entries)


def _resolved(session: Session, environment: Environment, entry: Entry) -> Record:
    now = shape(session, entry.target) if entry.target else None
    added = now.added_since(entry.before_objects, entry.named) if now else ()
    # Where it names nothing it may have dropped or altered: then any difference counts.
    other = bool(now and (now.objects, now.ddl) != (entry.before_objects, entry.before_ddl))
    happened = bool(added) if entry.named else other
    outcome = Outcome.CHANGED if happened else Outcome.FAILED
    text = (
        ledger.FINISHED.replace(":outcome", quote_string(outcome))
        .replace(":added", quote_string(",".join(added)))
        .replace(":id", str(entry.id))
    )
    return Record(
        phase=entry.phase,
        title=f"resolve what run {entry.run} left open: {entry.statement}",
        where=environment.database.label,
        text=text,
        origin=f"{ledger.TABLE} row {entry.id}",
        found="it happened" if happened else "it did not happen",
    )
