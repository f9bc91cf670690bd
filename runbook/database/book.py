"""The ledger as a look reads it: what was done to the database, by which runs, and what was left.

`ledger` writes it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from runbook.database.ledger import ADDING, CREATE, RUNNER, TABLE, UNDOING
from runbook.database.sessions import Session, Value, as_text
from runbook.errors import Outcome, Refusal


@dataclass(frozen=True)
class Entry:
    """One statement's row."""

    id: int
    run: str
    phase: str
    change: str
    statement: str
    checksum: str
    target: str | None
    before_objects: frozenset[str]
    before_ddl: str | None
    position: int | None
    added: tuple[str, ...]
    named: tuple[str, ...] | None
    """As long as it is not finished, what its text adds; None where nobody knows the text."""
    operator: str
    host: str
    started_at: str
    finished: bool
    outcome: str | None

    @property
    def untouched(self) -> bool:
        """Whether it changed nothing: it was refused, or did not get its lock."""
        failed = self.finished and self.outcome == Outcome.FAILED
        return failed and not self.added and not self.of_runner

    @property
    def of_runner(self) -> bool:
        """Whether it says what the application's own runner did to a table."""
        return self.statement.startswith(RUNNER)


@dataclass(frozen=True)
class RunEntry:
    """One run's row: the plan that was approved, and the digests of the steps it had left.

    `undone`: something was undone since it began.
    """

    run: str
    phase: str
    change: str
    plan: str
    steps: tuple[str, ...]
    operator: str
    host: str
    connection: int
    started_at: str
    outcome: str | None
    undone: bool = False


@dataclass(frozen=True)
class Book:
    """The ledger as a look found it; empty where there is no such table."""

    exists: bool = False
    entries: tuple[Entry, ...] = ()
    runs: tuple[RunEntry, ...] = ()
    undone: float = math.inf
    """Seconds since something was last undone here."""

    def of(self, change: str, *phases: str) -> tuple[Entry, ...]:
        """Return the rows of a change that were not undone, oldest first.

        Of these phases; else of all that add something.
        """
        wanted = phases or ADDING
        return tuple(e for e in self.entries if e.change == change and e.phase in wanted)

    def leftovers(self, change: str) -> tuple[Entry, ...]:
        """Return the rows of a change that were started and never finished."""
        return tuple(e for e in self.entries if e.change == change and not e.finished)

    def interrupted(self) -> RunEntry | None:
        """Return the latest run when it was stopped, or nobody knows how it ended."""
        open_ended = (None, Outcome.STOPPED, Outcome.UNKNOWN)
        return self.runs[-1] if self.runs and self.runs[-1].outcome in open_ended else None

    def latest(self, phase: str, change: str, plan: str) -> RunEntry | None:
        """Return the latest run of a plan; None where none of the newest runs was of it."""
        found = (
            r for r in reversed(self.runs) if (r.phase, r.change, r.plan) == (phase, change, plan)
        )
        return next(found, None)

    def undo_since(self, run: RunEntry) -> str:
        """Say what was undone, or begun to be, since a run began; empty when nothing was."""
        later = self.runs[self.runs.index(run) + 1 :]
        for each in later:
            if each.phase == UNDOING:
                return f"{UNDOING} was run (run {each.run}, by {each.operator})"
        return "something was undone" if later and later[0].undone else ""

    def before(self, change: str) -> dict[str, str | None]:
        """Return, per table, its SHOW CREATE TABLE before the change first touched it."""
        first: dict[str, str | None] = {}
        for entry in self.of(change):
            if entry.target is not None and not entry.untouched:
                first.setdefault(entry.target, entry.before_ddl)
        return first


ENTRIES = f"""\
SELECT id, run, phase, change_name, statement, checksum, target, before_objects, before_ddl,
 position, added, operator, host, started_at, finished_at, outcome FROM {TABLE}
 WHERE entry = 'statement' AND undone_at IS NULL ORDER BY id"""
RUNS = f"""\
SELECT run, phase, change_name, plan, steps, operator, host, connection_id, started_at, outcome,
 started_at <= COALESCE((SELECT MAX(undone_at) FROM {TABLE}), 0)
 FROM {TABLE} WHERE entry = 'run' ORDER BY id DESC LIMIT 20"""
UNDONE_AGO = f"SELECT TIMESTAMPDIFF(SECOND, MAX(undone_at), UTC_TIMESTAMP(6)) FROM {TABLE}"


COLUMNS = f"""\
SELECT COLUMN_NAME, LOWER(DATA_TYPE), EXTRA LIKE '%auto_increment%',
 IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL
 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{TABLE}'"""


def read_book(session: Session) -> Book:
    """Read the ledger; a database without one has an empty book.

    Raises:
        Refusal: the table of its name is not ours; says in which columns.
    """
    columns = session.rows(COLUMNS)
    if not columns:
        return Book()
    if others := _other_columns(columns):
        raise Refusal(
            f"the table {TABLE} has other columns than this program's: {'; '.join(others)}",
            advice=f"Rename that table away if it is somebody else's; compare with:\n{CREATE}",
        )
    undone = session.value(UNDONE_AGO)
    ago = math.inf if undone is None else float(str(undone))
    entries, runs = session.rows(ENTRIES), session.rows(RUNS)
    return Book(True, tuple(map(_entry, entries)), tuple(map(_run, reversed(runs))), ago)


def _other_columns(rows: tuple[tuple[Value, ...], ...]) -> tuple[str, ...]:
    """Return in what these columns differ from those of `CREATE`; more of them may be there."""
    there = {as_text(name): (as_text(type_), own, given) for name, type_, own, given in rows}
    wanted = dict(re.findall(r"^  ([a-z_]+) ([A-Z]+)", CREATE, re.MULTILINE))
    found = [f"{name} is absent" for name in wanted if name not in there]
    for name, (type_, own, given) in there.items():
        if name not in wanted:
            found += [f"{name} must be given a value"] if given else []
        elif type_ != wanted[name].lower():
            found.append(f"{name} is {type_} instead of {wanted[name].lower()}")
        elif name == "id" and not own:
            found.append("id does not count by itself")
    return tuple(found)


def _entry(row: tuple[Value, ...]) -> Entry:
    (ident, run, phase, change, statement, checksum, target, objects, ddl, position, added,
     operator, host, started, finished, outcome) = row  # fmt: skip
    names = tuple(str(added).split(",")) if added else ()
    return Entry(
        int(str(ident)),
        str(run),
        str(phase),
        str(change),
        str(statement),
        str(checksum),
        None if target is None else str(target),
        frozenset(str(objects).split(",")) if objects else frozenset(),
        None if ddl is None else str(ddl),
        None if position is None else int(str(position)),
        () if finished is None else names,
        None if added is None else names,
        str(operator),
        str(host),
        str(started),
        finished is not None,
        None if outcome is None else str(outcome),
    )


def _run(row: tuple[Value, ...]) -> RunEntry:
    (run, phase, change, plan, steps, operator, host, connection, started, outcome,
     undone) = row  # fmt: skip
    return RunEntry(
        str(run),
        str(phase),
        str(change),
        str(plan),
        tuple(str(steps or "").split()),
        str(operator),
        str(host),
        int(str(connection)),
        str(started),
        None if outcome is None else str(outcome),
        bool(undone),
    )
