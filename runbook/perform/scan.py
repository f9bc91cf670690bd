"""Performs a scan: a command whose JSON line says what it found."""

from __future__ import annotations

import json

from runbook.errors import Outcome, StepFailed
from runbook.events import CheckRow
from runbook.perform.run import Result, Run
from runbook.plan.steps import Scan

ALERT = 1
ROW = {
    "changed": ("unchanged", "changed"),
    "deleted": ("still there", "deleted"),
    "inserted": ("no such row", "slipped in among older ones"),
    "backdated": ("no older than the last scan", "new, and says it is older"),
}
"""What each thing found of a row was expected to be, and is."""


def perform(step: Scan, run: Run) -> Result:
    """Run it; each thing found is a comparison that does not hold.

    Raises:
        StepFailed: it could not compare anything.
    """
    done = run.hosts.run(step.where, step.text, timeout=step.timeout)
    lines = done.out.strip().splitlines()
    said = lines[-1] if lines else ""
    if done.status not in {0, ALERT} or not said:
        raise StepFailed(
            f"{step.where}: {said or f'exit status {done.status}'}",
            advice="What was to be found is not known. Mend it, then scan again: "
            f"invoke watch --env={run.environment.name} --once",
            output=done.tail(),
        )
    checks = _found(lines[0])
    notes = tuple(done.err.strip().splitlines()[-3:])
    if done.status == ALERT:
        return Result(Outcome.FAILED, said, checks, notes)
    return Result(Outcome.CHANGED if step.changes else Outcome.OK, said, (), notes)


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
