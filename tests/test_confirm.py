"""The question at a terminal: a plan runs when the environment's name is typed, else not."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import PROJECT, Bench, bench


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose environment wants to be confirmed."""
    return bench(mariadb, tmp_path, policy={"confirm": "prompt"})


def answered(place: Bench, answer: bytes) -> tuple[int, str]:
    """Run migrate at a terminal, type `answer` at its question; return status and screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "invoke",
            "--search-root",
            str(place.folder),
            "migrate",
            "--env=test",
        ],
        cwd=place.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    screen = _until(ours, "Type test to run this plan")
    os.write(ours, answer)
    screen += _until(ours, None)
    os.close(ours)
    return process.wait(timeout=60), screen


def _until(terminal: int, wanted: str | None) -> str:
    seen, end = "", time.monotonic() + 60
    while time.monotonic() < end and (wanted is None or wanted not in seen):
        if not select.select([terminal], [], [], 1.0)[0]:
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


def test_the_name_runs_the_plan_that_was_shown(place: Bench) -> None:
    """Typing the environment's name runs exactly what the screen showed."""
    status, screen = answered(place, b"test\n")
    assert status == 0, screen[-2000:]
    assert "ALTER TABLE event_participants" in screen
    assert place.run("verify").status == 0


@pytest.mark.parametrize("answer", [b"yes\n", b"\n", b"\x04"], ids=["yes", "enter", "ctrl-d"])
def test_anything_else_changes_nothing(place: Bench, answer: bytes) -> None:
    """Another answer, an empty one or an end of input leave everything as it was."""
    before = place.schema()
    status, screen = answered(place, answer)
    assert status == 3, screen[-2000:]
    assert "nothing was changed" in screen
    assert place.schema() == before
