"""Performs a survey: asks several hosts at once, and says who answered what."""

from __future__ import annotations

from runbook.errors import Outcome, RunbookError
from runbook.events import CheckRow
from runbook.hosts.remote import Finished
from runbook.perform.run import Result, Run
from runbook.plan.steps import Survey


def perform(step: Survey, run: Run) -> Result:
    """Ask every host; where something is expected, every one must answer exactly that."""
    asked = dict(step.asked)
    told = run.hosts.each(asked, lambda name: run.hosts.run(name, asked[name]))
    answers = {name: _answer(each) for name, each in told.items()}
    hosts: dict[str, list[str]] = {}
    for name, answer in answers.items():
        hosts.setdefault(answer, []).append(name)
    detail = "; ".join(f"{', '.join(names)}: {answer}" for answer, names in hosts.items())
    if not step.expected:
        return Result(Outcome.OK, detail)
    rows = tuple(CheckRow(name, step.expected, answer) for name, answer in answers.items())
    holds = all(row.holds for row in rows)
    return Result(Outcome.OK if holds else Outcome.FAILED, detail, rows)


def _answer(told: Finished | RunbookError) -> str:
    if isinstance(told, RunbookError):
        return f"unknown ({told.message})"
    if told.ok:
        return told.out.strip() or "nothing"
    return f"unknown (status {told.status}{''.join(f': {line}' for line in told.tail(1))})"
