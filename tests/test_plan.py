"""`--plan`: a digest lets exactly the previewed plan run, and the printed line can be pasted."""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path
from typing import Any

import pytest

from runbook.command.commands import COMMANDS
from runbook.command.session import main
from runbook.options import Options
from sandbox.sandbox import Sandbox
from tests.support import Bench, bench, lean

ANOTHER = "0123456789ab"


@pytest.fixture
def strict(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench that runs only what was previewed."""
    return lean(mariadb, tmp_path, policy={"confirm": "plan"})


def digest(place: Bench, command: str) -> str:
    """Return the digest that a preview ends with."""
    said = place.run(command, dry_run=True).document
    assert said["plan"], said
    return str(said["plan"])


def typed(place: Bench, command: str, **options: Any) -> str:
    """Return the line that a preview says to type, as it stands on the screen."""
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        chosen = Options(dry_run=True, **options)
        assert main(COMMANDS[command], "test", chosen, place.folder) == 0
    *_, line = (line for line in screen.getvalue().splitlines() if "--plan=" in line)
    return line.strip()


@pytest.mark.parametrize("dry_run", [True, False], ids=["preview", "run"])
@pytest.mark.parametrize(
    ("plan", "status", "said"),
    [
        ("", 2, "expected the twelve hexadecimal digits"),
        ("latest", 2, "expected the twelve hexadecimal digits"),
        (f"{ANOTHER} ", 2, "expected the twelve hexadecimal digits"),
        (ANOTHER.upper(), 2, "expected the twelve hexadecimal digits"),
        (ANOTHER, 3, f"now, not {ANOTHER}"),
    ],
    ids=["empty", "a word", "a blank behind it", "capitals", "another plan"],
)
def test_anything_but_the_plans_own_digest_runs_nothing(
    strict: Bench, plan: str, status: int, said: str, dry_run: bool
) -> None:
    """It is refused in a preview too, and the answer says how to see the right one."""
    ran = strict.run("backup", plan=plan, dry_run=dry_run)
    assert ran.status == status
    assert said in ran.document["message"]
    assert "invoke backup --env=test --dry-run" in ran.document["advice"]
    assert ran.document["steps"] == []


def test_a_plan_is_not_good_for_another_time(strict: Bench) -> None:
    """After it ran, and after a rollback, the same approval lets nothing run any more."""
    approved = digest(strict, "migrate")
    assert strict.run("migrate", plan=approved, dry_run=True).status == 0
    assert strict.run("migrate", plan=approved).status == 0
    assert strict.run("migrate", plan=approved).status == 3
    assert strict.run("rollback", plan=digest(strict, "rollback")).status == 0
    before = strict.schema()
    ran = strict.run("migrate", plan=approved)
    assert (ran.status, strict.schema()) == (3, before)
    assert f"now, not {approved}" in ran.document["message"]


def test_a_newer_backup_changes_no_approved_plan(mariadb: Sandbox, tmp_path: Path) -> None:
    """Approved before anybody took one, or when another was the newest, it still runs.

    A dump that was approved finds itself done.
    """
    strict = bench(mariadb, tmp_path, policy={"confirm": "plan"})
    first = digest(strict, "migrate")
    assert strict.run("backup", plan=digest(strict, "backup")).status == 0
    second = digest(strict, "migrate")
    fresh = strict.run("backup", fresh=True, dry_run=True).document["plan"]
    assert strict.run("backup", fresh=True, plan=fresh).status == 0
    assert digest(strict, "migrate") == second != first
    assert strict.run("migrate", plan=second, dry_run=True).status == 0
    ran = strict.run("migrate", plan=first)
    assert (ran.status, ran.document["plan"]) == (0, first)
    assert len(list((strict.folder / "backups").glob("vaulteer-*.zst"))) == 2


def test_the_printed_line_can_be_pasted(strict: Bench) -> None:
    """What a preview says to type runs exactly what it showed, with all its options."""
    for command, options in (
        ("backup", {"fetch": True, "fresh": True}),
        ("restore", {"into": "vaulteer_restore_1"}),
        ("migrate", {"fresh": True}),
    ):
        line = typed(strict, command, **options)
        with strict.start(*shlex.split(line)[1:]) as process:
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{line}\n{out}"


@pytest.mark.parametrize("phase", ["backup", "verify", "migrate"])
def test_never_holds_for_the_parts_of_a_plan(mariadb: Sandbox, tmp_path: Path, phase: str) -> None:
    """Migrate is refused where the policy forbids a phase that it is made of."""
    place = lean(mariadb, tmp_path, policy={"never": [phase]})
    before = place.schema()
    ran = place.run("migrate")
    assert (ran.status, place.schema()) == (3, before)
    assert ran.document["message"] == f"policy.never forbids {phase} in test"
