"""Every way a command can end: said to people, printed as JSON, and told by the exit status."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from runbook.early import let_stops_come
from runbook.errors import (
    EXIT_STATUS,
    INTERRUPTED_STATUS,
    USAGE_STATUS,
    Interrupted,
    Outcome,
    RunbookError,
    UsageError,
)
from runbook.state import private_folder
from runbook.telling.console import Console
from runbook.telling.terminal import silence


def attempt(
    work: Callable[[], Outcome], console: Console, folder: Path
) -> tuple[Outcome, RunbookError | None]:
    """Do a command's work; return how it ended, and what ended it early.

    Nothing is raised: what went wrong is said on the console. The traceback of
    a defect of this program is kept below `folder`.
    """
    try:
        let_stops_come()
        return work(), None
    except KeyboardInterrupt:
        error: RunbookError = Interrupted("stopped before anything was changed")
    except RunbookError as caught:
        error = caught
    except Exception as caught:
        error = _defect(caught, folder)
    if not error.told:
        console.error(error)
    return error.outcome, error


def exit_status(outcome: Outcome, error: RunbookError | None) -> int:
    """Return the exit status of a command that ended so."""
    if isinstance(error, UsageError):
        return USAGE_STATUS
    if isinstance(error, Interrupted):
        return INTERRUPTED_STATUS
    return EXIT_STATUS[outcome]


class Output:
    """Standard output for a command's JSON document or page."""

    def __init__(self) -> None:
        self._lost = False

    def print(self, text: str) -> None:
        """Print; where nobody reads on (`| head`), that is all right."""
        if isinstance(sys.stdout, TextIOWrapper):  # whatever the locale: all that is ours is UTF-8
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        try:
            if sys.stdout is None:
                raise OSError(errno.EBADF, "it is closed")
            print(text, flush=True)
        except OSError as lost:
            silence()
            if not isinstance(lost, BrokenPipeError):
                self._lost = True
                print(f"standard output cannot be written: {lost}", file=sys.stderr)

    def status(self, status: int) -> int:
        """Return an exit status, but not 0 where something could not be written."""
        return status or (EXIT_STATUS[Outcome.FAILED] if self._lost else 0)


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
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path
