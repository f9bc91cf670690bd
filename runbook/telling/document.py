"""`--json`: one document on standard output, and nothing else there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runbook.errors import RunbookError
from runbook.events import (
    Alert,
    Event,
    Measured,
    Notified,
    RunFinished,
    RunStarted,
    StepFinished,
    redacted,
)
from runbook.plan.plan import Plan
from runbook.telling.journal import plain
from runbook.visible import as_json


@dataclass
class Document:
    """A subscriber that collects what a command did, and prints it at its end.

    document.schema.json describes it, README.md its keys. With `line`, alerts
    and rates are handed to it as they come, each an object on a line, and the
    document is the last line. Nothing that `secrets` returns stands in it.
    """

    command: str
    environment: str
    dry_run: bool
    line: Callable[[str], None] | None = None
    run: str | None = None
    seconds: float = 0.0
    steps: list[dict[str, object]] = field(default_factory=list)
    alerts: list[dict[str, object]] = field(default_factory=list)
    notices: list[dict[str, object]] = field(default_factory=list)
    plan: Plan | None = None
    message: str = ""
    advice: str = ""
    next: str = ""
    journal: str | None = None
    report: str | None = None
    secrets: Callable[[], Iterable[str]] = tuple

    def __call__(self, event: Event) -> None:
        """Keep what belongs in the document."""
        match event:
            case RunStarted():
                self.run = event.run
            case StepFinished():
                self.steps.append(
                    {
                        **plain(event.step),
                        "number": event.number,
                        "outcome": event.outcome.value,
                        "seconds": round(event.seconds, 3),
                        "detail": event.detail,
                        "part": event.part,
                        "checks": [
                            {
                                "name": row.name,
                                "expected": row.expected,
                                "actual": row.actual,
                                "holds": row.holds,
                            }
                            for row in event.checks
                        ],
                        "output": list(event.output),
                    }
                )
            case Alert():
                self.alerts.append(plain(event))
                self._line(event)
            case Measured():
                self._line(event)
            case Notified():
                self.notices.append(plain(event))
            case RunFinished():
                self.seconds = round(event.seconds, 3)
                self.message, self.advice = event.message, event.advice
            case _:
                pass

    def _line(self, event: Alert | Measured) -> None:
        if self.line:
            said = {"event": type(event).__name__, **plain(event)}
            self.line(as_json(said))

    def text(self, outcome: str, exit_status: int, error: RunbookError | None) -> str:
        """Return the document, as JSON."""
        plan, known = self.plan, tuple(self.secrets())
        return as_json(
            {
                "command": self.command,
                "environment": self.environment,
                "dry_run": self.dry_run,
                "outcome": outcome,
                "exit_status": exit_status,
                "message": redacted(error.message if error else self.message, known),
                "advice": redacted(self.advice or (error.advice if error else ""), known),
                "next": self.next,
                "run": self.run,
                "plan": plan.digest if plan else None,
                "notes": list(redacted(plan.notes, known)) if plan else [],
                "findings": [
                    {
                        "what": f.what,
                        "where": f.where,
                        "level": f.level.value,
                        "detail": f.detail,
                        "advice": f.advice,
                    }
                    for f in (redacted(plan.findings, known) if plan else ())
                ],
                "planned": [redacted(plain(s), known) for s in plan.steps] if plan else [],
                "steps": self.steps,
                "alerts": self.alerts,
                "notices": self.notices,
                "seconds": self.seconds,
                "journal": self.journal,
                "report": self.report,
            },
            indent=None if self.line else 2,
        )
