"""The question at a terminal: a plan runs when the environment's name is typed, else not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import Bench, bench
from tests.terminal import CTRL_C, answered


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose environment wants to be confirmed."""
    return bench(mariadb, tmp_path, policy={"confirm": "prompt"})


def confirmed(place: Bench, answer: bytes) -> tuple[int, str]:
    """Run migrate at a terminal, type `answer` at its question; return status and screen."""
    return answered(place, ("migrate", "--env=test"), ("Type test to run this plan", answer))


def test_the_name_runs_the_plan_that_was_shown(place: Bench) -> None:
    """Typing the environment's name runs exactly what the screen showed."""
    status, screen = confirmed(place, b"test\n")
    assert status == 0, screen[-2000:]
    assert "ALTER TABLE event_participants" in screen
    assert place.run("verify").status == 0


@pytest.mark.parametrize("answer", [b"yes\n", b"\n", b"\x04"], ids=["yes", "enter", "ctrl-d"])
def test_anything_else_changes_nothing(place: Bench, answer: bytes) -> None:
    """Another answer, an empty one or an end of input leave everything as it was."""
    before = place.schema()
    status, screen = confirmed(place, answer)
    assert status == 3, screen[-2000:]
    assert "nothing was changed" in screen
    assert place.schema() == before


def test_ctrl_c_at_the_question_is_a_stop(place: Bench) -> None:
    """Ctrl-C instead of an answer stops, exit status 130, before anything was changed."""
    before = place.schema()
    status, screen = confirmed(place, CTRL_C)
    assert status == 130, screen[-2000:]
    assert "stopped before anything was changed" in screen
    assert place.schema() == before
