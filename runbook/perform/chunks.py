"""Performs a statement over ranges of an integer key, each its own short transaction."""

from __future__ import annotations

import time

from runbook.database.replication import lag
from runbook.database.schema import shape
from runbook.database.sessions import LockWait, SqlError, Value
from runbook.errors import Outcome, StepFailed
from runbook.perform.run import Result, Run
from runbook.plan.statements import Chunks
from runbook.sql.text import quote_name
from runbook.units import counted

FIRST_WIDTH = 1000
LEAST_WIDTH = 500
"""Fewer rows spare nobody and, on a slow line, never get anywhere."""
RANGE = "SET @chunk_from = %s, @chunk_to = %s"
TRIES = 10
REPLICA_EVERY = 1.0
SPAN = "SELECT @chunk_from, @chunk_to"
ROWS = """\
SELECT MAX(piece.k) FROM (SELECT {key} AS k FROM {table} WHERE {key} BETWEEN %s AND %s
 ORDER BY {key} LIMIT %s) AS piece"""
POSITION = "SELECT position FROM runbook_ledger WHERE id = %s"


def perform(step: Chunks, run: Run) -> Result:
    """Run every range from where an interrupted run left off; tell progress and ETA.

    A range is as wide as takes the policy's `chunk_time`. How far it is stands
    in the ledger, written in the chunk's own transaction, so a killed run
    continues exactly there.

    Raises:
        StepFailed, Lost, Interrupted: what was done so far stays done and recorded.
    """
    for text in step.span:
        run.writer.execute(text)
    first, last = run.writer.rows(SPAN)[0]
    if first is None or last is None:
        return Result(Outcome.OK, "no rows")
    first, last = _number(first), _number(last)
    row, position = _resume(step, run)
    start = max(first, position + 1) if position is not None else first
    origin, changed, width, began = start, 0, FIRST_WIDTH, time.monotonic()
    total, looked = max(0, last - first + 1), 0.0
    try:
        while start <= last:
            if time.monotonic() - looked > REPLICA_EVERY:
                _wait_for_replicas(run)
                looked = time.monotonic()
            end = _end_of(step, run, start, last, width)
            if end is None:
                break
            took = time.monotonic()
            changed += _chunk(step, run, row, start, end)
            took = time.monotonic() - took
            start = end + 1
            rate = (start - origin) / max(time.monotonic() - began, 1e-6)
            run.progress(start - first, "keys", total=total, eta=(last - end) / rate)
            width = next_width(width, took, run.environment.policy.chunk_time)
            if start <= last:
                run.keep_lock()
                run.brake.check()
                run.gate.hold(step)
    except SqlError as error:
        raise StepFailed(
            f"{step.origin}: {error.message}",
            advice=f"{error.advice} Done up to key {start - 1}; run the same command again to "
            "continue there.".strip(),
        ) from error
    run.ledger.finished(row, Outcome.CHANGED)
    return Result(Outcome.CHANGED if changed else Outcome.OK, f"{counted(changed, 'row')} changed")


def next_width(width: int, took: float, wanted: float) -> int:
    """Return the next range's width in rows, so that it takes about `wanted` seconds.

    It grows at most fourfold at a time and halves at most, so that one lucky or
    unlucky range does not throw it off; and it stays at `LEAST_WIDTH` or above.
    """
    factor = min(4.0, max(0.5, wanted / max(took, 1e-6)))
    return max(LEAST_WIDTH, int(width * factor))


def _chunk(step: Chunks, run: Run, row: int, start: int, end: int) -> int:
    """Run one range; a deadlock or lock wait is tried again, with a pause."""
    for attempt in range(1, TRIES + 1):
        try:
            run.writer.execute("START TRANSACTION")
            run.writer.execute(RANGE, (start, end))
            changed = run.writer.execute(step.text)
            run.ledger.reached(row)
            run.writer.execute("COMMIT")
            return changed
        except SqlError as error:
            run.writer.execute("ROLLBACK")
            if not isinstance(error, LockWait):
                raise
            if attempt == TRIES:
                raise
            run.waiting(f"rows {start} to {end} are locked by somebody; try {attempt} of {TRIES}")
            run.brake.pause(0.2 * attempt)
    raise AssertionError("unreachable")


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
    return run.ledger.started(step.origin, step.checksum, before, phase=step.phase), None


def _wait_for_replicas(run: Run) -> None:
    """Hold back while a replica is further behind than the policy allows."""
    limit = run.environment.policy.max_replica_lag
    for replica in run.environment.database.replicas:
        while (behind := lag(run.database, replica.name)) is not None and behind > limit:
            run.waiting(f"replica {replica.name} is {behind:g} s behind (limit {limit:g} s)")
            run.keep_lock()
            run.brake.pause(1.0)


def _number(value: Value) -> int:
    return int(str(value))
