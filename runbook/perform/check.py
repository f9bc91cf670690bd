"""Performs checks: reads whose rows compare what is with what should be."""

from __future__ import annotations

from runbook.database.schema import difference, show_create
from runbook.database.sessions import Session, SqlError, as_text
from runbook.errors import Outcome, StepFailed
from runbook.events import CheckRow
from runbook.perform.run import Result, Run
from runbook.plan.statements import Check, Compare
from runbook.units import counted

COLUMNS = ("check_name", "expected", "actual")


def perform(step: Check, run: Run) -> Result:
    """Compare every row that the check's statements return."""
    try:
        rows = tuple(row for text in step.statements for row in check_rows(run.reader, text))
    except SqlError as error:
        raise StepFailed(f"{step.origin}: {error.message}", advice=error.advice) from error
    if not rows:
        raise StepFailed(f"{step.origin}: the check returned no row, so it proves nothing")
    wrong = tuple(row for row in rows if not row.holds)
    if wrong:
        return Result(Outcome.FAILED, f"{len(wrong)} of {len(rows)} do not hold", rows)
    return Result(Outcome.OK, f"{len(rows)} hold", rows)


def check_rows(session: Session, text: str) -> tuple[CheckRow, ...]:
    """Run one statement; rows under the three columns of a check are comparisons."""
    result = session.query(text)
    if tuple(name.lower() for name in result.columns) != COLUMNS:
        return ()
    return tuple(
        CheckRow(*("NULL" if value is None else as_text(value) for value in row))
        for row in result.rows
    )


def compare(step: Compare, run: Run) -> Result:
    """Compare a table with its definition of an earlier time, byte for byte."""
    actual = show_create(run.reader, step.table)
    if actual == step.expected:
        return Result(Outcome.OK, "equal, byte for byte")
    lines = difference(step.expected, actual)
    row = CheckRow(step.title, step.expected or "no table", actual or "no table")
    return Result(
        Outcome.FAILED,
        f"{counted(len(lines), 'line')} {'differs' if len(lines) == 1 else 'differ'}",
        (row,),
        lines,
    )
