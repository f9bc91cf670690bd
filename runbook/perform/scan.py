"""Performs a scan: a command whose JSON line says what it found."""

from __future__ import annotations

import json
import time

from runbook.errors import Outcome, RunbookError, StepFailed
from runbook.events import Alert, CheckRow
from runbook.hosts.remote import Finished
from runbook.perform.run import Result, Run
from runbook.plan.steps import Scan
from runbook.units import iso

ALERT = 1
ROW = {
    "changed": ("unchanged", "changed"),
    "deleted": ("still there", "deleted"),
    "inserted": ("no such row", "slipped in among older ones"),
    "backdated": ("no older than the last scan", "new, and says it is older"),
}
"""What each thing found of a row was expected to be, and is."""


def perform(step: Scan, run: Run) -> Result:
    """Run it; each thing found is a comparison that does not hold, and all of it an alert.

    Raises:
        RunbookError: it could not compare anything. That is an alert too, but where
            it ends a run that changes something, whose bad end tells it.
    """
    typed = f"invoke watch --env={run.environment.name}"
    try:
        done, first, said = _scanned(step, run, typed)
    except RunbookError as error:
        if not step.changes:
            why = error.message.removeprefix(f"{step.where}: ")
            _alert(step, run, "the watch cannot tell", why, f"{typed} --once scans again.")
        raise
    checks = _found(first)
    notes = tuple(done.err.strip().splitlines()[-3:])
    if done.status == ALERT:
        way = "--accept takes the rows as they are" if checks else "--install mends its timetable"
        _alert(step, run, "the watch alerts", said, f"{typed} --once looks again; {way}.")
        return Result(Outcome.FAILED, said, checks, notes)
    return Result(Outcome.CHANGED if step.changes else Outcome.OK, said, (), notes)


def _scanned(step: Scan, run: Run, typed: str) -> tuple[Finished, str, str]:
    """Return what a scan answered: its line for programs, and the one for people."""
    done = run.hosts.run(step.where, step.text, timeout=step.timeout)
    lines = done.out.strip().splitlines()
    said = lines[-1] if lines else ""
    if done.status not in {0, ALERT} or not said:
        raise StepFailed(
            f"{step.where}: {said or f'exit status {done.status}'}",
            advice=f"What was to be found is not known. Mend it, then scan again: {typed} --once",
            output=done.tail(),
        )
    return done, lines[0], said


def _alert(step: Scan, run: Run, what: str, detail: str, advice: str) -> None:
    run.tell(Alert(iso(time.time()), step.where, what, detail, advice))


def _found(line: str) -> tuple[CheckRow, ...]:
    """Return what a scan's line lists, at most a hundred; none for a line that is no scan's."""
    try:
        rows = json.loads(line)["findings"]
        return tuple(_row({key: str(value) for key, value in row.items()}) for row in rows)
    except (ValueError, KeyError, TypeError):
        return ()


def _row(row: dict[str, str]) -> CheckRow:
    if row["what"] in ROW:
        return CheckRow(f"{row['where']} {row['key']}", *ROW[row["what"]])
    return CheckRow(row["key"], row["expected"], row["actual"])
