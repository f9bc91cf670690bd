"""What happens during a run, as frozen values; a subscriber is any callable that takes one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, TypeVar

from runbook.errors import Outcome
from runbook.plan.plan import Plan
from runbook.plan.steps import Step


@dataclass(frozen=True)
class Looking:
    """A look has begun; `what` says at what."""

    what: str


@dataclass(frozen=True)
class RunStarted:
    """A plan is about to be executed. `at` is ISO 8601 in UTC."""

    run: str
    plan: Plan
    digest: str
    operator: str
    host: str
    at: str
    confirmed: str = ""
    """How it was allowed to run, such as `--plan=3f9a1c22b7d0`."""


@dataclass(frozen=True)
class StepStarted:
    """Step `number` (from 1) of the plan has begun."""

    number: int
    step: Step


@dataclass(frozen=True)
class StepProgress:
    """How far a long step is; `total` and `eta` (seconds) are None where nobody knows."""

    number: int
    done: int
    unit: str
    total: int | None = None
    eta: float | None = None
    note: str = ""


@dataclass(frozen=True)
class StepWaiting:
    """A step holds back: a lock, a replica, a retry."""

    number: int
    why: str


@dataclass(frozen=True)
class StepOutput:
    """What the command of a step has printed since the last event of this kind, as lines."""

    number: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CheckRow:
    """One comparison that a check made."""

    name: str
    expected: str
    actual: str

    @property
    def holds(self) -> bool:
        """Whether actual is what was expected."""
        return self.expected == self.actual


@dataclass(frozen=True)
class StepFinished:
    """Step `number` has ended; `seconds` is how long it took.

    `part` is what one that did not come to its end has done, and stays so.
    """

    number: int
    step: Step
    outcome: Outcome
    seconds: float
    detail: str = ""
    checks: tuple[CheckRow, ...] = ()
    output: tuple[str, ...] = ()
    part: str = ""


class Moment(StrEnum):
    """When rows were counted: before the first step that changes something, or after the last."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class TableRows:
    """How many rows a table has; None: it is not there. Not `exact`: the server's estimate."""

    table: str
    rows: int | None
    exact: bool = True


@dataclass(frozen=True)
class Counted:
    """The rows of the tables that a run changes."""

    moment: Moment
    tables: tuple[TableRows, ...]


@dataclass(frozen=True)
class Alert:
    """Something that somebody should look at now or, when it is `over`, what has passed.

    `at` is ISO 8601 in UTC, `where` a host or the database, `what` a few words
    such as `spike of errors`; an alert and the one that ends it have both in common.
    """

    at: str
    where: str
    what: str
    detail: str
    advice: str = ""
    over: bool = False


@dataclass(frozen=True)
class Rate:
    """How many lines one series had in a minute, such as the errors of a host's log.

    `usual` is what the baseline leads one to expect, None where there is none.
    """

    series: str
    count: int
    usual: float | None = None
    alarming: bool = False


@dataclass(frozen=True)
class Measured:
    """The rates of the minute that began `at` (ISO 8601 in UTC), for charts."""

    number: int
    at: str
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Notified:
    """A notice was sent to a recipient `about` a start, end, failure or alert; or why it was not.

    It may come after the end of a run: notices are not waited for.
    """

    recipient: str
    about: str
    failure: str = ""


@dataclass(frozen=True)
class RunFinished:
    """The run has ended: what ended it early, if anything did, and what to do next."""

    run: str
    outcome: Outcome
    seconds: float
    message: str = ""
    advice: str = ""


Event = (
    Looking
    | RunStarted
    | StepStarted
    | StepProgress
    | StepWaiting
    | StepOutput
    | StepFinished
    | Alert
    | Measured
    | Counted
    | Notified
    | RunFinished
)
Tell = Callable[[Event], None]
T = TypeVar("T")


def fan_out(subscribers: Iterable[Tell]) -> Tell:
    """Return one subscriber that hands every event to each of `subscribers` in turn."""
    everyone = tuple(subscribers)

    def tell(event: Event) -> None:
        for subscriber in everyone:
            subscriber(event)

    return tell


def redacting(tell: Tell, secrets: Callable[[], Iterable[str]]) -> Tell:
    """Return a subscriber that hands events on with every secret replaced by `•••`."""
    return lambda event: tell(redacted(event, secrets()))


def redacted(value: T, secrets: Iterable[str]) -> T:
    """Return a text, a frozen value or JSON's own types, every secret in it replaced by `•••`."""
    known = tuple(secrets)

    def without(value: Any) -> Any:
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return redact(value, known)
        if isinstance(value, tuple):
            return tuple(map(without, value))
        if isinstance(value, list):
            return list(map(without, value))
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes = {f.name: without(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **changes)
        return value

    return without(value) if known else value


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every non-empty secret replaced by `•••`, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "•••")
    return text
