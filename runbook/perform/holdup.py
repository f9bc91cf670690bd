"""What holds up a backfill: rows that others have locked. It steps back, and names them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runbook.database.blockers import row_blockers
from runbook.database.sessions import LockWait
from runbook.errors import RunbookError, StepFailed
from runbook.perform.run import Run
from runbook.plan.statements import Chunks

UNSEEN = "a session that this account cannot see"


class HoldUp:
    """Since when a backfill is held up, and up to which key; it is over behind that one."""

    def __init__(self, step: Chunks, run: Run) -> None:
        self._step = step
        self._run = run
        self._since: float | None = None
        self._until: int | None = None

    def passed(self, end: int) -> bool:
        """Whether nothing holds it up any more, now that all up to key `end` is done."""
        if self._until is None or end >= self._until:
            self._since = None
        return self._since is None

    def step_back(
        self, error: LockWait, what: str, who: str, began: float, until: int | None = None
    ) -> None:
        """Tell who has locked what, and wait a while; it was tried since `began`.

        With `until` it is over when all up to that key is done, else with the next range.

        Raises:
            StepFailed: that has lasted for too long.
            Interrupted: a stop was asked for, or the window has closed.
        """
        run, limits = self._run, self._run.environment.timeouts
        if self._since is None:
            self._since, self._until = began, until
        # A deadlock is over before anybody can be asked who was in it.
        held = "in a deadlock with another session" if error.is_deadlock else f"locked by {who}"
        if time.monotonic() - self._since > limits.lock_give_up:
            raise StepFailed(
                f"after more than {limits.lock_give_up:g} s {what} is still {held}",
                advice="End that session, or wait for it.",
            ) from error
        run.waiting(f"{what} is {held}; stepping back, then again")
        run.keep_lock()
        run.gate.hold(self._step)
        # Jitter, so that two programs that step back do not meet again.
        seconds = 0.2 if error.is_deadlock else limits.lock_wait
        run.brake.pause(seconds * random.uniform(0.5, 1.5))  # noqa: S311


@contextmanager
def looking_on(run: Run, table: str | None) -> Iterator[Callable[[], str]]:
    """Hand over what says who held up a statement that ended with a lock wait.

    Who holds a row lock is only shown while somebody waits for it, so that is
    asked from beside, in the midst of the wait.
    """
    seen: list[str] = []

    def look() -> None:
        with suppress(RunbookError):
            name = run.environment.database.name
            seen.extend(row_blockers(run.reader, name, table, run.writer.id))

    timer = threading.Timer(run.environment.timeouts.lock_wait / 2, look)
    timer.daemon = True

    def who() -> str:
        timer.cancel()
        timer.join()  # the reading session is for one thread at a time
        return "; ".join(seen) or UNSEEN

    timer.start()
    try:
        yield who
    finally:
        who()
