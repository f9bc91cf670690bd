"""Performs a statement over ranges of an integer key, each its own short transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runbook.database.replication import following
from runbook.database.schema import shape
from runbook.database.sessions import LockWait, Row, SqlError, Value
from runbook.errors import Outcome, StepFailed
from runbook.perform.holdup import HoldUp
from runbook.perform.run import Result, Run
from runbook.plan.statements import Chunks
from runbook.sql.text import quote_name
from runbook.units import counted

FIRST_WIDTH = 1000
LEAST_WIDTH = 500
"""Fewer rows spare nobody and, on a slow line, never get anywhere."""
RANGE = "SET @chunk_from = %s, @chunk_to = %s"
REPLICA_EVERY = 1.0
SPAN = "SELECT @chunk_from, @chunk_to"
ROWS = """\
SELECT MAX(piece.k) FROM (SELECT {key} AS k FROM {table} WHERE {key} BETWEEN %s AND %s
 ORDER BY {key} LIMIT %s) AS piece"""
POSITION = "SELECT position FROM runbook_ledger WHERE id = %s"


@dataclass
class Place:
    """Where a backfill is: its keys, which of them begins the next range, what it changed.

    `start` is None as long as it does not know its keys.
    """

    first: int = 0
    last: int = -1
    start: int | None = None
    changed: int = 0

    @property
    def next(self) -> int:
        """The key that comes next."""
        return self.first if self.start is None else self.start

    @property
    def said(self) -> str:
        """What it has done, for people."""
        return f"{counted(self.changed, 'row')} changed"

    @property
    def onward(self) -> str:
        """How far it is, and how it goes on."""
        again = "run the same command again"
        if self.start is None:
            return f"Then {again}."
        return f"Done up to key {self.start - 1}; {again} to continue there."


def perform(step: Chunks, run: Run) -> Result:
    """Run every range from where an interrupted run left off; tell progress and ETA.

    A range is as wide as takes the policy's `chunk_time`. How far it is stands
    in the ledger, written in the chunk's own transaction, so a killed run
    continues exactly there.

    Raises:
        StepFailed, Lost, Interrupted: what was done so far stays done and recorded.
    """
    place = Place()
    try:
        with HoldUp(step, run) as hold_up:
            first, last = _span(step, run, hold_up)
            if first is None or last is None:
                return Result(Outcome.OK, "no rows")
            row, position = _resume(step, run)
            place.first, place.last = _number(first), _number(last)
            place.start = place.first if position is None else max(place.first, position + 1)
            _fill(step, run, row, place, hold_up)
    except StepFailed as error:
        raise StepFailed(
            f"{step.origin}: {error.message}", advice=f"{error.advice} {place.onward}".strip()
        ) from error
    run.ledger.finished(row, Outcome.CHANGED)
    outcome = Outcome.CHANGED if place.changed else Outcome.OK
    return Result(outcome, place.said)


def _span(step: Chunks, run: Run, hold_up: HoldUp) -> Row:
    """Return the first and the last key; to find them may have to wait for a lock as well."""
    while True:
        hold_up.trying()
        try:
            for text in step.span:
                run.writer.execute(text)
            return run.writer.rows(SPAN)[0]
        except LockWait as error:
            hold_up.step_back(error, f"the first or the last row of {step.table}")


def _fill(step: Chunks, run: Run, row: int, place: Place, hold_up: HoldUp) -> None:
    """Run range after range; one that others hold up is tried again, narrower."""
    origin = start = place.next
    width, began, looked = FIRST_WIDTH, time.monotonic(), 0.0
    total = max(0, place.last - place.first + 1)
    while start <= place.last:
        if time.monotonic() - looked > REPLICA_EVERY:
            _wait_for_replicas(step, run)
            looked = time.monotonic()
        end, tried = None, time.monotonic()
        hold_up.trying()
        try:
            end = _end_of(step, run, start, place.last, width)
            if end is None:
                break
            place.changed += _chunk(step, run, row, start, end)
        except LockWait as error:
            if end is None:
                hold_up.step_back(error, f"table {step.table}")
                continue
            hold_up.step_back(error, f"a row of keys {start} to {end}", end)
            # While it waits for one row it holds those before it in its range.
            width = max(1, min(width, end - start + 1) // 2)
            continue
        took = time.monotonic() - tried
        place.start = start = end + 1
        if place.changed:
            run.stays(place.said)
        rate = (start - origin) / max(time.monotonic() - began, 1e-6)
        eta = (place.last - end) / rate
        run.progress(start - place.first, "keys", total=total, eta=eta)
        if hold_up.passed(end):
            width = next_width(width, took, run.environment.policy.chunk_time)
        if start <= place.last:
            run.keep_lock()
            run.brake.check()
            run.gate.hold(step)


def next_width(width: int, took: float, wanted: float) -> int:
    """Return the next range's width in rows, so that it takes about `wanted` seconds.

    It grows at most fourfold at a time and halves at most, so that one lucky or
    unlucky range does not throw it off; and it stays at `LEAST_WIDTH` or above.
    """
    factor = min(4.0, max(0.5, wanted / max(took, 1e-6)))
    return max(LEAST_WIDTH, int(width * factor))


def _chunk(step: Chunks, run: Run, row: int, start: int, end: int) -> int:
    """Run one range in its own transaction; return how many rows it changed.

    Raises:
        SqlError: nothing of it was done, and nothing is locked any more.
    """
    try:
        run.writer.execute("START TRANSACTION")
        run.writer.execute(RANGE, (start, end))
        changed = run.writer.execute(step.text)
        run.ledger.reached(row)
        run.writer.execute("COMMIT")
    except SqlError:
        run.writer.execute("ROLLBACK")
        raise
    return changed


def _end_of(step: Chunks, run: Run, start: int, last: int, width: int) -> int | None:
    """Return the key that ends the next `width` rows, or None where none are left.

    Counted in rows: over a gap in the keys, a range of values would grow until
    one transaction held whatever lies behind the gap.
    """
    text = ROWS.format(key=quote_name(step.key), table=quote_name(step.table or ""))
    end = run.writer.value(text, (start, last, width))
    return None if end is None else _number(end)


def _resume(step: Chunks, run: Run) -> tuple[int, int | None]:
    """Return the ledger's row for this statement and how far it already is."""
    if step.resume is not None:
        position = run.writer.value(POSITION, (step.resume,))
        return step.resume, None if position is None else _number(position)
    before = shape(run.writer, step.table) if step.table else None
    return run.ledger.started(step.origin, step.checksum, before, adds=(), phase=step.phase), None


def _wait_for_replicas(step: Chunks, run: Run) -> None:
    """Hold back while a replica is further behind than the policy allows, or does not follow.

    Raises:
        StepFailed: it has not followed for as long as a lock would be waited for.
    """
    limit = run.environment.policy.max_replica_lag
    patience = run.environment.timeouts.lock_give_up
    for replica in run.environment.database.replicas:
        followed = time.monotonic()
        while (state := following(run.database, replica.name)).lag is None or state.lag > limit:
            if state.lag is not None:
                followed = time.monotonic()
                why = f"replica {replica.name} is {state.lag:g} s behind (limit {limit:g} s)"
            else:
                why = f"replica {replica.name} does not follow: {state.why}"
            if time.monotonic() - followed > patience:
                raise StepFailed(
                    f"{why}, for more than {patience:g} s",
                    advice=f"Mend {replica.name}, or take it out of database.replicas in the "
                    "inventory.",
                )
            run.waiting(why)
            run.keep_lock()
            run.gate.hold(step)
            run.brake.pause(1.0)


def _number(value: Value) -> int:
    return int(str(value))
