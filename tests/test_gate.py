"""The gate: what may begin within a window, what is declined, and what is free at any time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.database.blockers import blockers
from runbook.environment import Environment
from runbook.errors import Interrupted, Refusal
from runbook.inventory import load
from runbook.plan import gate as gates
from runbook.plan.gate import Gate
from runbook.plan.plan import Plan
from runbook.plan.steps import Command, Step
from sandbox.sandbox import Sandbox
from tests.inventories import GOOD, mistakes_in, write
from tests.standins import suite
from tests.support import MYSQL_IS_WIDE, bench, lean

NIGHTS = """\
    windows:
      nights: {days: [tue], from: "02:00", until: "05:00", zone: Europe/Berlin}
"""
OPEN = datetime(2025, 12, 16, 3, 30, tzinfo=UTC)  # 04:30 there: 30 minutes left
CLOSED = datetime(2025, 12, 16, 4, 30, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Return an environment with a window on Tuesdays from 02:00 to 05:00 in Berlin."""
    return load(write(tmp_path, GOOD + NIGHTS)).environment("staging")


def step(phase: str, estimate: float | None = None, **more: Any) -> Command:
    """Return a changing step of a phase."""
    return Command(phase=phase, title="it", where="h", text="x", estimate=estimate, **more)


def plan(*steps: Step) -> Plan:
    """Return a plan of these steps."""
    return Plan("staging", "run", "", steps)


def gate(environment: Environment, now: datetime, outside: str = "") -> Gate:
    """Return the gate at a moment."""
    return Gate(environment, outside, lambda: now)


def test_outside_a_window_it_says_when_the_next_one_opens(environment: Environment) -> None:
    """Deploy, migrate, smoke and triggers are refused; the advice says what would satisfy it."""
    for phase in ("deploy", "migrate", "smoke", "triggers"):
        with pytest.raises(Refusal) as caught:
            gate(environment, CLOSED).refuse_outside(plan(step("backup"), step(phase)))
        assert caught.value.message == (
            "outside the windows of staging: nights opens at Tue 2025-12-23 02:00 CET, in 6 d 20 h"
        )
        assert "--outside-window=REASON" in caught.value.advice
    gate(environment, OPEN).refuse_outside(plan(step("migrate")))


def test_a_backup_and_every_undo_are_free_at_any_time(environment: Environment) -> None:
    """Backup, export, restore and rollback need no window; nor does what is done already."""
    free = plan(
        *(step(phase, 1e6) for phase in ("backup", "export", "restore", "rollback", "validate")),
        step("migrate", 1e6, done=True),
    )
    closed = gate(environment, CLOSED)
    closed.refuse_outside(free)
    for number in range(len(free.steps)):
        closed.admit(free, number)
    assert closed.notes(free) == ()


def test_a_reason_lifts_the_windows_and_is_noted(environment: Environment) -> None:
    """With --outside-window nothing is refused, and the reason is in the plan's notes."""
    urgent = gate(environment, CLOSED, "the disk fills up")
    one = plan(step("migrate", 1e6))
    urgent.refuse_outside(one)
    urgent.admit(one, 0)
    assert urgent.notes(one) == (
        "no window is open; nights opens at Tue 2025-12-23 02:00 CET, in 6 d 20 h;"
        " outside it as asked: the disk fills up",
    )
    without = Gate(replace(environment, windows=()), "why")
    assert without.notes(one) == ("staging has no windows: --outside-window changes nothing",)


