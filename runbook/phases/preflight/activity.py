"""What others are doing on the server now: open transactions, DDL, and waits for locks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database.blockers import TRANSACTION_AGE
from runbook.database.sessions import Row, Session, as_text
from runbook.phases.preflight.needs import Account
from runbook.phases.preflight.seen import Unseen, number, rows
from runbook.plan.plan import Finding, Level
from runbook.units import age, listed

TRANSACTIONS = f"""\
SELECT t.trx_mysql_thread_id, p.USER, p.HOST, p.DB, COALESCE(t.trx_query, p.INFO, ''),
 {TRANSACTION_AGE} AS age
 FROM information_schema.INNODB_TRX t
 LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
 WHERE t.trx_mysql_thread_id <> CONNECTION_ID() HAVING age > %s ORDER BY age DESC LIMIT 20"""
BUSY = """\
SELECT ID, USER, HOST, DB, LEFT(COALESCE(INFO, ''), 1000), TIME, COALESCE(STATE, ''), COMMAND
 FROM information_schema.PROCESSLIST
 WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Sleep'"""
# What an idle transaction ran last and what it holds; only where the server keeps it.
LAST = """\
SELECT h.PROCESSLIST_ID, s.SQL_TEXT FROM performance_schema.threads h
 JOIN performance_schema.events_statements_current s ON s.THREAD_ID = h.THREAD_ID
 WHERE s.SQL_TEXT IS NOT NULL"""
HELD = """\
SELECT h.PROCESSLIST_ID, l.OBJECT_NAME FROM performance_schema.threads h
 JOIN performance_schema.metadata_locks l ON l.OWNER_THREAD_ID = h.THREAD_ID
 WHERE l.OBJECT_TYPE = 'TABLE' AND l.LOCK_STATUS = 'GRANTED' AND l.OBJECT_SCHEMA = DATABASE()"""

_COMMENTS = re.compile(r"(?:\s|/\*(?!M?!).*?\*/|(?:--\s|#)[^\n]*(?:\n|\Z)|/\*M?!\d*)*", re.DOTALL)
_DDL = re.compile(
    r"(?:ALTER|CREATE|DROP|RENAME|TRUNCATE|OPTIMIZE|REPAIR)\s+"
    r"(?!TEMPORARY|USER|ROLE|SERVER|RESOURCE|TABLESPACE|UNDO)",
    re.IGNORECASE,
)
_WAIT = re.compile(r"Waiting for .*(?:metadata lock|table flush|backup lock)", re.IGNORECASE)

DUMPING = "SQL_NO_CACHE */"
DUMP_ADVICE = "A backup of ours is re-attached and waited for; another one: let it end."


@dataclass(frozen=True)
class Busy:
    """A session of somebody else: what it does, and for how many seconds.

    For an open transaction `seconds` is its age, `last` its last statement and
    `held` the tables here that it holds a metadata lock on, where that is known.
    """

    id: int
    user: str
    host: str
    database: str
    query: str
    seconds: int
    state: str = ""
    last: str = ""
    held: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """Name the session, as in `session 41 (app@10.0.0.7)`."""
        return f"session {self.id} ({self.user}@{self.host})"

    @property
    def doing(self) -> str:
        """Say what it runs, or ran last."""
        if self.query:
            return f"running: {_short(self.query)}"
        return f"idle, last: {_short(self.last)}" if self.last else "idle"


@dataclass(frozen=True)
class Activity:
    """What is going on: transactions older than the policy's limit, DDL, and waits."""

    transactions: tuple[Busy, ...] | Unseen = ()
    ddl: tuple[Busy, ...] = ()
    waiting: tuple[Busy, ...] = ()
    replicas: tuple[str, ...] = ()
    """Hosts to which this server sends its binary log."""


def look(session: Session, limit: float, ours: int | None = None) -> Activity:
    """Look for transactions older than `limit` seconds, DDL and lock waits.

    `ours` is a session of this very run, which is left out.
    """
    found = rows(session, TRANSACTIONS, (limit,))
    database = as_text(session.value("SELECT DATABASE()"))
    transactions: tuple[Busy, ...] | Unseen = ()
    if isinstance(found, Unseen):
        transactions = found
    elif found:
        last, held = _by_session(session, LAST), _by_session(session, HELD)
        transactions = tuple(_transaction(row, last, held) for row in found if row[0] != ours)
    seen = rows(session, BUSY)
    if isinstance(seen, Unseen):
        return Activity(seen)
    others = [row for row in seen if row[0] != ours]
    busy = [_busy(row) for row in others]
    return Activity(
        transactions,
        tuple(b for b in busy if is_ddl(b.query) and concerns(b, database)),
        tuple(b for b in busy if _WAIT.match(b.state) and concerns(b, database)),
        tuple(as_text(row[2]).partition(":")[0] for row in others if _is_replica(as_text(row[7]))),
    )


