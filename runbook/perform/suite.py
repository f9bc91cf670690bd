"""Performs tests: what they print is told as it comes, and their own report is counted."""

from __future__ import annotations

from dataclasses import replace

from runbook.errors import Outcome, StepFailed
from runbook.events import CheckRow
from runbook.hosts import jobs, testreports
from runbook.hosts.jobs import State
from runbook.hosts.remote import LONGEST_LINE
from runbook.hosts.testreports import FAILED, PASSED, SKIPPED, Case, Report
from runbook.perform import job
from runbook.perform.run import Result, Run
from runbook.plan.steps import Suite
from runbook.units import size
from runbook.visible import clean

TIMED_OUT, KILLED = 124, 137
"""How timeout(1) says that it asked the tests to end, and that it had to kill them."""
TOLD, READ = 5000, 1 << 23
"""Lines of output that are told, and bytes; a flood beyond them stays in the log on the host."""
END = 1 << 16
"""Bytes at the end of a flood that are read, for its last lines."""
SHOWN, OF_EACH = 3, 6
"""Failed tests whose messages stand in the output, and lines of each."""


def perform(step: Suite, run: Run) -> Result:
    """Start the tests, or attach to them, and return how they ended by their own report.

    Raises:
        StepFailed: they could not be started, took too long, died or did not report.
        Lost: the connection went away; the tests go on.
        Interrupted: the operator stopped; the tests go on.
    """
    log = _Log(step, run)
    state = job.until_ended(step, run, log.look)
    state = replace(state, stage=state.stage or "testing", log=log.last)
    if state.state != "ended":
        raise job.died(step, state)
    if state.status == TIMED_OUT or (
        state.status == KILLED and state.seconds - state.ended >= step.timeout
    ):
        raise StepFailed(
            f"{step.where}: ended after {step.timeout:g} s, before the tests were through",
            advice="Their time is smoke.timeout of the inventory.",
            output=log.last,
        )
    try:
        report = testreports.read(log.report)
    except ValueError as error:
        why = f"the report cannot be read: {error}" if log.report.strip() else "no report is there"
        raise StepFailed(
            f"{step.where}: the tests ended with status {state.status}, and {why}",
            advice="smoke.command of the inventory must write one to {report}, or print it.",
            output=log.last,
        ) from error
    return judged(report, state.status or 0, log.last)


def judged(report: Report, status: int, last: tuple[str, ...]) -> Result:
    """Return how tests ended: well only if some passed, none failed, and their runner agrees."""
    passed, failed = report.ended(PASSED), report.ended(FAILED)
    counts = [f"{len(passed)} passed"]
    counts += [f"{len(cases)} {how}" for how in (FAILED, SKIPPED) if (cases := report.ended(how))]
    said = ", ".join(counts)
    if failed:
        rows = tuple(CheckRow(case.name, PASSED, _first(case)) for case in failed)
        return Result(Outcome.FAILED, said, rows, _messages(failed))
    if not passed:
        return Result(Outcome.FAILED, f"{said}: no test ran, so nothing is proven", output=last)
    if report.doubt or status:
        doubt = report.doubt or f"the runner ended with status {status}"
        return Result(Outcome.FAILED, f"{said}, but {doubt}", output=last)
    return Result(Outcome.OK, said, output=last)


class _Log:
    """What is known of the tests' log: how far it was told, its last lines, and the report."""

    def __init__(self, step: Suite, run: Run) -> None:
        self._step, self._run = step, run
        self._at = self._told = 0
        self._flooded = False
        self.last: tuple[str, ...] = ()
        self.report = ""

    def look(self) -> State:
        """Look at the tests, and tell what they have printed meanwhile."""
        while True:
            lines = job.asked(self._step, self._run, f"{self._at}\n").split("\n")
            said = tuple(line for line in lines if line[:2] not in {"> ", "= "})
            facts = dict(line.split(" ", 1) for line in said if " " in line)
            before, self._at = self._at, int(facts.get("at", self._at))
            self._tell(tuple(_beginning(line[2:]) for line in lines if line.startswith("> ")))
            self.report = "\n".join(line[2:] for line in lines if line.startswith("= "))
            state, end = jobs.parse(said), int(facts.get("size", 0))
            if self._at in {before, end} or (self._flooded and state.running):
                return state  # tests that print faster than we read are watched all the same
            if self._flooded:
                self._at = max(self._at, end - END)

    def _tell(self, lines: tuple[str, ...]) -> None:
        self.last = (*self.last, *lines)[-20:]
        if self._flooded or not lines:
            return
        shown = lines[: TOLD - self._told]
        self._told += len(lines)
        self._flooded = self._told > TOLD or self._at > READ
        if self._flooded:
            what = f"{TOLD} lines" if self._told > TOLD else size(READ)
            shown = (*shown, f"… more than {what}; the rest is in the log on the host")
        self._run.output(shown)


def _beginning(line: str) -> str:
    """Return a line's beginning, as it can be shown."""
    return clean(line[:LONGEST_LINE])


def _first(case: Case) -> str:
    lines = [_beginning(line).strip() for line in case.message.splitlines()]
    return next(filter(None, lines), FAILED)[:200]


def _messages(failed: tuple[Case, ...]) -> tuple[str, ...]:
    """Return the beginnings of the first messages, short enough that all of them are shown."""
    lines: list[str] = []
    for case in failed[:SHOWN]:
        said = [text for line in case.message.splitlines() if (text := _beginning(line).rstrip())]
        lines += [case.name, *(f"  {text}" for text in said[: OF_EACH - 1])]
    if len(failed) > SHOWN:
        lines.append(f"… and {len(failed) - SHOWN} more")
    return tuple(lines)
