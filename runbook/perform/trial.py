"""Performs a trial: a job of the application, and its own report held against the database."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from runbook.database.sessions import Session, SqlError
from runbook.database.trials import DONE, REFUSED, last_row, subject
from runbook.errors import Outcome, StepFailed
from runbook.events import CheckRow
from runbook.perform.check import check_rows
from runbook.perform.run import Result, Run
from runbook.plan.statements import Trial

HELD = 1
"""How flock ends when somebody else has the lock."""
PAUSE = 0.5


def perform(step: Trial, run: Run) -> Result:
    """Choose the subject, look, run the job once, and compare what it says with what is.

    Raises:
        StepFailed: there is no such subject, or it is refused; the job failed or did not report.
        Interrupted: the operator stopped while an earlier run of the job went on.
        Lost: the connection to its host went away; the job may go on.
    """
    _wait(step, run)
    with run.database.reader() as session:
        about = _before(session, step)
        if not about:
            return Result(Outcome.SKIPPED, "nothing is there that the job could be tried on")
        if about.startswith(DONE):
            return Result(Outcome.SKIPPED, about.removeprefix(DONE))
        done = run.hosts.run(step.where, step.command, timeout=step.timeout)
        if not done.ok:
            raise StepFailed(
                f"{step.where}: exit status {done.status}: {step.command}", output=done.tail()
            )
        said = tuple(reports(done.out, step.report_key, step.report))
        if not said:
            raise StepFailed(
                f"{step.where}: no line of its output has {step.report_key} = {step.report}",
                advice="The job ran, but what it did is not known: look at its log.",
                output=done.tail(),
            )
        session.execute("SET @report = %s", (json.dumps(said),))
        rows = _compared(session, step)
    wrong = tuple(row for row in rows if not row.holds)
    output = tuple(json.dumps(each) for each in said)
    if wrong:
        detail = f"{about}: {len(wrong)} of {len(rows)} do not hold"
        return Result(Outcome.FAILED, detail, rows, (*done.tail(), *output))
    return Result(Outcome.CHANGED, f"{about}; {len(rows)} hold", rows, output)


def _wait(step: Trial, run: Run) -> None:
    """Wait until no job goes on whose run was cut off: what it changes is not what ours does."""
    end, told = time.monotonic() + step.timeout, False
    while (done := run.hosts.run(step.where, step.free)).status:
        if done.status != HELD or time.monotonic() > end:
            raise StepFailed(
                f"{step.where}: exit status {done.status}: {step.free}",
                advice="The job of an earlier run still goes on there, or what it has started: "
                "wait for its end, or end it."
                if done.status == HELD
                else "",
                output=done.tail(),
            )
        if not told:
            run.waiting(f"the job of an earlier run still goes on on {step.where}")
            told = True
        run.keep_lock()
        run.brake.pause(PAUSE)


def reports(output: str, key: str, value: str) -> Iterator[dict[str, object]]:
    """Yield the JSON objects among the lines of `output` in which `key` is `value`.

    A line may have something in front of its object, such as a time.
    """
    for line in output.splitlines():
        start = line.find("{")
        if start < 0:
            continue
        try:
            said = json.loads(line[start:])
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and said.get(key) == value:
            yield said


def _before(session: Session, step: Trial) -> str:
    """Choose the subject and remember how things are; return how the subject is called."""
    try:
        about = subject(session, step.given, step.subject)
        if not about and step.given:
            raise StepFailed(f"{step.origin}: {step.given} is not there to be tried on")
        if about.startswith(REFUSED):
            raise StepFailed(
                f"{step.origin}: {about.removeprefix(REFUSED)}",
                advice="The job was not run. Choose one that is due, or leave --event out.",
            )
        if about:
            last_row(session, step.before)
    except SqlError as error:
        raise StepFailed(
            f"{step.origin}: {error.message}", advice="Is the change migrated here?"
        ) from error
    return about


def _compared(session: Session, step: Trial) -> tuple[CheckRow, ...]:
    try:
        rows = tuple(row for text in step.after for row in check_rows(session, text))
    except SqlError as error:
        raise StepFailed(f"{step.origin}: {error.message}") from error
    if not rows:
        raise StepFailed(f"{step.origin}: nothing was compared, so nothing is proven")
    return rows
