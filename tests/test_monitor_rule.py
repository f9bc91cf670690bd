"""The spike rule on synthetic traffic with fixed seeds: few false alarms, doublings found."""

from __future__ import annotations

import math
import statistics

import pytest

from bench.traffic import KINDS, START, Trial, trial
from runbook.monitor import spikes, usual
from runbook.monitor.usual import DAY, HOUR


def trials(kind: str, rate: float, count: int) -> list[Trial]:
    """Return what the rule did on `count` pieces of traffic."""
    return [trial(kind, rate, seed) for seed in range(count)]


def median(done: list[Trial], times: int) -> float:
    """Return the median of the minutes until that rise was found."""
    found = [one.found[times] for one in done]
    return statistics.median(math.inf if minutes is None else minutes for minutes in found)


@pytest.mark.parametrize(
    ("kind", "rate", "double", "tenfold"),
    [
        ("even", 5.0, 12, 3),
        ("in clusters", 50.0, 25, 3),
        ("by day and night", 5.0, 40, 5),
        ("an incident of 90 min", 5.0, 12, 3),
        ("ten times more, 8 times a day", 5.0, math.inf, 60),
    ],
)
def test_spikes_are_found_and_bursts_are_none(
    kind: str, rate: float, double: float, tenfold: float
) -> None:
    """In 48 hours as usual hardly an alarm is false; a rise is found within so many minutes."""
    done = trials(kind, rate, 6)
    assert sum(one.alarms for one in done) <= 1
    assert median(done, 2) <= double
    assert median(done, 10) <= tenfold


@pytest.mark.wide
@pytest.mark.parametrize("rate", [0.02, 0.5, 5.0, 50.0])
@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms_are_few_on_every_kind_of_traffic(kind: str, rate: float) -> None:
    """At most one 48-hour watch in five has a false alarm, unless the rate itself wanders."""
    done = trials(kind, rate, 20)
    wandering = kind.startswith("wandering")
    assert sum(one.alarms for one in done) <= (24 if wandering else 4)


def test_a_rate_learned_from_little_is_not_trusted() -> None:
    """Ten quiet minutes prove little: a few errors are no spike, many are."""
    known = usual.learn({}, range(START, START + 10))
    assert known is not None
    rule = spikes.rule(known, {}, range(START, START + 10), factor=2.0, quiet=30.0 * DAY)
    few = many = 0.0
    for minute in range(START + 10, START + 15):
        few = spikes.add(few, known, minute, minute % 2, rule)
        many = spikes.add(many, known, minute, 20, rule)
    assert few < rule.threshold < many


def test_nothing_before_means_no_rate() -> None:
    """Without a single minute of baseline there is nothing to compare with."""
    assert usual.learn({}, range(START, START)) is None


def test_the_rate_follows_the_time_of_day() -> None:
    """With two days or more, an hour of the day is compared with the same hour before."""
    counts = {m: (40 if m % DAY < DAY // 2 else 4) for m in range(START, START + 3 * DAY)}
    known = usual.learn(counts, range(START, START + 3 * DAY))
    assert known is not None
    later = START + 5 * DAY
    assert known.expected(later + 6 * HOUR) == pytest.approx(40, rel=0.1)
    assert known.expected(later + 18 * HOUR) == pytest.approx(4, rel=0.2)


def test_two_weeks_tell_weekends_from_other_days() -> None:
    """With two weeks or more, an hour is compared with the same hour of the week."""
    counts = {m: (4 if m // DAY % 7 > 4 else 40) for m in range(START, START + 14 * DAY)}
    known = usual.learn(counts, range(START, START + 14 * DAY))
    assert known is not None
    for day in range(14, 21):
        minute = START + day * DAY + 12 * HOUR
        usually = 4 if minute // DAY % 7 > 4 else 40
        assert known.expected(minute) == pytest.approx(usually, rel=0.1)


def test_one_minute_alone_is_never_a_spike() -> None:
    """However many lines one minute has, it takes a second one."""
    counts = dict.fromkeys(range(START, START + DAY), 5)
    known = usual.learn(counts, range(START, START + DAY))
    assert known is not None
    rule = spikes.rule(known, counts, range(START, START + DAY), factor=2.0, quiet=30.0 * DAY)
    once = spikes.add(0.0, known, START + DAY, 10**6, rule)
    assert once < rule.threshold < spikes.add(once, known, START + DAY + 1, 10**6, rule)


def test_the_delay_that_is_told_is_about_the_one_that_is_found() -> None:
    """The minutes within which a doubling is said to be found are those that it takes."""
    counts = dict.fromkeys(range(START, START + DAY), 5)
    known = usual.learn(counts, range(START, START + DAY))
    assert known is not None
    rule = spikes.rule(known, counts, range(START, START + DAY), factor=2.0, quiet=30.0 * DAY)
    total, minutes = 0.0, 0
    while total <= rule.threshold:
        total = spikes.add(total, known, START + DAY + minutes, 10, rule)
        minutes += 1
    assert spikes.delay(known, START, 2.0, rule) == pytest.approx(minutes, abs=1)
