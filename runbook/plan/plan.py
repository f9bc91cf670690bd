"""A plan: everything a run will do, in order, and what a look has found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from runbook.plan.statements import Record, Statement
from runbook.plan.steps import Runner, Step


class Level(StrEnum):
    """How a finding of a look weighs; `pending` is what is not done yet, and nobody's fault."""

    OK = "ok"
    PENDING = "pending"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One thing a look has checked: what, where, how it is, and what to do about it."""

    what: str
    where: str
    level: Level
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, in order; what was found; and what to know first."""

    environment: str
    phase: str
    change: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    """What the writing session sends before the steps, and to which account and address."""
    command: str = ""
    """What a person types to make this plan, without --plan; no part of the digest."""
    next: str = ""
    """What a person types after this plan, where its look can tell; no part of the digest."""
    instead: tuple[tuple[Step, ...], ...] = ()
    """What the steps may have been before somebody took a backup: those that were approved run."""

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits over all that will be sent: no secret, time or count."""
        steps = (step.digest for step in self.steps)
        said = (self.environment, self.phase, self.change, *self.session, *steps)
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that forbid this plan to run."""
        return tuple(f for f in self.findings if f.level is Level.REFUSED)

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that are still to be executed and change something."""
        return tuple(step for step in self.steps if step.changes and not step.done)

    @property
    def recorded(self) -> bool:
        """Whether a run of it stands in the ledger."""
        return any(isinstance(s, Statement | Record | Runner) or s.block for s in self.pending)
