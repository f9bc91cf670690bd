"""A run as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from runbook.report import chart
from runbook.report.model import BEGUN, NOT_NEEDED, NOT_REACHED, Run, Step
from runbook.report.verdict import verdict, what_next
from runbook.report.words import advised, clock, length, moment

HERE = Path(__file__).parent
TAIL = 20
LONG = 20
"""A text of more lines is left out on paper."""
SIGNS = {
    "ok": "✓",
    "changed": "✓",
    "skipped": "\u2013",
    "refused": "✕",
    "failed": "✕",
    "unknown": "?",
    "stopped": "■",
    BEGUN: "…",
    NOT_REACHED: "·",
    NOT_NEEDED: "·",
}


@dataclass(frozen=True)
class Source:
    """The journal a page was made from."""

    name: str
    sha256: str
    bytes: int


def page(run: Run, source: Source) -> str:
    """Return the page. Every value is escaped by the template's engine."""
    return _template().render(
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        run=run,
        source=source,
        verdict=verdict(run),
        next=[advised(line) for line in what_next(run)],
        bad=run.bad,
        time_lines=chart.time_lines(run),
        rates=chart.rates(run.series),
        waits={step.number: _waits(step) for step in run.steps},
        wrong=[(step, check) for step, check in run.checks if not check.holds],
        held=[(step, check) for step, check in run.checks if check.holds],
        matters=[found for found in run.findings if found.level not in {"ok", "pending"}],
        fine=[found for found in run.findings if found.level in {"ok", "pending"}],
        told=[notice for notice in run.notices if not notice.failure],
        untold=[notice for notice in run.notices if notice.failure],
        tally=_tally(run),
        TAIL=TAIL,
        LONG=LONG,
    )


@cache
def _template() -> Template:
    engine = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters.update(
        lasting=length,
        moment=moment,
        clock=clock,
        kind=_kind,
        sign=SIGNS.get,
        lines=str.splitlines,
    )
    return engine.get_template("page.html")


def _tally(run: Run) -> list[tuple[str, int]]:
    """Return how many steps ended in which way, in the order of `SIGNS`."""
    counts = [(outcome, sum(step.outcome == outcome for step in run.steps)) for outcome in SIGNS]
    return [(outcome, count) for outcome, count in counts if count]


def _waits(step: Step) -> list[tuple[str, int, datetime]]:
    """Return why a step held back, how often in a row, and since when."""
    groups = (list(group) for _, group in groupby(step.waits, key=lambda wait: wait.why))
    return [(group[0].why, len(group), group[0].at) for group in groups]


def _kind(outcome: str) -> str:
    """Return the class of an outcome: a word of ours, whatever the journal says."""
    return outcome.replace(" ", "-") if outcome in SIGNS else "unknown"
