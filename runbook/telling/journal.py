"""The journal: a run's events as JSON lines on the operator's machine.

Reports and people read it; nothing needs it to be correct, since every command
looks at the real database and hosts. Files are 0600 in a 0700 folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path

from runbook.events import Event
from runbook.plan.plan import Plan
from runbook.plan.steps import Step
from runbook.visible import as_json


class Journal:
    """A subscriber that appends every event to one file, each line flushed.

    Raises:
        OSError: the file cannot be made, or not even its first line be written.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.jsonl"
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(file, "w", encoding="utf-8")
        self._begun = False
        self.lost = ""
        """Why it is not whole, once a line could not be written."""

    def __call__(self, event: Event) -> None:
        """Append `event`; after the first one, work goes on where it cannot be written."""
        line = {"at": datetime.now(UTC).isoformat(), "event": type(event).__name__, **plain(event)}
        try:
            self._file.write(as_json(line) + "\n")
            self._file.flush()
        except OSError as error:
            if not self._begun:
                self.path.unlink(missing_ok=True)
                raise
            self.lost = str(error)
        self._begun = True

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


def plain(value: Event | Plan | Step) -> dict[str, object]:
    """Return a frozen value as JSON's own types; steps and plans carry kind and digest."""
    fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Step):
        return {"kind": type(value).__name__.lower(), "digest": value.digest, **fields}
    if isinstance(value, Plan):
        return {"digest": value.digest, **fields}
    return fields


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Step | Plan):
        return plain(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