def is_ddl(query: str) -> bool:
    """Whether a statement changes a table, view, trigger or the like; not accounts."""
    begin = _COMMENTS.match(query)
    return _DDL.match(query, begin.end() if begin else 0) is not None


def concerns(busy: Busy, database: str) -> bool:
    """Whether a session may be about this database: it is in it, in none, or names it."""
    return busy.database in {"", database} or database in busy.query or bool(busy.held)


def findings(where: str, account: Account, limit: float, activity: Activity) -> Iterator[Finding]:
    """Say who is in the way of a change, since when, with what, and how to end it."""
    yield from _transactions(where, account, limit, activity.transactions)
    if isinstance(activity.transactions, Unseen):
        return  # nor can the rest be seen; that has been said
    yield from _ddl(where, activity.ddl)
    waiting = [b for b in activity.waiting if b not in activity.ddl]
    for busy in waiting[:3]:
        yield Finding(
            "lock waits",
            where,
            Level.REFUSED,
            f"{busy.who} waits since {age(busy.seconds)} ({busy.state}), {busy.doing}",
            "Something holds that lock; a change now would make the queue longer. Look again in "
            "a minute.",
        )
    if not waiting:
        yield Finding("lock waits", where, Level.OK, "nobody waits for a table")


def _transactions(
    where: str, account: Account, limit: float, transactions: tuple[Busy, ...] | Unseen
) -> Iterator[Finding]:
    if isinstance(transactions, Unseen):
        yield Finding(
            "open transactions",
            where,
            Level.WARNING,
            "what others run cannot be seen: the account lacks PROCESS"
            if not account.grants.holds("PROCESS")
            else f"they cannot be seen: {transactions.why}",
            account.grant(("PROCESS",), "*.*"),
        )
        return
    ours = account.facts.account.rpartition("@")[0]
    for busy in transactions:
        if busy.user == ours and DUMPING in f"{busy.query} {busy.last}":
            detail = f"a dump by {busy.who} has been reading for {age(busy.seconds)}"
            yield Finding("open transactions", where, Level.WARNING, detail, DUMP_ADVICE)
            continue
        elsewhere = not concerns(busy, account.database)
        holds = f", holds {listed(busy.held)}" if busy.held else ""
        yield Finding(
            "open transactions",
            where,
            Level.WARNING if elsewhere else Level.REFUSED,
            f"{busy.who} has a transaction open since {age(busy.seconds)}{holds}, {busy.doing}"
            + (f"; it works in database {busy.database}" if elsewhere else ""),
            _end(busy),
        )
    if not transactions:
        yield Finding("open transactions", where, Level.OK, f"none older than {age(limit)}")


def _end(busy: Busy) -> str:
    if busy.id == 0:
        return (
            "A prepared XA transaction without a session: XA RECOVER; then XA ROLLBACK or COMMIT."
        )
    return f"Ask {busy.user or 'its owner'} to end it, or: KILL {busy.id};"


def _ddl(where: str, ddl: tuple[Busy, ...]) -> Iterator[Finding]:
    for busy in ddl:
        state = f" ({busy.state})" if busy.state else ""
        yield Finding(
            "other DDL",
            where,
            Level.REFUSED,
            f"{busy.who} changes the schema since {age(busy.seconds)}{state}, {busy.doing}",
            f"Let it end, or: KILL {busy.id};",
        )
    if not ddl:
        yield Finding("other DDL", where, Level.OK, "nobody changes the schema")


def _by_session(session: Session, query: str) -> dict[int, tuple[str, ...]]:
    found = rows(session, query)
    grouped: dict[int, list[str]] = {}
    for ident, value in () if isinstance(found, Unseen) else found:
        grouped.setdefault(number(ident), []).append(as_text(value))
    return {ident: tuple(dict.fromkeys(values)) for ident, values in grouped.items()}


def _transaction(
    row: Row, last: dict[int, tuple[str, ...]], held: dict[int, tuple[str, ...]]
) -> Busy:
    ident, user, host, database, query, seconds = row
    return Busy(
        number(ident),
        as_text(user),
        as_text(host),
        as_text(database),
        as_text(query),
        number(seconds),
        last=last.get(number(ident), ("",))[-1],
        held=held.get(number(ident), ()),
    )


def _busy(row: Row) -> Busy:
    ident, user, host, database, query, seconds, state, _command = row
    return Busy(
        number(ident),
        as_text(user),
        as_text(host),
        as_text(database),
        as_text(query),
        number(seconds),
        as_text(state),
    )


def _is_replica(command: str) -> bool:
    return command.startswith("Binlog Dump")


def _short(query: str) -> str:
    flat = " ".join(query.split())
    return flat if len(flat) <= 100 else f"{flat[:99]}…"
