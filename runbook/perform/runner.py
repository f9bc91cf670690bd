"""Performs the application's own runner: what it adds is recorded, whatever it says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database import ledger
from runbook.database.book import read_book
from runbook.database.schema import shape
from runbook.errors import Outcome, StepFailed
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.perform import job
from runbook.perform.run import Result, Run
from runbook.plan.steps import Runner
from runbook.units import listed


@dataclass(frozen=True)
class Opened:
    """A row of the ledger that is open for a table, and what the table had when it was opened."""

    table: str
    row: int
    before: frozenset[str]


def perform(step: Runner, run: Run) -> Result:
    """Run it to its end and record what its tables have now and had not before.

    Rows that an earlier run left open go on: what it added meanwhile is theirs.
    The exit status is told and decides nothing, nor does a death: verify does.

    Raises:
        StepFailed: it could not be started.
        Lost, Interrupted: it goes on; the open rows say what was in hand.
    """
    opened = _opened(step, run)
    try:
        state = job.until_ended(step, run, lambda: jobs.parse(_lines(step, run)))
    except StepFailed:
        _close(run, opened, Outcome.FAILED)
        raise
    outcome = Outcome.CHANGED if state.succeeded else Outcome.FAILED
    added = _close(run, opened, outcome)
    for origin, checksum in step.fills:
        row = run.ledger.started(origin, checksum, None, adds=(), phase=step.phase, position=0)
        run.ledger.finished(row, outcome)
    what = f"added {listed(added)}" if added else "added nothing"
    return Result(Outcome.CHANGED, f"{_ended(state)}; {what}; verify decides", output=state.log)


def _lines(step: Runner, run: Run) -> tuple[str, ...]:
    return tuple(job.asked(step, run).splitlines())


def _opened(step: Runner, run: Run) -> tuple[Opened, ...]:
    book = read_book(run.writer)
    left = {e.target: e for e in book.leftovers(step.change) if e.of_runner}
    found = []
    for table in step.tables:
        if entry := left.get(table):
            found.append(Opened(table, entry.id, entry.before_objects))
            continue
        before = shape(run.writer, table)
        origin = f"{ledger.RUNNER}{table}"
        row = run.ledger.started(origin, step.checksum, before, adds=None, phase=step.phase)
        found.append(Opened(table, row, before.objects))
    return tuple(found)


def _close(run: Run, opened: tuple[Opened, ...], outcome: Outcome) -> tuple[str, ...]:
    all_added: list[str] = []
    for one in opened:
        added = shape(run.writer, one.table).added_since(one.before)
        run.ledger.finished(one.row, outcome, added)
        all_added += added
    return tuple(all_added)


def _ended(state: State) -> str:
    if state.state != "ended":
        return "it died without saying how"
    last = f" ({state.log[-1]})" if state.status and state.log else ""
    return f"exit status {state.status}{last}"
