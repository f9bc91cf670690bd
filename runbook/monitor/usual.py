"""What is usual: the rate of a series of log lines by time of day, learned from its minutes.

Two things make logs unlike dice: they come in bursts, and hours differ. So the
minute counts are taken as negative binomial around a daily rhythm, and the
rate that they are compared with is an upper one: it allows for how few lines it
was learned from, and for how much whole hours differed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOUR, DAY = 60, 1440
"""In minutes, as everything here; a minute's number counts from 1970 in UTC."""
HOURS_FROM, DAYS_FROM = 2 * DAY, 14 * DAY
"""From so much baseline on hours of the day, and days of the week, are told apart."""
SHRINK = 10.0
"""Lines that an hour or a day needs before its own rate weighs as much as the mean."""
UPPER = 1.28
"""Standard deviations above what was seen: one in ten would lie higher."""
INCIDENTS = 0.025
"""Share of the hours that may be left out as incidents."""
DOUBT_HOURS, DOUBT = 6.0, 0.04
"""How much hours differ where too few were seen to tell: a fifth, weighing six hours."""
BURSTS_MINUTES, BURSTS = 60.0, 0.1
"""The same for minutes."""


@dataclass(frozen=True)
class Usual:
    """The usual rate of a series.

    `rate` is lines a minute, `rhythm` what each hour of the week or day (UTC) is to it,
    `bursts` the dispersion of minutes (variance = mean + bursts * mean²).
    `margin` is what the upper rate is to the usual one. `minutes` and `lines`
    are what it was learned from.
    """

    rate: float
    rhythm: tuple[float, ...]
    bursts: float
    margin: float
    minutes: int
    lines: int

    def expected(self, minute: int) -> float:
        """Return the lines to expect in a minute; between two hours it is interpolated."""
        return self.rate * _at(self.rhythm, minute)

    def upper(self, minute: int) -> float:
        """Return the rate that counts are compared with."""
        return self.expected(minute) * self.margin


def learn(counts: Mapping[int, int], minutes: range) -> Usual | None:
    """Learn from all of `minutes`; those without lines are not in `counts`.

    None when there is not a single minute. Hours that were incidents, far
    above anything usual, are left out as long as they are few.
    """
    if not minutes:
        return None
    hours = _hours(minutes)
    kept = _without_incidents(counts, hours, _rhythm(counts, minutes, days=False))
    left = [minute for hour in kept for minute in hour]
    rhythm = _rhythm(counts, left)
    lines = sum(counts.get(minute, 0) for minute in left)
    rate = (lines + 0.5) / sum(_at(rhythm, minute) for minute in left)
    fitted = [rate * _at(rhythm, minute) for minute in left]
    bursts = _bursts(counts, left, fitted)
    slow = _slow(counts, kept, rhythm, rate, bursts)
    few = (lines + 1 + UPPER * math.sqrt(lines + 1)) / (lines + 0.5)
    margin = max(few, 1.0) * (1 + UPPER * math.sqrt(slow))
    return Usual(rate, rhythm, bursts, margin, len(left), lines)


def _at(rhythm: Sequence[float], minute: int) -> float:
    hour, rest = divmod(minute - HOUR // 2, HOUR)
    share = rest / HOUR
    return rhythm[hour % len(rhythm)] * (1 - share) + rhythm[(hour + 1) % len(rhythm)] * share


def _rhythm(
    counts: Mapping[int, int], minutes: Sequence[int], *, days: bool = True
) -> tuple[float, ...]:
    """Return what each hour is to the mean: of the week, of the day, or one for all.

    An hour of the week is its hour of the day on its day of the week: few of
    them were seen more than twice.
    """
    if len(minutes) < HOURS_FROM * (1 - INCIDENTS):
        return (1.0,)
    hours = _shares(counts, minutes, HOUR, 24)
    if not days or len(minutes) < DAYS_FROM * (1 - INCIDENTS):
        return hours
    return tuple(day * hour for day in _shares(counts, minutes, DAY, 7) for hour in hours)


def _shares(
    counts: Mapping[int, int], minutes: Sequence[int], length: int, number: int
) -> tuple[float, ...]:
    """Return what each of `number` recurring stretches of `length` minutes is to the mean."""
    lines, seen = [0.0] * number, [0] * number
    for minute in minutes:
        at = minute // length % number
        lines[at] += counts.get(minute, 0)
        seen[at] += 1
    mean = sum(lines) / len(minutes)
    raw = [(n + SHRINK) / (mean * m + SHRINK) for n, m in zip(lines, seen, strict=True)]
    return tuple(value * number / sum(raw) for value in raw)


def _hours(minutes: range) -> list[range]:
    return [
        range(start, min(start + HOUR, minutes.stop))
        for start in range(minutes.start, minutes.stop, HOUR)
    ]


def _without_incidents(
    counts: Mapping[int, int], hours: list[range], rhythm: Sequence[float]
) -> list[range]:
    """Return the hours without the few that have more than thrice the usual, and ten besides."""
    totals = [sum(counts.get(minute, 0) for minute in hour) for hour in hours]
    weights = [sum(_at(rhythm, minute) for minute in hour) for hour in hours]
    most = math.ceil(INCIDENTS * len(hours)) if len(hours) > 1 else 0
    left = set(range(len(hours)))
    for _ in range(most):
        rate = sum(totals[i] for i in left) / sum(weights[i] for i in left)
        worst = max(left, key=lambda i: totals[i] - 3 * rate * weights[i])
        if totals[worst] <= 3 * rate * weights[worst] + 10:
            break
        left.discard(worst)
    return [hours[i] for i in sorted(left)]


def _bursts(counts: Mapping[int, int], minutes: Sequence[int], fitted: Sequence[float]) -> float:
    """Return the dispersion of minutes around their rates, by moments."""
    square = sum(rate * rate for rate in fitted)
    excess = sum(
        (counts.get(minute, 0) - rate) ** 2 - rate
        for minute, rate in zip(minutes, fitted, strict=True)
    )
    doubt = square / len(fitted) * BURSTS_MINUTES
    return max(0.0, excess + doubt * BURSTS) / (square + doubt)


def _slow(
    counts: Mapping[int, int],
    hours: list[range],
    rhythm: Sequence[float],
    rate: float,
    bursts: float,
) -> float:
    """Return how much whole hours differ beyond what their minutes explain: a variance."""
    excess = square = 0.0
    for hour in hours:
        fitted = [rate * _at(rhythm, minute) for minute in hour]
        mean, total = sum(fitted), sum(counts.get(minute, 0) for minute in hour)
        excess += (total - mean) ** 2 - mean - bursts * sum(value * value for value in fitted)
        square += mean * mean
    doubt = square / len(hours) * DOUBT_HOURS
    return max(0.0, excess + doubt * DOUBT) / (square + doubt)
