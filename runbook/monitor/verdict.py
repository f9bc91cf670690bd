"""Whether a watch says that it is safe to close the window: each thing that must hold, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.events import CheckRow
from runbook.monitor.series import Series, Spike
from runbook.monitor.spikes import delay
from runbook.monitor.usual import HOUR
from runbook.monitor.watch import MINUTE, Followed, Watch, most_frequent
from runbook.units import age, iso

CALM = 60.0
"""Minutes without a spike at the end of a watch that make it calm, or its last quarter."""
HERE = 120.0
"""Seconds that a log may be behind at the end."""
SHOWN = 5


@dataclass(frozen=True)
class Verdict:
    """Whether the window may be closed, in one line; what was looked at; and the most frequent."""

    safe: bool
    headline: str
    rows: tuple[CheckRow, ...]
    lines: tuple[str, ...]


def verdict(watch: Watch, now: float, factor: int) -> Verdict:
    """Judge the watch as it is at `now`; at its end this is the verdict on the whole."""
    upto = min(now, watch.until)
    rows = (*_rows(watch, upto), *_new(watch))
    failing = [row for row in rows if not row.holds]
    over = now >= watch.until
    return Verdict(
        safe=not failing,
        headline=_headline(watch, upto, failing, over=over),
        rows=rows,
        lines=tuple(_lines(watch, factor)),
    )


def _headline(watch: Watch, upto: float, failing: list[CheckRow], *, over: bool) -> str:
    took = age(upto - watch.moment)
    if failing:
        why = failing[0].actual if len(failing) == 1 else f"{len(failing)} things do not hold"
        word = "not safe to close the window" if over else "alarming"
        return f"{word}: {failing[0].name}: {why}" if len(failing) == 1 else f"{word}: {why}"
    if over:
        return f"safe to close the window: nothing alarming in {took}"
    return f"nothing alarming so far, after {took} of {age(watch.until - watch.moment)}"


def _rows(watch: Watch, upto: float) -> Iterator[CheckRow]:
    for log in watch.logs.values():
        yield CheckRow(f"{log.host} {log.log}: read", "all of it", _read(log, upto))
        for name, series in log.series.items():
            state = _state(series, watch.moment, upto)
            yield CheckRow(f"{log.host} {log.log}: {name}", "as usual", state)


def _read(log: Followed, upto: float) -> str:
    if log.problem:
        return f"not since {iso(log.mark)}: {log.problem}" if log.mark else log.problem
    if log.gaps:
        return f"{len(log.gaps)} gaps, the last before {iso(log.gaps[-1])}"
    if upto - log.mark > HERE:
        return f"only up to {iso(log.mark)}" if log.mark else "nothing of it yet"
    return "all of it"


def _state(series: Series, moment: float, upto: float) -> str:
    if not series.learned:
        return "its baseline is not read yet"
    if series.usual is None:
        return "not comparable: nothing is known from before; read its errors yourself"
    calm = min(CALM, (upto - moment) / MINUTE / 4)
    recent = [s for s in series.spikes if s.over is None or upto / MINUTE - s.over < calm]
    if not recent:
        return "as usual"
    return f"a spike {_span(recent[-1])}"


def _span(spike: Spike) -> str:
    until = "not over yet" if spike.over is None else f"until {iso(spike.over * MINUTE)}"
    return f"found {iso((spike.found + 1) * MINUTE)}, {until}"


def _new(watch: Watch) -> Iterator[CheckRow]:
    for name, groups in watch.groups.items():
        alarming = groups.alarming if _comparable(watch, name) else []
        said = "; ".join(f"{shape} ({group.after} times)" for shape, group in alarming[:SHOWN])
        more = f" and {len(alarming) - SHOWN} more" if len(alarming) > SHOWN else ""
        yield CheckRow(f"{name}: new errors", "none that matter", said + more or "none that matter")


def _comparable(watch: Watch, name: str) -> bool:
    """Whether anything of this log is known from before: else every message would be new."""
    known = [log.first for log in watch.logs.values() if log.log == name and log.first is not None]
    return any(watch.moment - first >= HOUR * MINUTE for first in known)


def _lines(watch: Watch, factor: int) -> Iterator[str]:
    """Yield the summary: each series with what was usual, its spikes, the most frequent errors."""
    first = int(watch.moment // MINUTE)
    for log in watch.logs.values():
        end = max(first, math.ceil(log.mark / MINUTE))
        for name, series in log.series.items():
            yield f"{log.host} {log.log}: {_compared(series, name, range(first, end), factor)}"
            for spike in series.spikes:
                yield f"  spike {_span(spike)}: {spike.lines} in 10 min, usual {spike.expected:.1f}"
    frequent = most_frequent(watch.groups.values(), SHOWN)
    if frequent:
        yield "most frequent errors since:"
    for shape, group in frequent:
        new = "  NEW" if group.new else ""
        yield f"  {group.after:>7,}  {shape}  ({', '.join(group.hosts)}){new}"


def _compared(series: Series, name: str, minutes: range, factor: int) -> str:
    count = f"{series.since(minutes.start):,} {name}"
    if series.usual is None or series.rule is None:
        return f"{count}; nothing is known from before"
    expected = sum(map(series.usual.expected, minutes))
    found = delay(series.usual, series.judged, factor, series.rule)
    usual = f"{expected:,.1f}" if expected >= 0.05 or not expected else "less than 0.1"
    soon = f"in about {age(math.ceil(found) * MINUTE)}" if found < 24 * HOUR else "only after days"
    return f"{count}, usual are {usual}; {factor} times as many would be found {soon}"
