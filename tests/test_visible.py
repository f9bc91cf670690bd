"""What others say is shown: nothing in it acts on a terminal, hides, or is lost as data."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import pymysql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook import inventory
from runbook.environment import Environment
from runbook.errors import Outcome, RunbookError
from runbook.events import (
    Alert,
    CheckRow,
    Looking,
    Measured,
    Notified,
    Rate,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
    StepWaiting,
)
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Command, Follow
from runbook.telling.console import Console
from runbook.visible import as_json, clean, escaped
from sandbox.sandbox import Sandbox
from tests.inventories import GOOD, write
from tests.support import bench, lean

EVIL = "\x1b]0;PWNED\x07\x1b[2J\x9b6n\x08\r\u202e\x1bc\x85\u2028\x7f\x1b[31m"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K|\r")
"""What rich itself sends to a terminal: colours, and the live line."""
texts = st.text() | st.text(alphabet=f"{EVIL}a1;[]\n\t ") | st.just(EVIL)


@given(texts)
def test_no_text_is_obeyed_or_lost(text: str) -> None:
    """Shown, nothing of it acts on a terminal; as JSON neither, and there all of it is kept."""
    for shown in (clean(text), escaped(text), as_json([text])):
        assert not OBEYED.search(shown)
    assert escaped(text).count("\n") == text.count("\n")
    assert json.loads(as_json({"a": text}, indent=2)) == {"a": text}


@pytest.mark.parametrize("text", ["plain", "„ß“ → 👩‍💻 ✓ �", "a\tb\n\nc"])
def test_what_can_be_shown_is_not_touched(text: str) -> None:
    """Other scripts, joined emoji, tabs and line breaks stay as they are."""
    assert clean(text) == escaped(text) == text


def test_colours_are_left_out_only_where_nothing_is_approved() -> None:
    """What a host printed loses its colours; in what is sent even those are seen."""
    assert clean("\x1b[1;31mred\x1b[0m\r\nblue\r") == "red\nblue"
    assert escaped("\x1b[1;31mred\x1b[0m") == r"\x1b[1;31mred\x1b[0m"


def told(console: Console, environment: Environment, text: str) -> None:
    """Tell the operator `text` in every place that others can fill."""
    step = Command(
        phase="backup", title=text, where=text, text=text, origin=text, found=text, cost=text
    )
    finding = Finding(text, text, Level.REFUSED, text, text)
    plan = Plan("staging", "migrate", text, (step,), (finding,), (text,), command=text, next=text)
    console.preview(plan, environment, full=True)
    console.findings(plan, everything=True)
    console.findings(dataclasses.replace(plan, steps=()), everything=True)
    console.say(text)
    console.error(RunbookError(text, advice=text, output=(text,)))
    for event in (
        Looking(text),
        RunStarted(text, plan, plan.digest, text, text, text),
        StepStarted(1, step),
        StepProgress(1, 1, text, 2, 3.0, text),
        StepWaiting(1, text),
        StepOutput(1, (text, *text.splitlines())),
        Notified(text, text, text),
        StepFinished(1, step, Outcome.FAILED, 1.0, text, (CheckRow(text, "", text),), (text,)),
        StepStarted(
            2, Follow(phase="monitor", title=text, where=text, text=text, feeds=(), hours=1)
        ),
        Alert(text, text, text, text, text),
        Measured(2, "2026-01-01T00:00:00+00:00", (Rate(text, 1),)),
        StepProgress(2, 1, "", note=text),
        RunFinished(text, Outcome.FAILED, 1.0, text, text),
    ):
        console(event)


@settings(max_examples=30)
@given(texts, st.sampled_from([{}, {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "60"}]))
@example(EVIL, {})
@example(EVIL, {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "60"})
def test_whatever_is_told_no_terminal_obeys_it(text: str, env: dict[str, str]) -> None:
    """Findings, texts, output and every event are shown, piped or at a terminal, and not obeyed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = inventory.load(write(Path(folder), GOOD)).environment("staging")
    out = io.StringIO()
    with mock.patch.dict(os.environ, env), contextlib.redirect_stdout(out):
        told(Console(), dataclasses.replace(environment, about=text), text)
    found = OBEYED.search(OURS.sub("", out.getvalue()) if env else out.getvalue())
    assert not found, out.getvalue()[max(0, found.start() - 50) : found.end() + 50]


def test_what_a_session_runs_is_shown_and_not_obeyed(mariadb: Sandbox, tmp_path: Path) -> None:
    """The query of a session that is in the way, named to the operator, acts on no terminal."""
    place = bench(mariadb, tmp_path, policy={"max_transaction_age": "1ms"})
    with mariadb.root_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (session,) = cursor.fetchone() or ()
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT 1 FROM event_participants FOR UPDATE")

        def run() -> None:
            with contextlib.suppress(pymysql.Error):  # it is killed
                cursor.execute(f"SELECT SLEEP(100), '{EVIL}' FROM dual")

        busy = threading.Thread(target=run)
        busy.start()
        time.sleep(2)  # a transaction's age is told in whole seconds
        with place.start("preflight", "--env=test") as looking:
            shown, _ = looking.communicate(timeout=60)
        ran = place.run("preflight")
        mariadb.query(f"KILL QUERY {session}")
        busy.join()
    assert looking.returncode == 3
    assert r"\x1b]0;PWNED\x07" in shown
    assert not OBEYED.search(shown)
    assert "\x1b]0;PWNED\x07" in "".join(f["detail"] for f in ran.document["findings"])


def test_a_user_name_acts_on_nothing_and_fits(mariadb: Sandbox, tmp_path: Path) -> None:
    """Whatever SUDO_USER says is recorded as 100 characters that can be printed."""
    place = lean(mariadb, tmp_path)
    with place.start("migrate", "--env=test", env={"SUDO_USER": EVIL + "x" * 300}) as migrating:
        out, _ = migrating.communicate(timeout=120)
    assert migrating.returncode == 0, out
    ((operator,),) = mariadb.query("SELECT DISTINCT operator FROM vaulteer.runbook_ledger")
    assert str(operator).startswith(r"\x1b]0;PWNED\x07")
    assert len(str(operator)) == 100
    assert str(operator).isprintable()
