"""When more than usual is too much: a sum of evidence, minute by minute (CUSUM)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.monitor.usual import DAY, Usual

ONE_MINUTE = 0.6
"""What one minute may add at most, as a share of the least threshold: two are needed."""
HIGH = 1 / 3
"""From this share of the least threshold on, a sum of the baseline tells of its bursts."""
ENOUGH = 2
"""So many such sums are a habit; fewer were chance."""
INCIDENT_DAYS = 7
"""For so many days of baseline, one of its highest sums is left out as an incident."""
MOST = 4.0
"""Bursts raise the threshold at most so many times: one must not become blind."""


@dataclass(frozen=True)
class Rule:
    """When a series is alarming.

    `factor` is what a spike is to the usual rate, `threshold` what the sum of
    evidence must pass, `most` what one minute may add to it.
    """

    factor: float
    threshold: float
    most: float


def evidence(usual: Usual, minute: int, count: int, factor: float) -> float:
    """Return the log of how much likelier `count` is at `factor` times the usual rate."""
    rate, bursts = usual.upper(minute), max(usual.bursts, 1e-9)
    low, high = 1 + bursts * rate, 1 + bursts * factor * rate
    return count * math.log(factor * low / high) - math.log(high / low) / bursts


def add(total: float, usual: Usual, minute: int, count: int, rule: Rule) -> float:
    """Return the sum after one more minute: never below zero nor above twice the threshold."""
    said = min(evidence(usual, minute, count, rule.factor), rule.most)
    return min(max(0.0, total + said), 2 * rule.threshold)


def rule(
    usual: Usual, counts: Mapping[int, int], minutes: range, *, factor: float, quiet: float
) -> Rule:
    """Return the rule of a series whose baseline are these minutes.

    `quiet` is how many minutes there should be between two false alarms. By
    Lorden's bound its logarithm is threshold enough where minutes are
    independent. Where the baseline's own bursts are a habit, the threshold is
    where their sums, which fall off exponentially, lead one to expect one in
    `quiet` minutes.
    """
    least = math.log(max(quiet, 2.0))
    open_ended = Rule(factor, math.inf, least * ONE_MINUTE)
    peaks = sorted(_peaks(usual, counts, minutes, open_ended), reverse=True)
    incidents = math.ceil(len(minutes) / (INCIDENT_DAYS * DAY))
    high = [peak for peak in peaks[incidents:] if peak > least * HIGH]
    threshold = least
    if len(high) >= ENOUGH:
        excess = sum(high) / len(high) - least * HIGH
        often = len(high) / len(minutes)
        threshold = least * HIGH + excess * math.log(max(1.0, often * quiet))
    return Rule(factor, min(max(least, threshold), MOST * least), least * ONE_MINUTE)


def _peaks(usual: Usual, counts: Mapping[int, int], minutes: range, rule: Rule) -> list[float]:
    """Return how high the sum rose each time before it was back at zero."""
    peaks, total, peak = [], 0.0, 0.0
    for minute in minutes:
        total = add(total, usual, minute, counts.get(minute, 0), rule)
        peak = max(peak, total)
        if not total and peak:
            peaks.append(peak)
            peak = 0.0
    return [*peaks, peak]


def delay(usual: Usual, minute: int, times: float, rule: Rule) -> float:
    """Return after how many minutes a rise to `times` the usual rate is found on average.

    Infinite where it would never be.
    """
    count = usual.expected(minute) * times
    none, one = (evidence(usual, minute, count, rule.factor) for count in (0, 1))
    said = none + count * (one - none)
    return max(1.0, rule.threshold / min(said, rule.most)) if said > 0 else math.inf
