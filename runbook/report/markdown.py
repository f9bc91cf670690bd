"""A run as Markdown for a ticket: the verdict, what failed, and the steps; no exact texts.

It is GitHub's kind, which others read as well. Every value is escaped: it is
shown as it stands in the journal, whatever it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby

from runbook.report.model import Run, Step
from runbook.report.verdict import verdict, what_next
from runbook.report.words import advised, length, moment

TAIL = 20
_MARKUP = re.compile(r"[\\`*{}\[\]<>#&~|$]|(?<![^\W_])_|_(?![^\W_])")
_AT_START = re.compile(r"^(?:(?=[-+=])|(\d+)(?=[.)](?:\s|$)))")
ENTITIES = {"|": "&#124;"}


def markdown(run: Run) -> str:
    """Return the whole text."""
    parts = chain(_head(run), _failed(run), _alerts(run), _rows(run), _steps(run))
    # An empty line parts two blocks; a second one would say nothing.
    said = (text for text, again in groupby(parts) for _ in (again if text else ("",)))
    return "\n".join(said) + "\n"


def _head(run: Run) -> Iterator[str]:
    said = verdict(run)
    name = " ".join(filter(None, (run.phase, run.environment, run.change)))
    yield f"## {_prose(name)}: {_prose(said.headline)}"
    yield ""
    for line in said.lead.splitlines():
        yield f"{_prose(line)}  "
    yield ""
    for line in what_next(run):
        words, command = advised(line)
        yield f"- {_prose(words)} {_code(command)}".rstrip()
    yield ""
    facts = (
        ("Started", _prose(moment(run.started))),
        ("Took", _prose(length(run.seconds)) if run.seconds is not None else "no end is written"),
        ("By", _code(f"{run.operator}@{run.host}")),
        ("Confirmed by", _code(run.confirmed)),
        ("Plan", f"{_code(run.digest)} {len(run.steps)} steps"),
        ("Run", _code(run.id)),
        ("Command", _code(run.command)),
    )
    yield from _table(("", ""), facts)


def _failed(run: Run) -> Iterator[str]:
    for step in run.bad:
        yield ""
        yield f"### {_prose(f'Step {step.number}: {step.where}: {step.title}: {step.outcome}')}"
        yield ""
        if step.detail and step.detail not in verdict(run).lead:
            yield _prose(step.detail)
            yield ""
        wrong = [check for check in step.checks if not check.holds]
        if wrong:
            rows = ((_code(c.name), _code(c.expected), _code(c.actual)) for c in wrong)
            yield from _table(("Check", "Expected", "Actual"), rows)
            yield ""
        if step.output:
            yield from _fenced(step.output[-TAIL:])


def _alerts(run: Run) -> Iterator[str]:
    if run.alerts:
        yield ""
        yield "### Alerts"
        yield ""
        rows = (
            (
                _prose(moment(alert.at)),
                "over" if alert.over else "alert",
                _code(alert.where),
                _prose(f"{alert.what}: {alert.detail}"),
            )
            for alert in run.alerts
        )
        yield from _table(("When", "", "Where", "What"), rows)


def _rows(run: Run) -> Iterator[str]:
    if run.tables:
        yield ""
        yield "### Rows"
        yield ""
        rows = ((_code(t.name), _prose(t.before), _prose(t.after)) for t in run.tables)
        yield from _table(("Table", "Before", "After"), rows)


def _steps(run: Run) -> Iterator[str]:
    if not run.steps:
        return
    held = sum(check.holds for _, check in run.checks)
    yield ""
    yield "### Steps"
    yield ""
    yield from _table(
        ("Step", "Phase", "Where", "What", "Outcome", "Took", "Detail"), map(_step, run.steps)
    )
    if run.checks:
        yield ""
        yield f"{held} of {len(run.checks)} checks hold."


def _step(step: Step) -> tuple[str, ...]:
    return (
        str(step.number),
        _prose(step.phase),
        _code(step.where),
        _prose(step.title),
        _prose(step.outcome),
        _prose(length(step.seconds)) if step.seconds and step.outcome != "skipped" else "",
        _prose(step.detail),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _prose(text: str) -> str:
    """Return `text` as running text of one line, nothing of it markup."""
    one = _MARKUP.sub(lambda found: ENTITIES.get(found[0], f"\\{found[0]}"), " ".join(text.split()))
    return _AT_START.sub(r"\1\\", one)


def _code(text: str) -> str:
    """Return `text` as code of one line; none where it is empty."""
    one = " ".join(text.split())
    if "|" in one:  # in a table no code span can hold every text with one
        return f"<code>{_prose(one)}</code>"
    fence = _fence(one, 1)
    padding = " " if one.startswith("`") or one.endswith("`") else ""
    return f"{fence}{padding}{one}{padding}{fence}" if one else ""


def _fenced(lines: tuple[str, ...]) -> Iterator[str]:
    text = "\n".join(lines)
    fence = _fence(text, 3)
    yield from (f"{fence}text", text, fence)


def _fence(text: str, least: int) -> str:
    """Return more backticks than `text` holds in a row."""
    return "`" * max([least, *(len(run) + 1 for run in re.findall("`+", text))])
