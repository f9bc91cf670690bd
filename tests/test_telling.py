"""What a person is shown: the preview of a plan, and the question that confirms it."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
from pathlib import Path

import pytest

import tasks
from runbook import inventory
from runbook.command.afterwards import after_error
from runbook.environment import Environment
from runbook.errors import Outcome, StepFailed
from runbook.events import StepFinished, StepOutput, StepProgress, StepStarted
from runbook.hosts import jobs
from runbook.hosts.shell import script
from runbook.phases import estimates
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Statement
from runbook.plan.steps import Command
from runbook.telling import render
from runbook.telling.console import Console
from runbook.units import counted
from tests.inventories import GOOD, write
from tests.support import PROJECT

FOLD = re.compile(r"      \+ (\S+) \((\d+) lines, sha256 ([0-9a-f]{12})\)")
PRUNE = Command(
    phase="backup",
    title="remove old dumps",
    where="db1",
    text=script(jobs.text({"folder": "/backups", "keep": 3}, "manifest", "prune")),
)
ALTER = Statement(
    phase="migrate",
    title="column t.c",
    where="shop@db1",
    text="ALTER TABLE t\n  ADD c INT",
    change="shop",
    table="t",
    checksum="0" * 64,
    found="absent",
    cost="INSTANT",
)
ERROR = StepFailed("db1: exit status 1: restart")
LAGGING = Finding("replica", "db2", Level.WARNING, "3 s behind", "Wait a little.")
FINE = Finding("clock", "db1", Level.OK, "as ours")
PLAN = Plan(
    "staging",
    "migrate",
    "shop",
    (PRUNE, dataclasses.replace(ALTER, title="column t.b", done=True), ALTER),
    (FINE, LAGGING),
    command="invoke migrate --env=staging",
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Return an environment of an inventory without a mistake."""
    return inventory.load(write(tmp_path, GOOD)).environment("staging")


def unfolded(text: str) -> list[str]:
    """Return a preview's lines with each named part replaced by the file's own lines."""
    lines = []
    for line in text.splitlines():
        if not (fold := FOLD.fullmatch(line)):
            lines.append(line)
            continue
        content = (PROJECT / fold[1]).read_bytes()
        assert hashlib.sha256(content).hexdigest().startswith(fold[3])
        part = content.decode().strip("\n").splitlines()
        assert len(part) == int(fold[2])
        lines += [f"      | {each}" for each in part]
    return lines


def test_a_folded_preview_with_its_files_is_the_full_one(environment: Environment) -> None:
    """What a preview only names is a file of the project, by name and checksum, line for line."""
    short = render.plan_text(PLAN, environment)
    full = render.plan_text(PLAN, environment, full=True)
    hint = short.index("A + stands")
    end = short.index("\n", short.index("--full", hint)) + 1
    assert "hosts/scripts/prune.sh" in short
    assert len(short) < len(full)
    assert unfolded(short[:hint] + short[end:]) == full.splitlines()


def test_a_full_preview_holds_every_text(environment: Environment) -> None:
    """Nothing of a pending step, its values and its host is left out."""
    full = [
        line.removeprefix("      | ")
        for line in render.plan_text(PLAN, environment, full=True).splitlines()
    ]
    for step in (PRUNE, ALTER):
        lines = step.text.splitlines()
        assert any(full[n : n + len(lines)] == lines for n in range(len(full)))


def test_a_preview_begins_and_ends_with_what_matters(environment: Environment) -> None:
    """Findings that matter come before the texts; what changes and how to run it come last."""
    lines = render.plan_text(PLAN, environment).splitlines()
    first_text = lines.index("      | bash -euo pipefail /dev/fd/3 3<<'RUNBOOK'")
    assert lines.index(render.finding_line(LAGGING)) < first_text
    assert render.finding_line(FINE) not in lines
    last = lines[lines.index("In short, what changes:") :]
    assert "   3  column t.c (INSTANT)" in last
    assert not [line for line in last if "column t.b" in line]
    assert lines[-1] == f"invoke migrate --env=staging --plan={PLAN.digest}"


