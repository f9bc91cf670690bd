"""Performs a proof: tries what must fail, in a transaction that is always rolled back."""

from __future__ import annotations

import contextlib

from runbook.database.sessions import LockWait, SqlError, as_text
from runbook.errors import Lost, Outcome, StepFailed
from runbook.events import CheckRow
from runbook.perform.run import Result, Run
from runbook.perform.statement import with_short_waits
from runbook.plan.statements import Proof

SAFE = """\
SELECT COUNT(*) FROM information_schema.TABLES t JOIN information_schema.ENGINES e
 ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = %s
 AND e.TRANSACTIONS = 'YES'"""


def perform(step: Proof, run: Run) -> Result:
    """Try it, roll back, and compare the SQLSTATE; a lock that others hold is waited for briefly.

    Raises:
        StepFailed: a table could not roll back, so nothing was tried; or what
            comes before the attempt failed.
        Lost: the connection went away, and the transaction with it.
    """
    for table in step.tables:
        if run.writer.value(SAFE, (table,)) != 1:
            raise StepFailed(
                f"{step.origin}: {table} is not there, or is of an engine without transactions: "
                "nothing was tried",
                advice=f"ALTER TABLE {table} ENGINE=InnoDB",
            )
    seen: list[tuple[str, str]] = []
    try:
        with_short_waits(step.origin, step.tables[0], run, lambda: seen.append(_try(step, run)))
    except SqlError as error:
        raise StepFailed(f"{step.origin}: {error.message}", advice=error.advice) from error
    state, message = seen[-1]
    row = CheckRow(
        step.title, f"SQLSTATE {step.sqlstate}", f"SQLSTATE {state}" if state else message
    )
    if row.holds:
        return Result(Outcome.OK, f"refused as it should be: {message}; rolled back", (row,))
    why = f"SQLSTATE {state}: {message}" if state else message
    return Result(Outcome.FAILED, f"{why}; rolled back", (row,))


def _try(step: Proof, run: Run) -> tuple[str, str]:
    """Return SQLSTATE and message of the attempt's error, or an empty state and what happened."""
    try:
        for text in step.opening:
            run.writer.execute(text)
        try:
            rows = run.writer.execute(step.attempt)
        except LockWait:
            raise
        except SqlError as error:
            run.writer.execute(step.diagnose)
            state = as_text(run.writer.value(f"SELECT @{step.variable}"))
            return state, error.message
        return "", f"no error: {rows} rows were touched" if rows else "no error"
    finally:
        with contextlib.suppress(Lost):  # then the server has rolled back by itself
            run.writer.execute(step.closing)
