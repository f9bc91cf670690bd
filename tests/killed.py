"""Run a command in a process that SIGKILLs itself at a chosen moment: python -m tests.killed.

The moment is one of MOMENTS; a number: after so many steps that changed something;
PHASE:SECONDS: so long after the first step of that phase has begun, whatever is in hand then;
or PHASE:between: when the first step that it takes in hand has ended.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runbook.command.commands import COMMANDS
from runbook.command.session import main
from runbook.database.ledger import Ledger
from runbook.database.sessions import Session
from runbook.errors import Outcome
from runbook.events import StepFinished, StepStarted
from runbook.options import Options
from runbook.telling.journal import Journal


def die(*_: object) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: type, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Die right after a method has run, when its arguments are such."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        if when(*args):
            die()
        return result

    setattr(owner, name, wrapped)


def second() -> Callable[..., bool]:
    """Return what is true the second time it is asked."""
    times = itertools.count(1)
    return lambda *_: next(times) == 2


def nth(count: int) -> Callable[..., bool]:
    """Return what is true once so many steps have changed something."""
    left = itertools.count(1)
    return lambda journal, event: changed(journal, event) and next(left) == count


def changed(_journal: Journal, event: object) -> bool:
    """Whether a step has just changed something."""
    return isinstance(event, StepFinished) and event.outcome is Outcome.CHANGED


def within(phase: str, seconds: float) -> None:
    """Die so long after the first step of a phase has begun; at once for 0."""

    def begun(_journal: Journal, event: object) -> bool:
        if isinstance(event, StepStarted) and event.step.phase == phase and seconds:
            threading.Timer(seconds, die).start()
        return isinstance(event, StepStarted) and event.step.phase == phase and not seconds

    after(Journal, "__call__", begun)


def between(phase: str) -> None:
    """Die when a phase has ended the first step that it began in this run."""
    begun: list[int] = []

    def ended(_journal: Journal, event: object) -> bool:
        if isinstance(event, StepStarted) and event.step.phase == phase:
            begun.append(event.number)
        return isinstance(event, StepFinished) and event.number in begun

    after(Journal, "__call__", ended)


def proving() -> Callable[..., bool]:
    """Return what is true once a proof has tried what must fail, and has not yet rolled back."""
    begun: set[int] = set()

    def tried(session: Session, text: str, *_: object) -> bool:
        if text == "START TRANSACTION":
            begun.add(session.id)
        return text.startswith("GET DIAGNOSTICS") and session.id in begun

    return tried


MOMENTS: dict[str, Callable[[], None]] = {
    "after a step": lambda: after(Journal, "__call__", changed),
    "after its ledger row was opened": lambda: after(Ledger, "started", second()),
    "before its ledger row is closed": lambda: setattr(Ledger, "finished", die),
    "inside a proof": lambda: after(Session, "execute", proving()),
    "inside a range of the backfill": lambda: after(Ledger, "reached", second()),
}


if __name__ == "__main__":
    moment, command, folder, *said = sys.argv[1:]
    if moment.isdecimal():
        after(Journal, "__call__", nth(int(moment)))
    elif ":" in moment:
        name, _, late = moment.partition(":")
        if late == "between":
            between(name)
        else:
            within(name, float(late))
    else:
        MOMENTS[moment]()
    options = Options(as_json=True, **dict(word.split("=", 1) for word in said))  # type: ignore[arg-type]
    sys.exit(main(COMMANDS[command], "test", options, Path(folder)))
