"""Where things are drawn: a run's time line to scale, and rates over time. Places are percent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbook.report.model import BEGUN, Run, Series, Step
from runbook.report.words import length

TICKS = 6
NARROWEST = 0.35
"""A bar's least width, so that a short step is seen at all."""
FILLING = 0.9
"""The share of all time from which on a phase hides the others."""
MOST_POINTS = 480
MINUTE = timedelta(minutes=1)
_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86400.0
_SPACINGS = (
    *(base * 10**power for power in range(-4, 1) for base in (1.0, 2.0, 5.0)),
    *(count * _SECOND for count in (10, 15, 30)),
    *(count * _MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * _HOUR for count in (1, 2, 3, 6, 12)),
    *(count * _DAY for count in (1, 2, 7, 14, 28, 56, 365)),
)


@dataclass(frozen=True)
class Tick:
    """A mark of an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A step on the time line; `waits` are where it held back."""

    at: float
    width: float
    step: Step
    waits: tuple[float, ...]


@dataclass(frozen=True)
class Lane:
    """The steps of one phase."""

    phase: str
    seconds: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class TimeLine:
    """A run's phases from its first moment to its last, one of them left out."""

    start: datetime
    end: datetime
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    without: str
    waited: bool


@dataclass(frozen=True)
class Curve:
    """One series: `line` and `usual` as SVG points in a box of 1000 by 100, `most` its highest.

    `alarms` are (place, width) of the times at which it was alarming.
    """

    name: str
    most: int
    line: str
    usual: str
    alarms: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Rates:
    """All series over one axis of time."""

    start: datetime
    end: datetime
    curves: tuple[Curve, ...]
    ticks: tuple[Tick, ...]


def time_lines(run: Run) -> tuple[TimeLine, ...]:
    """Return a run's time line and, where one phase fills it, another one without that phase.

    There is none where no step has a time.
    """
    took = [s for s in run.steps if s.began and s.seconds != 0.0 and s.outcome != "skipped"]
    drawn = [_drawn(step, run) for step in took]
    if not drawn:
        return ()
    whole = _time_line(drawn, (run.started, run.last))
    longest = max(whole.lanes, key=lambda lane: lane.seconds)
    rest = [row for row in drawn if row.step.phase != longest.phase]
    if not rest or longest.seconds < FILLING * sum(lane.seconds for lane in whole.lanes):
        return (whole,)
    return whole, _time_line(rest, (), longest.phase)


def rates(series: Iterable[Series]) -> Rates | None:
    """Return the curves of all series; None where nothing was measured."""
    shown = [one for one in series if one.points]
    if not shown:
        return None
    axis = _Axis(
        min(one.points[0].at for one in shown),
        max(_later(one.points[-1].at, MINUTE) for one in shown),
    )
    return Rates(axis.start, axis.end, tuple(_curve(one, axis) for one in shown), axis.ticks)


@dataclass(frozen=True)
class _Drawn:
    step: Step
    began: datetime
    ended: datetime


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, end
        self.seconds = max((end - start).total_seconds(), 1e-3)

    def at(self, time: datetime) -> float:
        """Return where a time lies, from 0 to 100."""
        place = 100 * (time - self.start).total_seconds() / self.seconds
        return round(min(100.0, max(0.0, place)), 3)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Return round times after the start, the start among them."""
        fitting = (each for each in _SPACINGS if self.seconds / each <= TICKS)
        spacing = next(fitting, self.seconds / TICKS)
        count = int(self.seconds / spacing + 1e-9)
        return tuple(
            Tick(round(100 * i * spacing / self.seconds, 3), length(i * spacing) if i else "0")
            for i in range(count + 1)
        )


def _drawn(step: Step, run: Run) -> _Drawn:
    """Return a step with its times; one that never ended lasts until the last line."""
    began = step.began or run.started or datetime.min.replace(tzinfo=UTC)
    ended = (run.last if step.outcome == BEGUN else step.ended) or began
    return _Drawn(step, began, max(began, ended))


def _time_line(
    drawn: list[_Drawn], edges: tuple[datetime | None, ...], without: str = ""
) -> TimeLine:
    times = [*filter(None, edges), *(t for row in drawn for t in (row.began, row.ended))]
    axis = _Axis(min(times), max(times))
    lanes: dict[str, list[_Drawn]] = {}
    for row in drawn:
        lanes.setdefault(row.step.phase, []).append(row)
    return TimeLine(
        axis.start,
        axis.end,
        tuple(_lane(phase, rows, axis) for phase, rows in lanes.items()),
        axis.ticks,
        without,
        waited=any(row.step.waits for row in drawn),
    )


def _lane(phase: str, rows: list[_Drawn], axis: _Axis) -> Lane:
    bars = []
    for row in rows:
        at = min(axis.at(row.began), 100 - NARROWEST)
        width = max(NARROWEST, axis.at(row.ended) - at)
        bars.append(Bar(at, round(width, 3), row.step, _waits(row.step, axis)))
    return Lane(phase, sum((r.ended - r.began).total_seconds() for r in rows), tuple(bars))


def _waits(step: Step, axis: _Axis) -> tuple[float, ...]:
    """Return where a step held back, at most so many as can be told apart."""
    return tuple(dict.fromkeys(round(axis.at(wait.at), 1) for wait in step.waits))


def _curve(series: Series, axis: _Axis) -> Curve:
    most = max(1, *(max(point.count, point.usual or 0) for point in series.points))
    alarms = tuple(
        (axis.at(p.at), round(axis.at(_later(p.at, MINUTE)) - axis.at(p.at), 3))
        for p in series.points
        if p.alarming
    )
    middle = [axis.at(_later(point.at, MINUTE / 2)) for point in series.points]
    placed = list(zip(middle, series.points, strict=True))
    counts = _thinned([(place, float(point.count)) for place, point in placed])
    usual = _thinned([(place, p.usual) for place, p in placed if p.usual is not None])
    top = max(point.count for point in series.points)
    return Curve(series.name, top, _points(counts, most), _points(usual, most), alarms)


def _thinned(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return so many points as can be seen, of each group the highest: a spike must stay."""
    size = -(-len(places) // MOST_POINTS) or 1
    groups = (places[i : i + size] for i in range(0, len(places), size))
    return [max(group, key=lambda point: point[1]) for group in groups]


def _points(places: list[tuple[float, float]], most: float) -> str:
    return " ".join(f"{at * 10:.2f},{100 - 100 * value / most:.2f}" for at, value in places)


def _later(time: datetime, by: timedelta) -> datetime:
    try:
        return time + by
    except OverflowError:
        return time
