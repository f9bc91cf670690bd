"""The tables: how large they are, and what that means for this change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database import guards
from runbook.database.sessions import Row, Session, as_text
from runbook.errors import RunbookError
from runbook.phases import estimates
from runbook.phases.preflight import online
from runbook.phases.preflight.seen import Unseen, number, rows
from runbook.plan.plan import Finding, Level
from runbook.sql.change import Change
from runbook.sql.text import algorithm, mentions_variable, target
from runbook.units import counted, listed, size

TABLES = """\
SELECT TABLE_NAME, TABLE_TYPE, ENGINE, ROW_FORMAT, TABLE_ROWS, DATA_LENGTH, INDEX_LENGTH
 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"""
KEYS = """\
SELECT TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
 WHERE CONSTRAINT_SCHEMA = DATABASE()"""
TRIGGERS = """\
SELECT EVENT_OBJECT_TABLE, EVENT_MANIPULATION, TRIGGER_NAME FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME"""
FULLTEXT = """\
SELECT DISTINCT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = DATABASE() AND INDEX_TYPE = 'FULLTEXT'"""


@dataclass(frozen=True)
class Table:
    """A table as information_schema describes it; sizes in bytes, `rows` an estimate."""

    name: str
    engine: str = "InnoDB"
    row_format: str = "Dynamic"
    rows: int = 0
    data: int = 0
    index: int = 0


@dataclass(frozen=True)
class Work:
    """What the change still wants of one table: statements by the algorithm they name."""

    table: str
    texts: tuple[str, ...] = ()

    def count(self, name: str) -> int:
        """Return how many statements name this algorithm."""
        return sum(algorithm(statement) == name for statement in self.texts)

    @property
    def backfills(self) -> bool:
        """Whether a statement goes over the rows in ranges."""
        return any(mentions_variable(statement, "chunk_from") for statement in self.texts)


@dataclass(frozen=True)
class Tables:
    """Every table of the database, and what ties them."""

    tables: tuple[Table, ...] = ()
    views: int = 0
    keys: tuple[tuple[str, str], ...] = ()
    """Foreign keys: the table that has it, and the one it refers to."""
    triggers: tuple[tuple[str, str, str], ...] = ()
    """Table, event (INSERT, UPDATE, DELETE) and name."""
    fulltext: tuple[tuple[str, str], ...] = ()

    @property
    def data(self) -> int:
        """The bytes of all tables without their indexes."""
        return sum(table.data for table in self.tables)

    def table(self, name: str) -> Table | None:
        """Return the table called `name`, None where there is none."""
        return next((table for table in self.tables if table.name == name), None)


def look(session: Session) -> Tables | Unseen:
    """Look at all tables of the database."""
    if not session.server.is_mariadb:
        # MySQL caches these sizes for a day; the engine itself knows them better.
        session.execute("SET SESSION information_schema_stats_expiry = 0")
    found = rows(session, TABLES)
    if isinstance(found, Unseen):
        return found
    return Tables(
        tuple(_table(row) for row in found if as_text(row[1]) != "VIEW"),
        sum(as_text(row[1]) == "VIEW" for row in found),
        tuple((as_text(a), as_text(b)) for a, b in _shown(session, KEYS)),
        tuple((as_text(a), as_text(b), as_text(c)) for a, b, c in _shown(session, TRIGGERS)),
        tuple((as_text(a), as_text(b)) for a, b in _shown(session, FULLTEXT)),
    )


def wanted(session: Session, change: Change) -> tuple[str, ...]:
    """Return the statements that the migration's guards ask for now.

    Nothing where a guard fails: migrate's own look says which, and why.
    """
    try:
        choices = [c for file in change.migrate for c in guards.choose(session, file)]
    except RunbookError:
        return ()
    return tuple(c.text for c in choices if not c.done and not c.refused)


def work_of(statements: tuple[str, ...]) -> tuple[Work, ...]:
    """Return what `statements` want, by table."""
    texts: dict[str, list[str]] = {}
    for statement in statements:
        if name := target(statement):
            texts.setdefault(name, []).append(statement)
    return tuple(Work(name, tuple(its)) for name, its in texts.items())


def findings(
    where: str, mysql: bool, found: Tables | Unseen, wanted: tuple[Work, ...], *, ours: bool = True
) -> Iterator[Finding]:
    """Say of each table that the change will touch how large it is and how it will go.

    What is wanted is not `ours` to send where the application's own runner migrates.
    """
    if isinstance(found, Unseen):
        yield Finding("tables", where, Level.WARNING, f"they cannot be seen: {found.why}")
        return
    total = size(found.data + sum(table.index for table in found.tables))
    yield Finding(
        "tables", where, Level.OK, f"{counted(len(found.tables), 'table')}, {total} with indexes"
    )
    loose = tuple(table.name for table in found.tables if table.engine != "InnoDB")
    if loose:
        yield Finding(
            "tables",
            where,
            Level.WARNING,
            f"not InnoDB: {listed(loose)}; a dump has them as they happen to be, while the rest "
            "is of one moment",
            "ALTER TABLE … ENGINE=InnoDB, or let nothing write to them during the backup.",
        )
    for work in wanted:
        yield from _of_table(where, mysql, found, work, ours)


def _of_table(where: str, mysql: bool, found: Tables, work: Work, ours: bool) -> Iterator[Finding]:
    table = found.table(work.table)
    what = f"table {work.table}"
    if table is None:
        yield Finding(what, where, Level.OK, "not there yet; the change makes it")
        return
    facts = [
        f"about {counted(table.rows, 'row')}",
        f"{size(table.data)} and {size(table.index)} of indexes",
        *_estimates(table, work),
        *_ties(mysql, found, work),
    ]
    yield Finding(what, where, Level.OK, "; ".join(facts))
    yield from _obstacles(where, found, table, work, ours)


def _estimates(table: Table, work: Work) -> Iterator[str]:
    if instant := work.count("INSTANT"):
        yield f"INSTANT ({instant}): milliseconds"
    if inplace := work.count("INPLACE"):
        yield f"INPLACE ({inplace}): {estimates.index(inplace * table.rows)}, writers go on"
    if work.backfills:
        yield f"backfill: {estimates.backfill(table.rows)}, if of every row"


def _ties(mysql: bool, found: Tables, work: Work) -> Iterator[str]:
    updates = tuple(
        name for table, event, name in found.triggers if table == work.table and event == "UPDATE"
    )
    if updates and work.backfills:
        yield f"the backfill fires {listed(updates)}"
    children = tuple(dict.fromkeys(a for a, b in found.keys if b == work.table and a != work.table))
    if children and mysql and work.texts:
        # Measured on MySQL 9.7; MariaDB 10.11 does not lock them.
        yield f"DDL also waits for transactions on {listed(children)}, whose keys refer to it"


def _obstacles(
    where: str, found: Tables, table: Table, work: Work, ours: bool
) -> Iterator[Finding]:
    """Yield what makes a statement fail or a change unsafe (measured: MariaDB 10.11, MySQL 9.7)."""
    reasons, mends = [], []
    if table.engine != "InnoDB":
        reasons.append(f"its engine is {table.engine}: changes lock it, and chunks cannot undo")
        mends.append(f"ALTER TABLE {table.name} ENGINE=InnoDB")
    elif table.row_format.lower() == "compressed":
        reasons.append("its rows are COMPRESSED")
        mends.append(f"ALTER TABLE {table.name} ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=0")
    fulltext = [index for name, index in found.fulltext if name == table.name]
    reasons += [f"it has the FULLTEXT index {index}" for index in fulltext]
    mends += [f"ALTER TABLE {table.name} DROP INDEX {index}" for index in fulltext]
    kind = (table.engine, table.row_format)
    refused = Counter(online.impossible(*kind, work.texts, fulltext=bool(fulltext)))
    if refused:
        said = " and ".join(f"{how} ({times})" for how, times in refused.items())
        yield Finding(
            f"table {table.name}",
            where,
            Level.REFUSED if ours else Level.WARNING,
            f"{' and '.join(reasons)}; the server will refuse {said}",
            f"{'; '.join(mends)}, when nobody needs the table: it is copied, or locked. Or let the "
            "change's file name another algorithm.",
        )
    elif reasons and (work.count("INSTANT") or table.engine != "InnoDB"):
        yield Finding(
            f"table {table.name}",
            where,
            Level.WARNING,
            f"{' and '.join(reasons)}; the server may refuse ALGORITHM=INSTANT",
            "The change stops there without harm; plan that statement with another algorithm.",
        )
    copies = tuple(
        other.name
        for other in found.tables
        if re.fullmatch(rf"_{re.escape(table.name)}_(?:new|old|gho|ghc|del)", other.name)
    )
    if copies:
        yield Finding(
            f"table {table.name}",
            where,
            Level.WARNING,
            f"{listed(copies)} is there: another schema-change tool is, or was, at work on it",
            "Make sure that no pt-online-schema-change or gh-ost is running.",
        )


def _shown(session: Session, query: str) -> tuple[Row, ...]:
    found = rows(session, query)
    return () if isinstance(found, Unseen) else found


def _table(row: Row) -> Table:
    name, _kind, engine, row_format, estimate, data, index = row
    return Table(
        as_text(name),
        as_text(engine),
        as_text(row_format),
        number(estimate),
        number(data),
        number(index),
    )
