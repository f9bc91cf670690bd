"""Performs one SQL statement, waiting only briefly for its metadata lock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from runbook.database.blockers import blockers
from runbook.database.schema import Shape, shape
from runbook.database.sessions import THERE, UNSURE, LockWait, SqlError
from runbook.errors import Interrupted, Outcome, StepFailed
from runbook.perform.run import Result, Run
from runbook.plan.statements import Record, Statement
from runbook.sql.adds import adds

REFUSED = (
    "Nothing of this statement was done. Mend what the server names, then run the same command "
    "again: until then it will be refused again."
)


class Row:
    """The statement's row of the ledger: open while a try is in hand, and only then.

    Between two tries others get at the table. What they add must count as there
    before the next one, and a run that dies in between must leave no open row,
    which could take it for ours.
    """

    def __init__(self, step: Statement, run: Run) -> None:
        """Open it."""
        self._step, self._run = step, run
        self._adds = adds(step.text)
        self._before = self._shape()
        self._id = run.ledger.started(
            step.origin, step.checksum, self._before, adds=self._adds, phase=step.phase
        )
        self._open = True

    def attempt(self, work: Callable[[], object]) -> None:
        """Try once; the lock that was not to be had is raised as LockWait."""
        try:
            if not self._open:
                self._before, self._open = self._shape(), True
                self._run.ledger.again(self._id, self._before, self._adds)
            work()
        except LockWait:
            self.refused()
            raise

    def refused(self) -> None:
        """Close it, unless it is: nothing happened."""
        if self._open:
            self._run.ledger.finished(self._id, Outcome.FAILED)
        self._open = False

    def done(self) -> tuple[str, ...]:
        """Close it, and return what was added: what the text names and was not there before."""
        # Of IF NOT EXISTS, where it does exist; asked before anything else is sent.
        said = self._run.writer.rows("SHOW WARNINGS") if self._adds else ()
        others = any(row[1] in THERE for row in said)
        added = () if others else self._added(self._shape())
        self._run.ledger.finished(self._id, Outcome.CHANGED, added)
        return added

    def unsure(self) -> None:
        """Close it as the schema says: the statement was ended, maybe at its very end."""
        now = self._shape()
        outcome = Outcome.FAILED if now == self._before else Outcome.CHANGED
        self._run.ledger.finished(self._id, outcome, self._added(now))

    def _shape(self) -> Shape | None:
        return shape(self._run.writer, self._step.table) if self._step.table else None

    def _added(self, now: Shape | None) -> tuple[str, ...]:
        return now.added_since(self._before.objects, self._adds) if now and self._before else ()


def perform(step: Statement, run: Run, attempt: Callable[[], object] | None = None) -> Result:
    """Run the statement between its two rows of the ledger, and say what it added.

    `attempt` is what may have to wait for a lock, if it is more than the statement.

    Raises:
        StepFailed: the server refused it, or its lock was not to be had in time.
        Interrupted: it was not to be had in time for the window, or the operator stopped.
        Lost: the connection went away; the ledger's open row says what was in hand.
    """
    row = Row(step, run)
    work = attempt or (lambda: run.writer.execute(step.text))
    try:
        with_short_waits(step.origin, step.table, run, lambda: row.attempt(work))
    except SqlError as error:
        if error.code in UNSURE:
            row.unsure()
        else:
            row.refused()
        advice = error.advice or REFUSED
        raise StepFailed(f"{step.origin}: {error.message}", advice=advice) from error
    except (StepFailed, Interrupted):
        row.refused()
        raise
    added = row.done()
    return Result(Outcome.CHANGED, f"added {', '.join(added)}" if len(added) > 1 else "")


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