def test_a_step_that_cannot_be_finished_is_not_begun(environment: Environment) -> None:
    """What is left must do for the step, its undo, and the undo of all that was done before."""
    half_an_hour = gate(environment, OPEN)
    half_an_hour.admit(plan(step("migrate", 1800.0)), 0)
    half_an_hour.admit(plan(step("migrate", None)), 0)
    with pytest.raises(Interrupted) as caught:
        half_an_hour.admit(plan(step("migrate", 1500.0, undo=301.0)), 0)
    assert caught.value.message == (
        "not begun: it: it may take 25 min, and to undo 5 min 1 s;"
        " the window closes at Tue 2025-12-16 05:00 CET, in 30 min"
    )
    assert "Next, nights opens at Tue 2025-12-23 02:00 CET" in caught.value.advice
    before = step("migrate", 1.0, undo=400.0)
    with pytest.raises(Interrupted):
        half_an_hour.admit(plan(before, step("migrate", 1500.0)), 1)
    half_an_hour.admit(plan(replace(before, done=True), step("migrate", 1500.0)), 1)
    with pytest.raises(Interrupted, match="the window has closed"):
        gate(environment, CLOSED).admit(plan(step("migrate")), 0)


def test_a_block_is_admitted_as_a_whole(environment: Environment) -> None:
    """A batch is begun when it and its putting back fit; in its middle nothing is declined."""
    batch = [step("deploy", 700.0, block="batch 1") for _ in range(2)]
    back = step("deploy", 500.0, rescues=("batch 1",))
    with pytest.raises(Interrupted, match="it may take 23 min 20 s, and to undo 8 min 20 s"):
        gate(environment, OPEN).admit(plan(*batch, back), 0)
    gate(environment, OPEN).admit(plan(*batch), 0)
    gate(environment, CLOSED).admit(plan(*batch, back), 1)
    gate(environment, CLOSED).admit(plan(*batch, back), 2)


def test_the_notes_say_what_is_left_and_what_may_not_fit(environment: Environment) -> None:
    """Before a run one reads how long the window is open, and whether all steps fit."""
    half_an_hour = gate(environment, OPEN)
    said = "window nights is open until Tue 2025-12-16 05:00 CET, 30 min left"
    assert half_an_hour.notes(plan(step("migrate", 60.0))) == (said,)
    first, second = half_an_hour.notes(plan(step("migrate", 1200.0), step("deploy", 1200.0)))
    assert first == said
    assert second.startswith("all steps may take 40 min: those that do not fit")
    batch = (step("deploy", block="batch 1"), step("deploy", 60.0, block="batch 1"))
    _, unknown = half_an_hour.notes(plan(step("migrate", None), *batch))
    assert unknown.startswith("how long it may take is not known of: it; it is begun whatever")


def windows(opens: timedelta, closes: timedelta) -> dict[str, Any]:
    """Return a window that opens and closes so long from now, in UTC."""
    now = datetime.now(UTC)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    edges = {"from": f"{now + opens:%H:%M}", "until": f"{now + closes:%H:%M}"}
    return {"now": {"days": days, "zone": "UTC", **edges}}


def test_a_run_outside_its_windows_touches_nothing(mariadb: Sandbox, tmp_path: Path) -> None:
    """It is refused before anything was sent; a preview and a backup are not; a reason lets it."""
    closed = windows(timedelta(hours=3), timedelta(hours=5))
    place = bench(mariadb, tmp_path, windows=closed)
    before = place.schema()
    ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert "outside the windows of test: now opens at" in ran.document["message"]
    assert ran.document["steps"] == []
    assert place.schema() == before
    preview = place.run("migrate", dry_run=True)
    assert preview.status == 0
    assert any("no window is open" in note for note in preview.document["notes"])
    assert place.run("backup").status == 0
    planned = [s for s in place.run("migrate", dry_run=True).document["planned"] if not s["done"]]
    known = {(s["kind"], s["estimate"], s["undo"]) for s in planned if s["phase"] == "migrate"}
    assert {("statement", 1.0, 1.0), ("chunks", 1.0, 0.0)} <= known
    ran = place.run("migrate", outside_window="a customer waits")
    assert ran.status == 0
    journal = Path(ran.document["journal"]).read_text()
    assert "outside it as asked: a customer waits" in journal
    assert place.run("rollback").status == 0
    assert place.schema() == before