def test_a_refused_preview_ends_with_what_refuses(environment: Environment) -> None:
    """A plan that may not run says so last, and shows no command that would be refused."""
    refused = Finding("lock", "shop@db1", Level.REFUSED, "held by bob", "Wait.")
    text = render.plan_text(dataclasses.replace(PLAN, findings=(FINE, refused)), environment)
    assert text.splitlines()[-2] == render.finding_line(refused)
    assert text.splitlines()[-1].startswith("This plan may not run")
    assert "--plan=" not in text


def test_the_essentials_of_a_question_come_last(environment: Environment) -> None:
    """Where, the database, what warns and how much changes stand below every text."""
    lines = [line.text for line in render.question(PLAN, environment)]
    texts = [n for n, line in enumerate(lines) if line.startswith("      | ")]
    assert [lines[n] for n in texts] == ["      | ALTER TABLE t", "      |   ADD c INT"]
    after = "\n".join(lines[texts[-1] :])
    for said in (
        "where releases are tried",
        "database shop at",
        render.finding_line(LAGGING),
        PLAN.digest,
        "2 of 3 steps",
    ):
        assert said in after


def test_what_weighs_most_is_told_last() -> None:
    """Findings keep their order within a level; what refuses stands at the end of the screen."""
    refused = Finding("lock", "db", Level.REFUSED, "held")
    assert render.by_weight((refused, LAGGING, FINE, LAGGING)) == (FINE, LAGGING, LAGGING, refused)


def test_every_preview_can_be_had_whole() -> None:
    """Each command that changes something takes --full, which its preview may speak of."""
    for name, task in tasks.namespace.tasks.items():
        options = inspect.signature(task.body).parameters
        assert "plan" not in options or "full" in options, name


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2000, "2,000 rows")])
def test_one_is_no_plural(count: int, said: str) -> None:
    """A count agrees with its noun."""
    assert counted(count, "row") == said


@pytest.mark.parametrize(
    ("rows", "index", "backfill"),
    [
        (500, "about 1 s", "about 1 s"),
        (200_000, "1 s to 2 s", "2 s to 40 s"),
        (10_000_000, "5 s to 2 min", "2 min to 33 min"),
        (500_000_000, "4 min to 83 min", "83 min to 28 h"),
    ],
)
def test_estimates_are_ranges_without_false_precision(rows: int, index: str, backfill: str) -> None:
    """How long it may take is told from the fast end to the slow one, in one unit each."""
    assert estimates.index(rows) == index
    assert estimates.backfill(rows) == backfill


def test_lines_that_were_streamed_are_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that fails ends with its last lines, but for those that just went by."""
    console = Console()
    console(StepStarted(1, PRUNE))
    console(StepOutput(1, ("one", "two")))
    console(StepProgress(1, 0, "bytes"))
    console(StepFinished(1, PRUNE, Outcome.FAILED, 0.0, "no", output=("one", "two", "three")))
    said = capsys.readouterr().out
    assert [said.count(f"| {word}") for word in ("one", "two", "three")] == [1, 1, 1]
    assert "after 0" not in said


def test_long_output_wraps_between_words_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a host said is broken between words, beside its mark; elsewhere it is not broken."""
    said = StepOutput(1, ("  a line that is longer than this terminal is wide", "", "short"))
    Console()(said)
    assert capsys.readouterr().out.splitlines() == [f"  | {line}" for line in said.lines]
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "30"}.items():
        monkeypatch.setenv(name, value)
    Console()(said)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert [line.rstrip() for line in shown.splitlines()] == [
        "  |   a line that is longer",
        "    than this terminal is wide",
        "  |",
        "  | short",
    ]


def test_what_only_rescues_is_marked_and_not_counted(environment: Environment) -> None:
    """A preview shows what would put things back, and does not say that it will happen."""
    turn = dataclasses.replace(PRUNE, title="restart", block="a turn")
    back = dataclasses.replace(turn, title="put it back", rescues=("a turn",))
    plan = dataclasses.replace(PLAN, steps=(turn, back))
    text = render.plan_text(plan, environment)
    assert "\n 2  backup    rescue db1: put it back\n" in text
    short = text[text.index("In short") :]
    assert "put it back" not in short
    assert "and 1 step more, marked rescue, only where one fails" in short
    assert "1 of 1 step change something" in short
    said = after_error(plan, ({"number": 1, "outcome": "failed", "kind": "command"},), ERROR, "x")
    assert "0 of 1 step done, with 0 changes; next: 1, restart" in said
