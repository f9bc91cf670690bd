"""`--json`: one document on standard output, and nothing else there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from runbook.errors import RunbookError
from runbook.events import Alert, Event, Measured, Notified, RunFinished, RunStarted, StepFinished
from runbook.plan.plan import Plan
from runbook.telling.journal import plain


@dataclass
class Document:
    """A subscriber that collects what a command did, and prints it at its end.

    document.schema.json describes it, README.md its keys. With `line`, alerts
    and rates are handed to it as they come, each an object on a line, and the
    document is the last line.
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
            self.line(json.dumps(said, ensure_ascii=False))

    def text(self, outcome: str, exit_status: int, error: RunbookError | None) -> str:
        """Return the document, as JSON."""
        planned = [plain(step) for step in self.plan.steps] if self.plan else []
        found = self.plan.findings if self.plan else ()
        return json.dumps(
            {
                "command": self.command,
                "environment": self.environment,
                "dry_run": self.dry_run,
                "outcome": outcome,
                "exit_status": exit_status,
                "message": error.message if error else self.message,
                "advice": self.advice or (error.advice if error else ""),
                "next": self.next,
                "run": self.run,
                "plan": self.plan.digest if self.plan else None,
                "notes": list(self.plan.notes) if self.plan else [],
                "findings": [
                    {
                        "what": f.what,
                        "where": f.where,
                        "level": f.level.value,
                        "detail": f.detail,
                        "advice": f.advice,
                    }
                    for f in found
                ],
                "planned": planned,
                "steps": self.steps,
                "alerts": self.alerts,
                "notices": self.notices,
                "seconds": self.seconds,
                "journal": self.journal,
                "report": self.report,
            },
            indent=None if self.line else 2,
            ensure_ascii=False,
        )
