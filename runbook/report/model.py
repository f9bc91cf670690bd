"""A run as its journal tells it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runbook.events import CheckRow

BEGUN = "not ended"
NOT_REACHED = "not reached"
NOT_NEEDED = "not needed"
OUTCOMES = ("ok", "changed", "skipped", "refused", "failed", "unknown", "stopped")
BAD = frozenset({"refused", "failed", "unknown", "stopped"})


@dataclass(frozen=True)
class Wait:
    """A moment at which a step held back, and why."""

    at: datetime
    why: str


@dataclass(frozen=True)
class Step:
    """A step as planned, and what became of it.

    `outcome` is one of `OUTCOMES`, `BEGUN` where no end is told, `NOT_REACHED`, or
    `NOT_NEEDED` for a `rescue`, which is there only to put a failure right.
    """

    number: int
    phase: str = ""
    kind: str = ""
    title: str = ""
    where: str = ""
    texts: tuple[str, ...] = ()
    origin: str = ""
    found: str = ""
    cost: str = ""
    done: bool = False
    rescue: bool = False
    outcome: str = NOT_REACHED
    began: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None
    detail: str = ""
    checks: tuple[CheckRow, ...] = ()
    output: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    progress: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that the look before the run checked."""

    what: str
    where: str
    level: str
    detail: str
    advice: str


@dataclass(frozen=True)
class Table:
    """A table's rows before and after; empty where they were not counted."""

    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Alert:
    """Something that was to be looked at, or that has passed."""

    at: datetime | None
    where: str
    what: str
    detail: str
    advice: str
    over: bool


@dataclass(frozen=True)
class Notice:
    """Whom the run told of what, and why that failed if it did."""

    recipient: str
    about: str
    failure: str


@dataclass(frozen=True)
class Point:
    """How many lines a series had in the minute from `at` on; `usual` is what was expected."""

    at: datetime
    count: int
    usual: float | None
    alarming: bool


@dataclass(frozen=True)
class Series:
    """The rates of one series, such as a host's errors, in the order of time."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Run:
    """Everything a journal says. `outcome` is empty where it has no end.

    `last` is when anything was written last; `damaged` and `unknown` are lines
    that say nothing here: not readable, or of a kind not known.
    """

    id: str = ""
    environment: str = ""
    phase: str = ""
    change: str = ""
    command: str = ""
    digest: str = ""
    confirmed: str = ""
    operator: str = ""
    host: str = ""
    started: datetime | None = None
    last: datetime | None = None
    outcome: str = ""
    seconds: float | None = None
    message: str = ""
    advice: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    session: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    tables: tuple[Table, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notices: tuple[Notice, ...] = ()
    series: tuple[Series, ...] = ()
    damaged: int = 0
    unknown: tuple[tuple[str, int], ...] = ()

    @property
    def checks(self) -> tuple[tuple[Step, CheckRow], ...]:
        """Every comparison with the step that made it."""
        return tuple((step, check) for step in self.steps for check in step.checks)

    @property
    def of(self) -> str:
        """How many steps there are, as `of 15`; nothing where some are only for a failure."""
        return "" if any(step.rescue for step in self.steps) else f" of {len(self.steps)}"

    @property
    def bad(self) -> tuple[Step, ...]:
        """The steps that did not end well, or whose end nobody told."""
        return tuple(s for s in self.steps if s.outcome in BAD or s.outcome == BEGUN)
