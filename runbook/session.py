"""One command from beginning to end, and every way it can end: what `tasks.py` calls."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from runbook import inventory, site
from runbook.errors import (
    EXIT_STATUS,
    INTERRUPTED_STATUS,
    USAGE_STATUS,
    Interrupted,
    Outcome,
    RunbookError,
    UsageError,
)
from runbook.invocation import Invocation, Phase
from runbook.options import Options
from runbook.state import private_folder
from runbook.telling.console import Console, silence
from runbook.telling.document import Document


def main(phase: Phase, env: str | None, options: Options, folder: Path) -> int:
    """Run `phase` on the environment called `env` and return the exit status.

    `folder` holds inventory.yaml. Nothing is raised: everything that can go
    wrong is said on the console, or in the JSON document.
    """
    console = Console(quiet=options.as_json)
    document = Document(phase.name, env or "", options.dry_run)
    outcome = Outcome.REFUSED
    error: RunbookError | None = None
    try:
        known = inventory.load(folder / "inventory.yaml")
        environment = known.environment(env)
        for mistake in known.mistakes:
            console.say(f"{mistake} (not in the way of {environment.name})", "yellow")
        with site.opened(environment) as opened:
            outcome = Invocation(phase, options, opened, console, document).run()
    except KeyboardInterrupt:
        error = Interrupted("stopped before anything was changed")
    except RunbookError as caught:
        error = caught
    except Exception as caught:
        error = _defect(caught, folder)
    if error:
        outcome = error.outcome
        if not error.told:
            console.error(error)
    status = _exit_status(outcome, error)
    if options.as_json:
        try:
            print(document.text(outcome.value, status, error), flush=True)
        except OSError as lost:
            silence()
            if not isinstance(lost, BrokenPipeError):
                print(f"the JSON document cannot be written: {lost}", file=sys.stderr)
    return status


def _exit_status(outcome: Outcome, error: RunbookError | None) -> int:
    if isinstance(error, UsageError):
        return USAGE_STATUS
    if isinstance(error, Interrupted):
        return INTERRUPTED_STATUS
    return EXIT_STATUS[outcome]


def _defect(caught: Exception, folder: Path) -> RunbookError:
    """Keep a defect's traceback in a file of its own, where there is room, and say where."""
    name = f"defect-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt"
    details = "".join(traceback.format_exception(caught))
    kept = _keep(lambda: private_folder(folder / ".runbook") / name, details) or _keep(
        lambda: Path(tempfile.mkdtemp()) / name, details
    )
    return RunbookError(
        f"a defect of this program: {type(caught).__name__}: {caught}",
        advice=f"{f'The details are in {kept}' if kept else 'Its details could not be kept'}; "
        "invoke status says where the environment stands.",
        output=() if kept else tuple(details.splitlines()),
    )


def _keep(file: Callable[[], Path], text: str) -> Path | None:
    try:
        path = file()
        path.touch(mode=0o600)
        path.write_text(text)
    except OSError:
        return None
    return path
