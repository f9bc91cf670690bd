"""The question at a terminal: a plan runs when the environment's name is typed, else not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import Bench, bench
from tests.terminal import CTRL_C, answered


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose environment wants to be confirmed."""
    return bench(mariadb, tmp_path, policy={"confirm": "prompt"})


def confirmed(
    place: Bench, answer: bytes, meanwhile: Callable[[], object] = lambda: None
) -> tuple[int, str]:
    """Run migrate at a terminal, type `answer` at its question; return status and screen.

    `meanwhile` is done while the question stands there.
    """
    question = "Type test to run this plan"
    return answered(place, ("migrate", "--env=test"), (question, answer), meanwhile=meanwhile)


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


def test_a_question_left_open_keeps_nobody_out(place: Bench) -> None:
    """While it stands there others migrate by a digest; the answer then runs nothing else."""

    def another() -> None:
        digest = place.run("migrate", dry_run=True).document["plan"]
        assert place.run("migrate", plan=digest).status == 0

    status, screen = confirmed(place, b"test\n", another)
    assert status == 3, screen[-2000:]
    assert "what was shown is not what would run now" in screen


def test_an_answer_that_comes_while_another_runs_is_refused(place: Bench) -> None:
    """Who has the lock by then is named, and nothing was changed."""
    with place.sandbox.database.connect() as other, other.cursor() as cursor:

        def taken() -> None:
            cursor.execute("SELECT GET_LOCK('runbook:vaulteer', 5)")
            assert cursor.fetchone() == (1,)

        before = place.schema()
        status, screen = confirmed(place, b"test\n", taken)
    assert status == 3, screen[-2000:]
    assert "test is being worked on by session" in screen
    assert place.schema() == before


def test_ctrl_c_at_the_question_is_a_stop(place: Bench) -> None:
    """Ctrl-C instead of an answer stops, exit status 130, before anything was changed."""
    before = place.schema()
    status, screen = confirmed(place, CTRL_C)
    assert status == 130, screen[-2000:]
    assert "stopped before anything was changed" in screen
    assert place.schema() == before
