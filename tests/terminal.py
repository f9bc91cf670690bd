"""A terminal for tests: a command on a pty, answered at its questions."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support import PROJECT, Bench

CTRL_C = b"\x03"


def answered(
    place: Bench,
    words: tuple[str, ...],
    *dialogue: tuple[str, bytes],
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    """Run `invoke` with `words` at a terminal; return its exit status and the screen.

    Each of `dialogue` is what is waited for on the screen, and what is typed then;
    `meanwhile` is called before it is typed.
    """
    with terminal(place, *words) as (process, ours):
        screen, answer = "", b""
        for wanted, answer in dialogue:
            screen += _until(ours, wanted)
            meanwhile()
            os.write(ours, answer)
        screen += _until(ours, None, again=answer if answer == CTRL_C else b"")
        os.close(ours)
        return process.wait(timeout=60), screen


@contextmanager
def terminal(
    place: Bench, *words: str, command: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start `invoke` with `words`, or another command, at a terminal of its own.

    Yields the process and our end of that terminal, which the caller closes.
    """
    ours, theirs = pty.openpty()

    def owned() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY)  # so that ^C reaches it as a signal

    with subprocess.Popen(
        command or (sys.executable, "-m", "invoke", "--search-root", str(place.folder), *words),
        cwd=place.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=owned,  # noqa: PLW1509 - it only makes two system calls
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()


def _until(terminal: int, wanted: str | None, again: bytes = b"") -> str:
    """Read until `wanted` is there, or to the end; type `again` while nothing happens.

    A signal that comes in the instant before Python's input() begins to read is
    not seen before the next key; a person too would press Ctrl-C once more.
    """
    seen, end = "", time.monotonic() + 60
    while time.monotonic() < end and (wanted is None or wanted not in seen):
        if not select.select([terminal], [], [], 3.0)[0]:
            os.write(terminal, again)
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end has closed
            break
        if not piece:
            break
        seen += piece.decode(errors="replace")
    assert wanted is None or wanted in seen, seen[-2000:]
    return seen
