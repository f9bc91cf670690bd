"""`invoke notify`: send every recipient a trial notice, and say which arrived."""

from __future__ import annotations

from pathlib import Path

from runbook import inventory
from runbook.command.ending import Output, attempt, exit_status
from runbook.errors import Outcome, UsageError
from runbook.events import Event, Notified, fan_out
from runbook.telling.console import Console
from runbook.telling.document import Document
from runbook.telling.notices import Notices

EXAMPLE = "notify: {on-call: {url: {env: ON_CALL_URL}, events: [failure, alert]}}"


def main(env: str | None, folder: Path, *, as_json: bool = False) -> int:
    """Send the trial notices of the environment called `env` and return the exit status.

    `folder` holds inventory.yaml. Nothing is raised: everything that can go
    wrong is said on the console, or in the JSON document.
    """
    console, output = Console(quiet=as_json), Output()
    document = Document("notify", env or "", dry_run=False)

    def work() -> Outcome:
        environment = inventory.load(folder / "inventory.yaml").environment(env)
        if not environment.notify:
            raise UsageError(
                f"{environment.source}: {environment.name} names nobody to notify",
                advice=f"Write whom, such as {EXAMPLE}",
            )

        def tell(event: Event) -> None:
            if isinstance(event, Notified):
                word = f"not sent: {event.failure}" if event.failure else "sent"
                console.say(f"{event.recipient}: {word}", "red" if event.failure else "")

        notices = Notices(environment, fan_out((document, tell)))
        notices.prove()
        notices.close()
        return Outcome.FAILED if any(each["failure"] for each in document.notices) else Outcome.OK

    outcome, error = attempt(work, console, folder)
    status = exit_status(outcome, error)
    if as_json:
        output.print(document.text(outcome.value, status, error))
    return output.status(status)
