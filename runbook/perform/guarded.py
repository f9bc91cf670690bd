"""Performs a statement that destroys rows, while its tables are locked and were just compared."""

from __future__ import annotations

import contextlib

from runbook.database.sessions import SqlError, TimeLimit
from runbook.errors import Lost, StepFailed
from runbook.perform import statement
from runbook.perform.check import check_rows
from runbook.perform.run import Result, Run
from runbook.plan.statements import Guarded

NOT_LOCKED = 1100


def perform(step: Guarded, run: Run) -> Result:
    """Lock, compare, drop and unlock; where the lock is not to be had, step back and try again.

    Raises:
        StepFailed: the rows are not the expected ones, so nothing was dropped;
            or as `statement.perform` does.
        Lost: the connection went away; the server gives the lock back by itself.
    """
    return statement.perform(step, run, lambda: _attempt(step, run))


def _attempt(step: Guarded, run: Run) -> None:
    try:
        for text in step.opening:
            run.writer.execute(text)
        _compare(step, run)
        run.writer.execute(step.drop)
    finally:
        with contextlib.suppress(Lost):  # then the locks are gone too, and that is told
            for text in step.closing:
                run.writer.execute(text)


def _compare(step: Guarded, run: Run) -> None:
    try:
        rows = [row for text in step.checks for row in check_rows(run.writer, text)]
    except TimeLimit as error:
        raise StepFailed(
            f"{step.origin}: comparing the rows took too long to keep {step.table} locked for it",
            advice="Nothing was dropped. Raise timeouts.query in the inventory, for an hour at "
            "which the table can wait that long.",
        ) from error
    except SqlError as error:
        if error.code != NOT_LOCKED:
            raise
        raise StepFailed(
            f"{step.origin}: nothing was dropped: {error.message}",
            advice="An export query must select a column of every table that it reads.",
        ) from error
    wrong = [row for row in rows if not row.holds]
    if wrong or len(rows) < len(step.checks):
        said = [f"{row.name}: expected {row.expected}, is {row.actual}" for row in wrong]
        raise StepFailed(
            f"{step.origin}: {'; '.join(said) or 'a check returned no row'}",
            advice="Somebody wrote meanwhile; nothing was dropped. Export again: "
            f"invoke export --env={run.environment.name}",
        )
