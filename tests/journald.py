"""A real systemd-journald for a test, in mounts of its own: nothing else here notices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.processes import wait_until

DAEMON = Path("/usr/lib/systemd/systemd-journald")
INSIDE = """\
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
mount --bind {folder} /run/log/journal
exec {daemon}
"""


class Journal:
    """A journal in a folder, written to by `write`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._process = process

    def write(self, unit: str, text: str, priority: str = "info") -> None:
        """Write each line of `text` as an entry, as the unit's standard output would be."""
        into = ["nsenter", f"--target={self._process.pid}", "--mount"]
        words = [*into, "systemd-cat", f"--identifier={unit}", f"--priority={priority}", "cat"]
        subprocess.run(words, input=text.encode(), check=True)

    def link(self, folder: Path) -> None:
        """Put a `journalctl` into `folder` that is the real one, on this journal.

        An entry has its unit from systemd, which does not run here: its identifier stands for it.
        """
        program = folder / "journalctl"
        program.write_text(
            "#!/bin/bash\n"
            f"exec {shutil.which('journalctl')} --directory={self.folder}"
            ' "${@/#--unit=/--identifier=}"\n'
        )
        program.chmod(0o755)


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """Run a journald that writes into `folder`; skips where that is not possible."""
    programs = ("unshare", "nsenter", "systemd-cat", "journalctl")
    if os.getuid() != 0 or not DAEMON.exists() or not all(map(shutil.which, programs)):
        pytest.skip("a journal of its own needs root, systemd-journald, unshare and nsenter")
    folder.mkdir()
    script = INSIDE.format(folder=folder, daemon=DAEMON)
    with subprocess.Popen(
        ["unshare", "--mount", "bash", "-euc", script], stderr=subprocess.DEVNULL
    ) as process:
        try:
            if not wait_until(lambda: any(folder.rglob("*.journal")), 10.0):
                pytest.skip("systemd-journald does not run here: no mounts of our own")
            yield Journal(folder, process)
        finally:
            process.kill()
