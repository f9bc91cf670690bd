"""The end of a sandbox, also of one that was never complete."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from sandbox import privilege
from sandbox.hosts import NAMES
from sandbox.processes import Process, descendants, marked_processes, recorded, wait_until


def end(root: Path) -> None:
    """End every process of the sandbox in `root`, also a half-started one, and delete it."""
    parts = [root / name for name in ("database", *NAMES)]
    servers = [process for part in parts if (process := recorded(part)) and process.alive()]
    sessions = descendants(*(server.pid for server in servers))
    for process in (*servers, *sessions):
        process.end()
    # What a host was asked to run may live on by itself, and may be starting more.
    wait_until(lambda: not _kill(marked_processes(root)), 10.0)
    for part in parts:
        privilege.release(part)
    shutil.rmtree(root, ignore_errors=True)


def _kill(processes: tuple[Process, ...]) -> tuple[Process, ...]:
    for process in processes:
        process.send(signal.SIGKILL)
    return processes
