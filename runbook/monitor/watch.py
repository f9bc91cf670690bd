"""A watch: every log on every host, before a moment and after it, and what is alarming in them.

Times are seconds since 1970 by our clock; a host's own differs by its skew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from runbook.application import Monitor
from runbook.events import Alert, Measured, Rate
from runbook.monitor.groups import Group, Groups, top
from runbook.monitor.lines import Severity
from runbook.monitor.replies import Taken
from runbook.monitor.series import Series, Spike
from runbook.monitor.usual import HOUR
from runbook.units import age, iso

MINUTE = 60
NAMES = {Severity.ERROR: "errors", Severity.WARNING: "warnings"}
LATE = 5.0
"""Seconds by which lines of a log may come out of order."""
OFF = 2.0
"""Seconds by which clocks may differ without being corrected."""
PATIENCE = 120.0
"""Seconds without contact, or without a log, until that is alarming."""
SILENCE = 15.0
"""Minutes without a line until silence may be alarming."""
MISSED = 100.0
"""So many lines must be missing, by the mean rate of the baseline, for silence to be alarming."""


@dataclass
class Followed:
    """One log on one host.

    `mark` is up to when everything was read, `first` since when the log is
    known, `heard` when the host last answered, `written` when a line last came.
    `lines` are all lines read, `pace` how many a minute the baseline had.
    """

    host: str
    log: str
    series: dict[str, Series]
    mark: float = 0.0
    first: float | None = None
    heard: float = 0.0
    written: float = 0.0
    lines: int = 0
    pace: float = 0.0
    skew: float = 0.0
    problem: str = ""
    gaps: list[float] = field(default_factory=list)

    @property
    def learned(self) -> bool:
        """Whether its baseline was read."""
        return all(series.learned for series in self.series.values())

    @property
    def compared(self) -> bool:
        """Whether there was a baseline to compare with."""
        return all(series.usual is not None for series in self.series.values())


@dataclass
class Watch:
    """What is known of all logs.

    `moment` is when the baseline ends and judging begins; the watch counts as
    begun at `began`, and lasts until `until`.
    """

    moment: float
    began: float
    until: float
    logs: dict[str, Followed] = field(default_factory=dict)
    groups: dict[str, Groups] = field(default_factory=dict)
    alerts: dict[str, float] = field(default_factory=dict)
    told: int = 0
    """The first minute that was not measured yet."""

    def follow(self, key: str, host: str, log: str, now: float, monitor: Monitor) -> None:
        """Follow one more log, under `key`."""
        least = Severity[monitor.level.upper()]
        names = [name for severity, name in NAMES.items() if severity >= least]
        series = {name: Series() for name in names}
        self.logs[key] = Followed(host, log, series, heard=now, written=now)
        self.groups.setdefault(log, Groups())

    def take(self, key: str, taken: Taken, asked: float, now: float, monitor: Monitor) -> None:
        """Take in what one reply brought; `asked` is when it was asked for."""
        log, got = self.logs[key], taken.harvest
        if not asked - OFF <= taken.clock - log.skew <= now + OFF:
            log.skew = 0.0 if asked - OFF <= taken.clock <= now + OFF else taken.clock - asked
        clock = taken.clock - log.skew
        oldest = self.moment - monitor.baseline
        minutes: dict[Severity, Counter[int]] = {severity: Counter() for severity in NAMES}
        for event in got.events:
            time = min(event.time - log.skew, clock)
            if time < oldest:
                continue
            minutes[event.severity][int(time // MINUTE)] += 1
            if event.severity is Severity.ERROR:
                self.groups[log.log].add(event.shape, time, self.moment, log.host)
        for severity, name in NAMES.items():
            if name in log.series:
                log.series[name].add(minutes[severity])
        log.heard, log.problem = now, taken.problem
        log.lines += got.lines
        self._moved(log, taken, clock, oldest)

    def _moved(self, log: Followed, taken: Taken, clock: float, oldest: float) -> None:
        """Note up to when the log is known now."""
        got = taken.harvest
        known = got.first if got.first is not None else taken.since
        if log.first is None and got.lines and known is not None:
            log.first = max(known - log.skew, oldest)
        last = None if got.last is None else min(got.last - log.skew, clock)
        if got.lines:
            log.written = max(log.written, clock if last is None else last)
        if taken.gap:
            log.gaps.append(clock)
        if taken.problem:
            return
        if not taken.more:
            log.mark = max(log.mark, clock - 1)
        elif last is not None:
            log.mark = max(log.mark, last - LATE)

    def past_baseline(self, key: str) -> bool:
        """Whether a log is known up to the last minute before the moment, and can be judged."""
        return int(self.logs[key].mark // MINUTE) >= int(self.moment // MINUTE)

    def failed(self, key: str, why: str) -> None:
        """Note that a host did not answer."""
        self.logs[key].problem = why

    def close(self, now: float, monitor: Monitor) -> Iterator[Alert | Measured]:
        """Learn and judge what can be by now; yield what is to be told."""
        count = sum(len(log.series) for log in self.logs.values())
        for key, log in self.logs.items():
            if not log.learned and self.past_baseline(key):
                self._learn(log, monitor, monitor.quiet / MINUTE * count)
            if log.learned:
                yield from self._judge(log)
            yield from self._health(log, now)
        for name in self.groups:
            yield from self._new(name)
        yield from self._measure()

    def _learn(self, log: Followed, monitor: Monitor, quiet: float) -> None:
        end = int(self.moment // MINUTE)
        first = end if log.first is None else int(log.first // MINUTE) + 1
        minutes = range(min(first, end), end)
        for series in log.series.values():
            series.learn(minutes, monitor.factor, quiet)
        if log.first is not None and log.mark > log.first:
            log.pace = log.lines / max(1.0, (log.mark - log.first) / MINUTE)

    def _judge(self, log: Followed) -> Iterator[Alert]:
        for name, series in log.series.items():
            for spike in series.judge(int(log.mark // MINUTE)):
                yield from self._switch(
                    log.host,
                    f"spike of {name} in {log.log}",
                    _spike(spike) + (self._most(log) if spike.over is None else ""),
                    (spike.found + 1 if spike.over is None else spike.over) * MINUTE,
                    on=spike.over is None,
                )

    def _most(self, log: Followed) -> str:
        most = top(self.groups[log.log].shapes.items(), 1)
        return f"; most frequent since: {most[0][0]}" if most else ""

    def _health(self, log: Followed, now: float) -> Iterator[Alert]:
        away = bool(log.problem) and now - log.heard > PATIENCE
        yield from self._switch(
            log.host,
            f"no contact for {log.log}",
            f"{log.problem}; nothing is known since {iso(log.mark)}"
            if away
            else "it answers again",
            now,
            on=away,
        )
        unread = bool(log.problem) and not away and log.heard - log.mark > PATIENCE
        yield from self._switch(log.host, f"{log.log} is not readable", log.problem, now, on=unread)
        if log.gaps and f"{log.host} gap in {log.log} {len(log.gaps)}" not in self.alerts:
            self.alerts[f"{log.host} gap in {log.log} {len(log.gaps)}"] = now
            detail = "its file went away before it was seen to end: lines may be missing"
            yield Alert(iso(log.gaps[-1]), log.host, f"gap in {log.log}", detail)
        quiet = (log.mark - log.written) / MINUTE
        silent = not log.problem and quiet >= SILENCE and quiet * log.pace >= MISSED
        detail = f"nothing was written for {age(quiet * MINUTE)}; usual are {log.pace:.1f} lines"
        yield from self._switch(
            log.host, f"silence of {log.log}", f"{detail} a minute", now, on=silent
        )

    def _new(self, name: str) -> Iterator[Alert]:
        followed = [log for log in self.logs.values() if log.log == name]
        known = any(log.first is not None and self.moment - log.first >= HOUR for log in followed)
        if not known or not all(log.learned or log.problem for log in followed):
            return
        for shape, group in self.groups[name].untold():
            yield Alert(iso(group.first), ", ".join(group.hosts), f"new error in {name}", shape)

    def _switch(
        self, where: str, what: str, detail: str, at: float, *, on: bool
    ) -> Iterator[Alert]:
        """Yield an alert when something begins, and one when it is over."""
        key = f"{where} {what}"
        if on and key not in self.alerts:
            self.alerts[key] = at
            yield Alert(iso(at), where, what, detail)
        elif not on and key in self.alerts:
            began = self.alerts.pop(key)
            yield Alert(iso(at), where, what, f"over after {age(at - began)}", over=True)

    def _measure(self) -> Iterator[Measured]:
        able = [log for log in self.logs.values() if not log.problem]
        if not able or not all(log.learned for log in able):
            return
        if not self.told:
            self.told = int(self.moment // MINUTE) - HOUR
        end = min(int(log.mark // MINUTE) for log in able)
        for minute in range(self.told, end):
            rates = tuple(self._rates(minute))
            if rates:
                yield Measured(0, iso(minute * MINUTE), rates)
        self.told = max(self.told, end)

    def _rates(self, minute: int) -> Iterator[Rate]:
        for log in self.logs.values():
            for name, series in log.series.items():
                if log.first is None or minute * MINUTE < log.first or series.judged <= minute:
                    continue
                usual = series.usual.expected(minute) if series.usual else None
                high = any(
                    spike.found <= minute and (spike.over is None or minute < spike.over)
                    for spike in series.spikes
                )
                yield Rate(f"{log.host} {log.log} {name}", series.counts[minute], usual, high)


def _spike(spike: Spike) -> str:
    return f"{spike.lines} in 10 minutes, where {spike.expected:.1f} are usual"


def most_frequent(groups: Iterable[Groups], most: int) -> list[tuple[str, Group]]:
    """Return the most frequent errors since the moment, of all logs."""
    return top((item for each in groups for item in each.shapes.items()), most)
