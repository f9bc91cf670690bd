"""What holds up a backfill: rows that others have locked. It steps back, and names them."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from types import TracebackType

from runbook.database.blockers import row_blockers
from runbook.database.sessions import LockWait
from runbook.errors import RunbookError, StepFailed
from runbook.perform.run import Run
from runbook.plan.statements import Chunks

EVERY = 0.25
UNSEEN = "a session that this account cannot see"


class HoldUp:
    """Since when a backfill is held up, up to which key, and by whom; a context manager.

    Who holds a row lock is only shown while somebody waits for it. So a thread
    asks that, on the reading session, when a try has lasted for half of the
    time that it may wait.
    """

    def __init__(self, step: Chunks, run: Run) -> None:
        self._step = step
        self._run = run
        self._since: float | None = None
        self._until: int | None = None
        self._tried = 0.0
        self._asked = True
        self._seen: tuple[str, ...] = ()
        self._asking = threading.Lock()
        self._over = threading.Event()
        self._beside = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> HoldUp:
        self._beside.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _at: TracebackType | None
    ) -> None:
        self._over.set()
        self._beside.join()  # the reading session is for one thread at a time

    def trying(self) -> None:
        """Say that a try begins."""
        with self._asking:
            self._tried, self._asked, self._seen = time.monotonic(), False, ()

    def passed(self, end: int) -> bool:
        """Whether nothing holds it up any more, now that all up to key `end` is done."""
        if self._until is None or end >= self._until:
            self._since = None
        return self._since is None

    def step_back(self, error: LockWait, what: str, until: int | None = None) -> None:
        """Tell who has locked what, and wait a while.

        With `until` it is over when all up to that key is done, else with the next range.

        Raises:
            StepFailed: that has lasted for too long.
            Interrupted: a stop was asked for, or the window has closed.
        """
        run, limits = self._run, self._run.environment.timeouts
        with self._asking:
            self._asked, who = True, "; ".join(self._seen) or UNSEEN
        if self._since is None:
            self._since, self._until = self._tried, until
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

    def _look_on(self) -> None:
        run, half = self._run, self._run.environment.timeouts.lock_wait / 2
        database = run.environment.database.name
        while not self._over.wait(min(EVERY, half / 2)):
            with self._asking:
                if not self._asked and time.monotonic() - self._tried > half:
                    self._asked = True
                    with suppress(RunbookError):
                        self._seen = row_blockers(
                            run.reader, database, self._step.table, run.writer.id
                        )
