"""A journal's events, folded into the run that they tell of."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from runbook.events import CheckRow, Moment
from runbook.report.model import (
    BEGUN,
    NOT_NEEDED,
    NOT_REACHED,
    OUTCOMES,
    Alert,
    Finding,
    Notice,
    Point,
    Run,
    Series,
    Step,
    Table,
    Wait,
)
from runbook.report.reading import Line, Value

MOST_STEPS = 10_000
MOST_LINES = 1000
"""Lines of a step's output that are kept, the last ones."""


def fold(lines: Iterable[Line | None]) -> Run:
    """Return the run that a journal's lines tell of."""
    folding = _Folding()
    for line in lines:
        folding.add(line)
    return folding.result()


@dataclass
class _Folding:
    run: Run = field(default_factory=Run)
    steps: dict[int, Step] = field(default_factory=dict)
    waits: dict[int, list[Wait]] = field(default_factory=lambda: defaultdict(list))
    output: dict[int, deque[str]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=MOST_LINES))
    )
    tables: dict[str, Table] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    points: dict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    damaged: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line | None) -> None:
        if line is None:
            self.damaged += 1
            return
        self.run = replace(self.run, last=line.at or self.run.last)
        value, number = line.value, line.value["number"].count or 0
        match line.kind:
            case "RunStarted":
                self._started(line)
            case "RunFinished":
                self._finished(value)
            case "Counted":
                self._counted(value)
            case "Alert":
                self.alerts.append(_alert(value))
            case "Notified":
                words = (value[key].text for key in ("recipient", "about", "failure"))
                self.notices.append(Notice(*words))
            case "Measured":
                self._measured(value)
            case kind if kind.startswith("Step") and not 0 < number <= MOST_STEPS:
                self.damaged += 1
            case "StepStarted":
                step = self._step(number, value["step"])
                self.steps[number] = replace(step, outcome=BEGUN, began=line.at)
            case "StepProgress":
                step = self._step(number, Value())
                self.steps[number] = replace(step, progress=_progress(value))
            case "StepOutput":
                self.output[number].extend(_texts(value["lines"]))
            case "StepWaiting":
                if line.at:
                    self.waits[number].append(Wait(line.at, value["why"].text))
            case "StepFinished":
                self._step_finished(number, line)
            case _:
                self.unknown[line.kind] += 1

    def result(self) -> Run:
        return replace(
            self.run,
            steps=tuple(
                replace(
                    step,
                    waits=tuple(self.waits[number]),
                    # What it printed as it ran is told where no end tells it.
                    output=step.output or tuple(self.output[number]),
                )
                for number, step in sorted(self.steps.items())
            ),
            tables=tuple(self.tables.values()),
            alerts=tuple(self.alerts),
            notices=tuple(self.notices),
            series=tuple(
                Series(name, tuple(sorted(points, key=lambda point: point.at)))
                for name, points in sorted(self.points.items())
            ),
            damaged=self.damaged,
            unknown=tuple(self.unknown.items()),
        )

    def _started(self, line: Line) -> None:
        value, plan = line.value, line.value["plan"]
        self.run = replace(
            self.run,
            id=value["run"].text,
            environment=plan["environment"].text,
            phase=plan["phase"].text,
            change=plan["change"].text,
            command=plan["command"].text,
            digest=value["digest"].text,
            confirmed=value["confirmed"].text,
            operator=value["operator"].text,
            host=value["host"].text,
            started=value["at"].time or line.at,
            notes=_texts(plan["notes"]),
            session=_texts(plan["session"]),
            findings=tuple(
                Finding(*(row[key].text for key in ("what", "where", "level", "detail", "advice")))
                for row in plan["findings"].items
            ),
        )
        for number, step in enumerate(plan["steps"].items[:MOST_STEPS], start=1):
            self.steps[number] = _planned(number, step)

    def _finished(self, value: Value) -> None:
        self.run = replace(
            self.run,
            outcome=value["outcome"].text,
            seconds=value["seconds"].number,
            message=value["message"].text,
            advice=tuple(value["advice"].text.splitlines()),
        )

    def _counted(self, value: Value) -> None:
        for row in value["tables"].items:
            name = row["table"].text
            table = self.tables.get(name, Table(name))
            said = _rows(row)
            self.tables[name] = (
                replace(table, before=said)
                if value["moment"].text == Moment.BEFORE
                else replace(table, after=said)
            )

    def _measured(self, value: Value) -> None:
        at = value["at"].time
        for rate in value["rates"].items if at else ():
            count = rate["count"].count
            if at and count is not None:
                point = Point(at, count, rate["usual"].number, rate["alarming"].raw is True)
                self.points[rate["series"].text].append(point)

    def _step(self, number: int, planned: Value) -> Step:
        return self.steps.get(number) or _planned(number, planned)

    def _step_finished(self, number: int, line: Line) -> None:
        value = line.value
        step, outcome = self._step(number, value["step"]), value["outcome"].text
        seconds = value["seconds"].number
        self.steps[number] = replace(
            step,
            outcome=outcome if outcome in OUTCOMES else "unknown",
            began=step.began or _earlier(line.at, seconds),
            ended=line.at,
            seconds=seconds,
            detail=value["detail"].text,
            output=_texts(value["output"]),
            checks=tuple(
                CheckRow(row["name"].text, row["expected"].text, row["actual"].text)
                for row in value["checks"].items
            ),
        )


def _planned(number: int, step: Value) -> Step:
    rescue = bool(step["rescues"].items)
    return Step(
        number=number,
        phase=step["phase"].text,
        kind=step["kind"].text,
        title=step["title"].text,
        where=step["where"].text,
        texts=(*_texts(step["span"]), *filter(None, (step["text"].text,))),
        origin=step["origin"].text,
        found=step["found"].text,
        cost=step["cost"].text,
        done=step["done"].raw is True,
        rescue=rescue,
        outcome=NOT_NEEDED if rescue else NOT_REACHED,
    )


def _alert(value: Value) -> Alert:
    where, what, detail, advice = (value[k].text for k in ("where", "what", "detail", "advice"))
    return Alert(value["at"].time, where, what, detail, advice, value["over"].raw is True)


def _earlier(at: datetime | None, seconds: float | None) -> datetime | None:
    try:
        return at - timedelta(seconds=seconds or 0.0) if at else None
    except OverflowError:
        return at


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(item.text for item in value.items)


def _progress(value: Value) -> str:
    """Return how far a step had come, such as `70,500 of 100,000 keys`, or its stage."""
    done, total = value["done"].count, value["total"].count
    said = "" if not done else f"{done:,}" + (f" of {total:,}" if total else "")
    return " ".join(filter(None, (value["note"].text, said, said and value["unit"].text)))


def _rows(row: Value) -> str:
    count = row["rows"].count
    if count is None:
        return "no table"
    return f"{count:,}" if row["exact"].raw is True else f"about {count:,}"
