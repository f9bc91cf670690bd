"""One series: how many lines of one level a log of a host has, minute by minute, and its spikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbook.monitor import spikes, usual
from runbook.monitor.spikes import Rule
from runbook.monitor.usual import HOUR, Usual

SHOWN = 2 * HOUR
"""Minutes of the baseline that are kept, to be shown."""
CALM = HOUR
"""After so many minutes without a line a spike is over, whatever the sum still is."""


@dataclass(frozen=True)
class Spike:
    """A spike that was told in minute `found`, and is over since `over`, if it is."""

    found: int
    lines: int
    expected: float
    over: int | None = None


@dataclass
class Series:
    """Counts a minute; judged in order once a minute is over.

    `judged` is the first minute that was not judged; later lines of an earlier
    one count there. `learned` says that the baseline was read; `usual` is None
    when it held nothing.
    """

    counts: Counter[int] = field(default_factory=Counter)
    learned: bool = False
    usual: Usual | None = None
    rule: Rule | None = None
    total: float = 0.0
    judged: int = 0
    last: int = 0
    spikes: list[Spike] = field(default_factory=list)

    def add(self, minutes: Mapping[int, int]) -> None:
        """Count lines by their minutes."""
        for minute, count in minutes.items():
            self.counts[max(minute, self.judged)] += count
            self.last = max(self.last, minute)

    def learn(self, minutes: range, factor: float, quiet: float) -> None:
        """Learn what is usual from `minutes`, and forget most of them.

        `quiet` is how many minutes there should be between two false alarms.
        """
        self.usual = usual.learn(self.counts, minutes)
        if self.usual is not None:
            self.rule = spikes.rule(self.usual, self.counts, minutes, factor=factor, quiet=quiet)
        self.learned, self.judged = True, minutes.stop
        for minute in [m for m in self.counts if m < minutes.stop - SHOWN]:
            del self.counts[minute]

    @property
    def spiking(self) -> bool:
        """Whether a spike was found that is not over."""
        return bool(self.spikes) and self.spikes[-1].over is None

    def judge(self, end: int) -> Iterator[Spike]:
        """Judge the minutes before `end`; yield a spike when it is found, and when it is over."""
        while self.judged < end:
            minute = self.judged
            self.judged += 1
            if self.usual is None or self.rule is None:
                continue
            before = self.total
            count = self.counts[minute]
            self.total = spikes.add(before, self.usual, minute, count, self.rule)
            if self.spiking:
                if not self.total or minute - self.last >= CALM:
                    self.total = 0.0
                    self.spikes[-1] = ended = _over(self.spikes[-1], minute)
                    yield ended
            elif self.total > self.rule.threshold:
                recent = range(minute - 9, minute + 1)
                lines = sum(self.counts[m] for m in recent)
                found = Spike(minute, lines, sum(map(self.usual.expected, recent)))
                self.spikes.append(found)
                yield found

    def since(self, minute: int) -> int:
        """Return how many lines there were from `minute` on."""
        return sum(count for m, count in self.counts.items() if m >= minute)


def _over(spike: Spike, minute: int) -> Spike:
    return Spike(spike.found, spike.lines, spike.expected, minute)
