"""Notices to people and programs elsewhere: at start, end, failure and alert.

A subscriber like any other, but what it does takes time and may fail. Neither
may matter to a run: nothing is waited for but, at its very end, `GRACE` seconds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from runbook.environment import Environment, Occasion
from runbook.errors import Outcome, RunbookError, UsageError
from runbook.events import Alert, Event, Notified, RunFinished, RunStarted, redacted
from runbook.plan.plan import Plan
from runbook.telling.courier import Courier, Message
from runbook.units import age

GRACE = 10.0
"""Seconds that the end of a run waits for notices on their way."""
WELL = frozenset({Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED})


class Notices:
    """Sends what concerns the recipients of an environment; `tell` hears how that went.

    A run that changes nothing is not told, but for its alerts.
    """

    def __init__(self, environment: Environment, tell: Callable[[Notified], None]) -> None:
        self._environment = environment
        self._tell = tell
        self._run: RunStarted | None = None
        self._under_way: list[Courier] = []

    def __call__(self, event: Event) -> None:
        """Send what an event asks for; never waits."""
        self._collect()
        match event:
            case RunStarted() if event.plan.pending:
                self._run = event
                self._send({Occasion.START}, started(event))
            case RunFinished() if self._run:
                failed = set() if event.outcome in WELL else {Occasion.FAILURE}
                self._send({Occasion.END, *failed}, finished(self._run, event))
            case Alert():
                self._send({Occasion.ALERT}, alerted(self._environment.name, event))
            case _:
                pass

    def refused(self, phase: str, error: RunbookError, secrets: Iterable[str] = ()) -> None:
        """Send that a run was refused, or could not begin, with nobody there to see it."""
        if not isinstance(error, UsageError):
            message = unbegun(self._environment.name, phase, error)
            self._send({Occasion.FAILURE}, redacted(message, secrets))

    def prove(self) -> None:
        """Send every recipient a notice that only proves that notices arrive."""
        self._send(set(Occasion), trial(self._environment.name))

    def close(self) -> None:
        """Wait `GRACE` seconds for what is on its way, and tell what did not arrive."""
        end = time.monotonic() + GRACE
        with contextlib.suppress(KeyboardInterrupt):  # whoever is impatient need not wait
            for courier in self._under_way:
                courier.wait(end - time.monotonic())
        self._collect()
        for courier in self._under_way:
            courier.give_up()
            failure = f"no answer within {age(time.monotonic() - courier.began)}"
            self._tell(Notified(courier.recipient.name, courier.about, failure))
        self._under_way = []

    def _send(self, occasions: set[Occasion], message: Message) -> None:
        for recipient in self._environment.notify:
            about = next((each for each in recipient.on if each in occasions), None)
            if about is None:
                continue
            try:
                self._under_way.append(Courier(recipient, about, message))
            except OSError as error:
                self._tell(Notified(recipient.name, about, f"cannot be sent: {error}"))

    def _collect(self) -> None:
        """Tell how the notices went that have ended."""
        for courier in tuple(self._under_way):
            failure = courier.failure()
            if failure is not None:
                self._under_way.remove(courier)
                self._tell(Notified(courier.recipient.name, courier.about, failure))


def notes(environment: Environment, plan: Plan) -> tuple[str, ...]:
    """Return who will be told of what, before a plan runs that changes something."""
    if not environment.notify or not plan.pending:
        return ()
    said = (f"{each.name} of {', '.join(each.on)}" for each in environment.notify)
    return (f"tells {'; '.join(said)}",)


def started(event: RunStarted) -> Message:
    """Return the notice of a start."""
    plan = event.plan
    return Message(
        f"{plan.environment}: {plan.phase} has begun",
        f"by {event.operator} on {event.host}\n{plan.command}\n"
        f"plan {event.digest}: {len(plan.pending)} of {len(plan.steps)} steps change something",
        "info",
    )


def finished(run: RunStarted, event: RunFinished) -> Message:
    """Return the notice of an end."""
    well = event.outcome in WELL
    said = "has ended well" if well else f"has ended: {event.outcome}"
    lines = (f"after {age(event.seconds)}, run {event.run}", event.message, event.advice)
    return Message(
        f"{run.plan.environment}: {run.plan.phase} {said}",
        "\n".join(filter(None, lines)),
        "success" if well else "failure",
    )


def alerted(environment: str, event: Alert) -> Message:
    """Return the notice of an alert, or of its end."""
    said = "over: " if event.over else ""
    return Message(
        f"{environment}: {said}{event.what} at {event.where}",
        "\n".join(filter(None, (event.detail, event.advice, event.at))),
        "success" if event.over else "warning",
    )


def unbegun(environment: str, phase: str, error: RunbookError) -> Message:
    """Return the notice of a run that was refused, or could not begin."""
    return Message(
        f"{environment}: {phase} did not begin: {error.outcome}",
        "\n".join(filter(None, (error.message, error.advice))),
        "failure",
    )


def trial(environment: str) -> Message:
    """Return a notice that only proves that notices arrive."""
    return Message(f"{environment}: a trial", "Notices of this environment arrive here.", "info")