@MYSQL_IS_WIDE
def test_a_window_that_closes_stops_between_two_steps_and_two_ranges(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run stops where the window closes, within a backfill too; the next window does the rest."""
    sandbox.reset(rows=20_000, partial=True)
    place = bench(
        sandbox,
        tmp_path,
        windows=windows(timedelta(hours=-1), timedelta(hours=2)),
        policy={"chunk_time": "1ms"},
    )
    shown = {"late": False, "steps": 0, "ranges": 0}
    monkeypatch.setattr(
        gates, "_now", lambda: datetime.now(UTC) + timedelta(hours=4 if shown["late"] else 0)
    )
    admit, hold = Gate.admit, Gate.hold

    def counting_steps(self: Gate, plan: Plan, number: int) -> None:
        shown["steps"] += plan.steps[number].phase == "migrate"
        shown["late"] = shown["steps"] == 3
        admit(self, plan, number)

    def counting_ranges(self: Gate, step: Step) -> None:
        shown["ranges"] += 1
        shown["late"] = shown["ranges"] == 2
        hold(self, step)

    monkeypatch.setattr(Gate, "admit", counting_steps)
    monkeypatch.setattr(Gate, "hold", counting_ranges)
    ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (130, "stopped")
    assert re.match("not begun: .*: the window has closed", ran.document["message"])
    assert "the same command then does what is left" in ran.document["advice"]
    shown["late"] = False
    ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (130, "stopped")
    assert re.match("stopped: backfill .*: the window has closed", ran.document["message"])
    shown["late"] = False
    ran = place.run("migrate")
    assert ran.status == 0
    assert place.run("verify").status == 0


def test_what_waited_for_its_lock_past_the_window_is_not_done(
    mariadb: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window closes while somebody holds the table: given the lock, it changes nothing more."""
    short = {"lock_wait": "1s", "lock_give_up": "60s"}
    open_ = windows(timedelta(hours=-1), timedelta(hours=2))
    place = lean(mariadb, tmp_path, windows=open_, timeouts=short)
    before = place.schema()
    late: list[bool] = []
    monkeypatch.setattr(
        gates, "_now", lambda: datetime.now(UTC) + timedelta(hours=4 if late else 0)
    )
    with mariadb.root_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM event_participants")

        def meanwhile(*asked: Any) -> tuple[str, ...]:
            found = blockers(*asked)
            late.append(True)
            cursor.execute("COMMIT")
            return found

        monkeypatch.setattr("runbook.perform.statement.blockers", meanwhile)
        ran = place.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (130, "stopped"), ran.why
    assert re.match("not begun: column .*: the window has closed", ran.document["message"])
    assert place.schema() == before
    late.clear()
    assert place.run("migrate").status == 0


def test_tests_that_may_outlast_the_window_are_not_begun(mariadb: Sandbox, tmp_path: Path) -> None:
    """Smoke needs as much of the window as its time-out allows it."""
    tests = {"host": "app1", "command": suite(tmp_path), "folder": str(tmp_path), "timeout": "3h"}
    closing = windows(timedelta(hours=-1), timedelta(hours=2))
    ran = bench(mariadb, tmp_path, windows=closing, smoke=tests).run("smoke")
    assert (ran.status, ran.document["outcome"]) == (130, "stopped"), ran.why
    assert "it may take 3 h; the window closes" in ran.document["message"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"02:00"', "22:00", "write it in quotes"),
        ('"05:00"', '"24:00"', "the end of a day is 00:00"),
        ("Europe/Berlin", "Europe/Brelin", "did you mean Europe/Berlin?"),
        ("Europe/Berlin", "../../etc/passwd", "expected a time zone such as Europe/Berlin"),
        ("[tue]", "[tuesday]", "expected one of mon, tue, wed, thu, fri, sat, sun"),
    ],
)
def test_a_mistake_in_a_window_says_what_was_meant(old: str, new: str, said: str) -> None:
    """Times, zones and days that are none are mistakes of the inventory, with a hint."""
    (mistake,) = mistakes_in(GOOD + NIGHTS.replace(old, new))
    assert said in str(mistake)
