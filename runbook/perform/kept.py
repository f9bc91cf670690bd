"""What a follower keeps on the operator's machine, and who may follow: one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from runbook.environment import Environment
from runbook.errors import Refusal, UsageError
from runbook.monitor import saved
from runbook.monitor.saved import Saved
from runbook.state import private_folder

FILE, LAST, LOCK = "watch.json", "last.json", "lock"


class Kept:
    """The folder for the watch of an environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> Saved | None:
        """Return what was kept; None when there is nothing.

        Raises:
            UsageError: it cannot be read.
        """
        path = self._folder / FILE
        try:
            return saved.read(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{path}: what was followed so far cannot be read: {error}",
                advice="--fresh begins anew, and reads the logs again from the baseline on.",
            ) from error

    def save(self, text: str) -> None:
        """Keep `text` in place of what was kept; a stop leaves the old or the new, whole.

        Raises:
            UsageError: it cannot be written.
        """
        new = self._folder / f"{FILE}.new"
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.rename(self._folder / FILE)
        except OSError as error:
            raise UsageError(
                f"{new}: {error.strerror}", advice="Make room, then run the same command again."
            ) from error

    def end(self) -> None:
        """Put what was kept aside: its watch has ended."""
        with contextlib.suppress(OSError):
            (self._folder / FILE).rename(self._folder / LAST)


@contextlib.contextmanager
def held(environment: Environment) -> Iterator[Kept]:
    """Hold the folder of the environment's watch.

    Raises:
        Refusal: somebody follows here already.
        UsageError: the folder cannot be made.
    """
    try:
        folder = private_folder(environment.state, environment.name, "monitor")
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(
            f"{environment.state}: {error.strerror}",
            advice=f"Make {environment.state} writable, or name another folder in `state`.",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = os.read(lock, 20).decode(errors="replace").strip()
            raise Refusal(
                f"process {who} follows the logs of {environment.name} already, from this machine",
                advice="It goes on; what it found is in its journal.",
            ) from error
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield Kept(folder)
    finally:
        os.close(lock)
