"""Performs one SQL statement, waiting only briefly for its metadata lock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from runbook.database.blockers import blockers
from runbook.database.schema import Shape, shape
from runbook.database.sessions import LockWait, SqlError
from runbook.errors import Interrupted, Outcome, StepFailed
from runbook.perform.run import Result, Run
from runbook.plan.statements import Record, Statement


def perform(step: Statement, run: Run, attempt: Callable[[], object] | None = None) -> Result:
    """Run the statement between its two rows of the ledger, and say what it added.

    `attempt` is what may have to wait for a lock, if it is more than the statement.

    Raises:
        StepFailed: the server refused it, or its lock was not to be had in time.
        Interrupted: it was not to be had in time for the window, or the operator stopped.
        Lost: the connection went away; the ledger's open row says what was in hand.
    """
    before = shape(run.writer, step.table) if step.table else None
    row = run.ledger.started(step.origin, step.checksum, before, phase=step.phase)
    try:
        with_short_waits(
            step.origin, step.table, run, attempt or (lambda: run.writer.execute(step.text))
        )
    except SqlError as error:
        # It may have happened all the same, as when it is killed at its very end.
        run.ledger.finished(row, Outcome.FAILED, _added(run, before))
        raise StepFailed(f"{step.origin}: {error.message}", advice=error.advice) from error
    except (StepFailed, Interrupted):
        run.ledger.finished(row, Outcome.FAILED)
        raise
    added = _added(run, before)
    run.ledger.finished(row, Outcome.CHANGED, added)
    return Result(Outcome.CHANGED, f"added {', '.join(added)}" if len(added) > 1 else "")


def _added(run: Run, before: Shape | None) -> tuple[str, ...]:
    return shape(run.writer, before.table).added_since(before.objects) if before else ()


def record(step: Record, run: Run) -> Result:
    """Write what keeps the ledger true."""
    run.writer.execute(step.text)
    return Result(Outcome.CHANGED)


def with_short_waits(
    origin: str, table: str | None, run: Run, attempt: Callable[[], object]
) -> None:
    """Try again while the lock is held by others, never queueing long in front of anybody.

    A waiting ALTER makes every later query on its table wait behind it; so it
    waits for the session's few seconds only, then steps back for a while.

    Raises:
        StepFailed: the lock was not to be had in time; names who holds it.
        Interrupted: it was waited for until somebody stopped the run, or until the
            window was too short for it.
    """
    limits = run.environment.timeouts
    give_up = time.monotonic() + limits.lock_give_up
    while True:
        try:
            attempt()
            return
        except LockWait as error:
            holders = blockers(run.reader, run.environment.database.name, table, run.writer.id)
            who = "; ".join(holders) or "a session that this account cannot see"
            if time.monotonic() > give_up:
                raise StepFailed(
                    f"{origin}: the lock on {table} was not to be had within "
                    f"{limits.lock_give_up:g} s; blocked by {who}",
                    advice="End that session, or wait for it, then run the same command again.",
                ) from error
            run.waiting(f"lock on {table} held by {who}; stepping back, then again")
            # Jitter, so that two programs that step back do not meet again.
            run.brake.pause(limits.lock_wait * random.uniform(0.5, 1.5))  # noqa: S311
            run.admit()  # the window may have become too short meanwhile
