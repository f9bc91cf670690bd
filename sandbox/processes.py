"""Server processes that outlive the terminal that started them, and end surely."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MARK = "RUNBOOK_SANDBOX"
"""Environment variable that every process of a sandbox carries; its value is the folder."""


_PROC = Path("/proc/self/stat").exists()


class StartFailed(Exception):
    """A server did not come up; the text names it and ends with its own last words."""


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one that was given the same number."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Say whether it still runs."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone already."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, grace: float = 0.0) -> None:
        """Stop it: ask for up to `grace` seconds, then kill it; return when it is gone."""
        if grace:
            self.send(signal.SIGTERM)
            wait_until(lambda: not self.alive(), grace)
        self.send(signal.SIGKILL)
        wait_until(lambda: not self.alive(), 10.0)


def spawn(
    command: Sequence[object], folder: Path, marked: Path, env: Mapping[str, str] | None = None
) -> Process:
    """Start `command` as a session of its own, its output in `folder`/output.log.

    Its identity is written to `folder`/process.json; `marked` is the sandbox it belongs to.
    """
    words = [str(word) for word in command]
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        words[0],
        words,
        os.environ | {MARK: str(marked)} | dict(env or {}),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / "output.log"), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores SIGPIPE; a server's children must not inherit that.
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )
    process = Process(pid, _started(pid) or "gone")
    record(process, folder)
    return process


def record(process: Process, folder: Path) -> None:
    """Note in `folder` that `process` is at work there."""
    (folder / "process.json").write_text(json.dumps(asdict(process)), encoding="utf-8")


def this_process() -> Process:
    """Return the identity of the process that runs this."""
    return Process(os.getpid(), _started(os.getpid()) or "")


def recorded(folder: Path) -> Process | None:
    """Return the process that was last noted in `folder`."""
    try:
        return Process(**json.loads((folder / "process.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def children(pid: int) -> tuple[Process, ...]:
    """Return the direct children of process `pid` (Linux only)."""
    return tuple(child for parent, child in _table() if parent == pid)


def descendants(*pids: int) -> tuple[Process, ...]:
    """Return the children of the processes `pids`, theirs, and so on (Linux only)."""
    table = _table()
    parents, found = set(pids), list[Process]()
    while grown := [child for parent, child in table if parent in parents]:
        found += grown
        parents = {child.pid for child in grown}
    return tuple(found)


def _table() -> list[tuple[int, Process]]:
    """Return every process with the number of its parent."""
    found = []
    for pid in _numbers():
        with contextlib.suppress(OSError):
            fields = _stat(pid)
            found.append((int(fields[1]), Process(pid, fields[19])))
    return found


def marked_processes(sandbox: Path) -> tuple[Process, ...]:
    """Return every process that bears the mark of `sandbox`, such as a detached remote job.

    Linux only: elsewhere nothing is found, and what a remote command left ends by itself.
    """
    wanted = b"\0" + f"{MARK}={sandbox}".encode() + b"\0"
    found = []
    for pid in _numbers():
        try:
            carries = wanted in b"\0" + _read(pid, "environ")
        except OSError:
            continue
        if carries and pid != os.getpid() and (started := _started(pid)):
            found.append(Process(pid, started))
    return tuple(found)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look at `condition` every few milliseconds; return what it said last."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds


def tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a log, for a message."""
    try:
        text = path.read_text(errors="replace", encoding="utf-8")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _numbers() -> list[int]:
    """Return the numbers of all processes (Linux only)."""
    names = os.listdir("/proc") if _PROC else []  # noqa: PTH208 - quicker, as below
    return [int(name) for name in names if name.isdecimal()]


def _stat(pid: int) -> list[str]:
    """Return what /proc/…/stat says after the name: state, parent, …, the start at 19."""
    return _read(pid, "stat").rpartition(b")")[2].decode().split()


def _read(pid: int, name: str) -> bytes:
    # A third of the time that pathlib takes, for hundreds of files at each reset.
    with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
        return file.readall()


def _started(pid: int) -> str | None:
    """Return when process `pid` began, in whatever words the system has for it."""
    if _PROC:
        try:
            fields = _stat(pid)
        except OSError:
            return None
        # The first thread is a zombie while others still end, and hold the ports.
        ended = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
        return None if ended else fields[19]
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, encoding="utf-8", check=False
    )
    return done.stdout.strip() or None
