"""Synthetic errors of a log, minute by minute, for trying the spike rule: fixed by their seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runbook.monitor import spikes, usual
from runbook.monitor.usual import DAY, HOUR

START = 20_000 * DAY
"""A Thursday, in minutes since 1970."""
WATCHED = 2 * DAY
SERIES = 8
QUIET = 30.0 * DAY * SERIES
"""The inventory's default for eight series, such as two logs of four hosts."""


def _flat(_random: random.Random, _minute: int) -> float:
    return 1.0


def _gamma(source: random.Random, _minute: int) -> float:
    return source.gammavariate(1 / 0.3, 0.3)


def _daily(source: random.Random, minute: int) -> float:
    wave = 1 + 0.67 * math.sin((minute % DAY / DAY - 9 / 24) * 2 * math.pi)
    return wave * _gamma(source, minute)


def _weekly(source: random.Random, minute: int) -> float:
    return _daily(source, minute) * (0.3 if minute // DAY % 7 in {2, 3} else 1.0)


def _hourly_job(_random: random.Random, minute: int) -> float:
    return 61.0 if minute % HOUR == 0 else 1.0


def _incident(_random: random.Random, minute: int) -> float:
    return 100.0 if 5000 <= minute - START < 5090 else 1.0


def _wandering(hours: float) -> Callable[[random.Random, int], float]:
    keeps = math.exp(-1 / (hours * HOUR))
    at = [0.0]

    def share(source: random.Random, _minute: int) -> float:
        at[0] = at[0] * keeps + source.gauss(0, 0.4 * math.sqrt(1 - keeps * keeps))
        return math.exp(at[0] - 0.08)

    return share


def _bursting() -> Callable[[random.Random, int], float]:
    left = [0]

    def share(source: random.Random, _minute: int) -> float:
        if left[0]:
            left[0] -= 1
        elif source.random() < 1 / 180:
            left[0] = source.randint(5, 15)
        return 10.0 if left[0] else 1.0

    return share


KINDS: dict[str, Callable[[], Callable[[random.Random, int], float]]] = {
    "even": lambda: _flat,
    "in clusters": lambda: _gamma,
    "by day and night": lambda: _daily,
    "quiet weekends": lambda: _weekly,
    "an hourly job": lambda: _hourly_job,
    "an incident of 90 min": lambda: _incident,
    "ten times more, 8 times a day": _bursting,
    "wandering over half an hour": lambda: _wandering(0.5),
    "wandering over three hours": lambda: _wandering(3.0),
}


@dataclass(frozen=True)
class Trial:
    """How the rule did on one piece of traffic.

    `alarms` were false, in 48 hours as before. `found` is after how many
    minutes twice, thrice and ten times as many errors were found; None where
    not within a day.
    """

    alarms: int
    found: dict[int, int | None]


def trial(kind: str, rate: float, seed: int, days: int = 7) -> Trial:
    """Learn `days` of traffic of `rate` errors a minute, watch 48 hours, then raise the rate."""
    source = random.Random(f"{kind} {rate} {seed}")  # noqa: S311 - to be the same each time
    end = START + days * DAY
    share = KINDS[kind]()
    counts = {m: _poisson(source, rate * share(source, m)) for m in range(START, end + 2 * WATCHED)}
    known = usual.learn(counts, range(START, end))
    assert known is not None  # noqa: S101 - there are minutes
    rule = spikes.rule(known, counts, range(START, end), factor=2.0, quiet=QUIET)
    total, alarming, alarms = 0.0, False, 0
    for minute in range(end, end + WATCHED):
        total = spikes.add(total, known, minute, counts[minute], rule)
        alarms += total > rule.threshold and not alarming
        alarming = total > rule.threshold or (alarming and total > 0)
    found = {}
    for times in (2, 3, 10):
        begin = end + WATCHED + source.randrange(DAY)
        more = ((m, _poisson(source, rate * times * share(source, m))) for m in _day(begin))
        sums = enumerate(_sums(more, known, rule), start=1)
        found[times] = next((n for n, high in sums if high), None)
    return Trial(alarms, found)


def _day(minute: int) -> range:
    return range(minute, minute + DAY)


def _sums(
    counted: Iterator[tuple[int, int]], known: usual.Usual, rule: spikes.Rule
) -> Iterator[bool]:
    total = 0.0
    for minute, count in counted:
        total = spikes.add(total, known, minute, count, rule)
        yield total > rule.threshold


def _poisson(source: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(source.gauss(mean, math.sqrt(mean))))
    count, left, limit = 0, source.random(), math.exp(-mean)
    while left > limit:
        count += 1
        left *= source.random()
    return count
