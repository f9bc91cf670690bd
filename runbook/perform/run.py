"""What the performers of steps are handed: the open connections of one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runbook.database.connect import Database
from runbook.database.ledger import Ledger
from runbook.database.lock import HOLDS_LOCK, give_back, lock_name
from runbook.database.sessions import Session
from runbook.environment import Environment
from runbook.errors import Lost, Outcome
from runbook.events import CheckRow, Event, StepOutput, StepProgress, StepWaiting
from runbook.hosts.remote import Hosts
from runbook.perform.brake import Brake
from runbook.plan.gate import Gate


@dataclass(frozen=True)
class Result:
    """How performing one step ended."""

    outcome: Outcome
    detail: str = ""
    checks: tuple[CheckRow, ...] = ()
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run: who runs what, over which connections, and who is told.

    `writer` holds the lock of the environment: when it dies the lock dies with
    it, and nothing can be written any more. A run without the lock has only a
    reader for both, opened when a step first asks. `number` is the step in hand,
    `admit` asks whether it may still be begun, and raises Interrupted where not.
    """

    id: str
    environment: Environment
    hosts: Hosts
    database: Database
    write: Callable[[], Session]
    read: Callable[[], Session]
    ledger: Ledger
    credentials: Callable[[], str]
    brake: Brake
    tell: Callable[[Event], None]
    ask: Callable[[str], str]
    gate: Gate
    number: int = 0
    admit: Callable[[], None] = lambda: None
    _beat: list[float] = field(default_factory=lambda: [time.monotonic()])
    _parts: dict[int, str] = field(default_factory=dict)

    @property
    def writer(self) -> Session:
        """The session that writes."""
        return self.write()

    @property
    def reader(self) -> Session:
        """A session that the server keeps read-only."""
        return self.read()

    def progress(
        self,
        done: int,
        unit: str,
        *,
        total: int | None = None,
        eta: float | None = None,
        note: str = "",
    ) -> None:
        """Tell how far the step in hand is."""
        self.tell(StepProgress(self.number, done, unit, total, eta, note))

    def output(self, lines: tuple[str, ...]) -> None:
        """Tell what the command of the step in hand has printed."""
        self.tell(StepOutput(self.number, lines))

    def waiting(self, why: str) -> None:
        """Tell why the step in hand holds back."""
        self.tell(StepWaiting(self.number, why))

    def stays(self, part: str) -> None:
        """Keep what the step in hand has done so far, and what stays done however it ends."""
        self._parts[self.number] = part

    def part(self, number: int) -> str:
        """Return what step `number` has done that stays so; empty for nothing."""
        return self._parts.get(number, "")

    def settle(self, outcome: Outcome) -> None:
        """Close the ledger and give the lock back: nothing will be changed any more.

        What follows only looks on, perhaps for days, and must not keep others out.
        """
        self.ledger.close(outcome)
        give_back(self.writer, self.environment)

    def keep_lock(self, every: float = 5.0) -> None:
        """Prove, at most every so many seconds, that the writing session still holds the lock.

        Raises:
            Lost: it is gone, and the lock with it.
        """
        if time.monotonic() - self._beat[0] < every:
            return
        advice = "Somebody else may be running here now: invoke status says who."
        try:
            held = self.writer.value(HOLDS_LOCK, (lock_name(self.environment),)) == 1
        except Lost as error:
            message = f"the lock of {self.environment.name} was lost: {error.message}"
            raise Lost(message, advice=advice) from error
        if not held:
            raise Lost(f"the lock of {self.environment.name} was lost", advice=advice)
        self._beat[0] = time.monotonic()
