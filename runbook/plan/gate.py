"""Whether a step may still begin: the maintenance windows, and what is left of the open one.

What the application uses is changed within the windows only. A backup, an
export and checks are free at any time, and so is a rollback: an undo must be
possible after a window has closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runbook.environment import Environment
from runbook.errors import Interrupted, Refusal
from runbook.plan.plan import Plan
from runbook.plan.steps import Step
from runbook.units import age, listed
from runbook.window import current, upcoming

GATED = frozenset({"deploy", "migrate", "smoke", "triggers"})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Gate:
    """The windows of an environment for one command; `outside` is why they do not hold for it."""

    environment: Environment
    outside: str = ""
    now: Callable[[], datetime] = field(default_factory=lambda: _now)

    @property
    def state(self) -> str:
        """Which window is open, and how long still; or which one opens next."""
        now = self.now()
        opening = current(self.environment.windows, now)
        if opening is None:
            return f"no window is open; {self._next(now)}"
        left = age(opening.left(now))
        return f"window {opening.name} is open until {opening.at(opening.end)}, {left} left"

    def notes(self, plan: Plan) -> tuple[str, ...]:
        """Return what to know of the windows before a plan runs."""
        windows = self.environment.windows
        if not windows and self.outside:
            return (f"{self.environment.name} has no windows: --outside-window changes nothing",)
        if not windows or not any(_gated(step) for step in plan.steps):
            return ()
        now = self.now()
        opening = current(windows, now)
        if opening is None:
            reason = f"; outside it as asked: {self.outside}" if self.outside else ""
            return (f"{self.state}{reason}",)
        said = [self.state]
        needed = sum(_needed(plan, n)[0] for n in range(len(plan.steps)) if _begins(plan, n))
        if needed > opening.left(now):
            said.append(
                f"all steps may take {age(needed)}: those that do not fit into the window are not "
                "begun"
            )
        unknown = tuple(
            step.title
            for n, step in enumerate(plan.steps)
            if _begins(plan, n) and all(s.estimate is None for s in _part(plan, step))
        )
        if unknown:
            said.append(
                f"how long it may take is not known of: {listed(unknown)}; it is begun whatever "
                "is left of the window"
            )
        return tuple(said)

    def refuse_outside(self, plan: Plan) -> None:
        """Raise Refusal for a plan that changes what the application uses, with no window open."""
        now = self.now()
        if not self._holds or not any(_gated(step) for step in plan.steps):
            return
        if current(self.environment.windows, now) is None:
            raise Refusal(
                f"outside the windows of {self.environment.name}: {self._next(now)}",
                advice="Run it then; in an emergency add --outside-window=REASON, which is "
                "recorded. A backup, an export and a rollback are free at any time.",
            )

    def admit(self, plan: Plan, number: int) -> None:
        """Decline step `number` (from 0) where the open window is too short for it and its undo.

        What was done so far in this plan must be undone within it as well. A
        block is admitted as a whole, when it begins.

        Raises:
            Interrupted: between two steps, so the same command does the rest later.
        """
        if not self._holds or not _begins(plan, number):
            return
        now = self.now()
        step = plan.steps[number]
        opening = current(self.environment.windows, now)
        if opening is None:
            raise self._stopped(f"not begun: {step.title}: the window has closed", now)
        needed, undo = _needed(plan, number)
        if needed + undo > opening.left(now):
            back = f", and to undo {age(undo)}" if undo else ""
            closes = f"closes at {opening.at(opening.end)}, in {age(opening.left(now))}"
            raise self._stopped(
                f"not begun: {step.title}: it may take {age(needed)}{back}; the window {closes}",
                now,
            )

    def hold(self, step: Step) -> None:
        """Stop a step that is in hand and can go on later, once the window has closed.

        Raises:
            Interrupted: it has closed.
        """
        now = self.now()
        if self._holds and _gated(step) and current(self.environment.windows, now) is None:
            raise self._stopped(f"stopped: {step.title}: the window has closed", now)

    @property
    def _holds(self) -> bool:
        return bool(self.environment.windows) and not self.outside

    def _next(self, now: datetime) -> str:
        opening = upcoming(self.environment.windows, now)
        if opening is None:
            return "none ever opens"
        seconds = (opening.start - now).total_seconds()
        return f"{opening.name} opens at {opening.at(opening.start)}, in {age(seconds)}"

    def _stopped(self, message: str, now: datetime) -> Interrupted:
        return Interrupted(
            message,
            advice=f"Next, {self._next(now)}; the same command then does what is left. In an "
            "emergency add --outside-window=REASON. An undo is free at any time.",
        )


def _gated(step: Step) -> bool:
    """Whether a step changes what the application uses."""
    return step.phase in GATED and step.changes and not step.done and not step.rescues


def _begins(plan: Plan, number: int) -> bool:
    """Whether step `number` is gated, and the first of its block to be so."""
    step = plan.steps[number]
    if not _gated(step):
        return False
    before = plan.steps[:number]
    return not step.block or not any(_gated(s) and s.block == step.block for s in before)


def _part(plan: Plan, step: Step) -> list[Step]:
    """Return the steps that are admitted together with one: its block, or itself alone."""
    return [s for s in plan.steps if s.block == step.block] if step.block else [step]


def _needed(plan: Plan, number: int) -> tuple[float, float]:
    """Return the seconds that step `number` or its block takes, and to undo all until then."""
    step = plan.steps[number]
    doing = sum(s.estimate or 0.0 for s in _part(plan, step) if not s.done and not s.rescues)
    rescue = sum(s.estimate or 0.0 for s in plan.steps if step.block and step.block in s.rescues)
    done = sum(s.undo for s in plan.steps[: number + 1] if _gated(s))
    return doing, rescue + done
