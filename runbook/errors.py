"""What can go wrong, as the operator is told it: what happened and what to do next."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a step, or a whole run, ended.

    `ok`: was so already. `refused`: a gate said no and nothing was touched.
    `unknown`: the connection went away while something was running.
    `stopped`: as the operator asked, between two statements.
    """

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STOPPED = "stopped"


EXIT_STATUS = {
    Outcome.OK: 0,
    Outcome.CHANGED: 0,
    Outcome.SKIPPED: 0,
    Outcome.FAILED: 1,
    Outcome.REFUSED: 3,
    Outcome.UNKNOWN: 4,
    Outcome.STOPPED: 130,
}
USAGE_STATUS = 2
INTERRUPTED_STATUS = 130


class RunbookError(Exception):
    """An error with an outcome and, where there is one, the next thing to do."""

    outcome = Outcome.FAILED
    told = False
    """Whether the run that it ended has already shown it."""

    def __init__(self, message: str, *, advice: str = "", output: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.output = output


class UsageError(RunbookError):
    """The command line or the inventory is wrong; nothing was touched (exit status 2)."""

    outcome = Outcome.REFUSED


class Refusal(RunbookError):
    """A gate said no; nothing was touched by what it guards."""

    outcome = Outcome.REFUSED


class StepFailed(RunbookError):
    """Something was tried and did not succeed."""


class Lost(RunbookError):
    """A connection went away, or a time-out passed, while something was running."""

    outcome = Outcome.UNKNOWN


class Interrupted(RunbookError):
    """The operator asked to stop; `unknown` when something may still be running."""

    def __init__(self, message: str, *, advice: str = "", running: bool = False) -> None:
        super().__init__(message, advice=advice)
        self.outcome = Outcome.UNKNOWN if running else Outcome.STOPPED
