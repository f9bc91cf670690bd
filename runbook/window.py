"""Maintenance windows on the clock: whether one is open, until when, and when the next one opens.

An inventory says times as clocks on walls show them. Where those clocks are
changed, a time may be shown twice, or never. A window opens at the later and
closes at the earlier of two such times, and a time that is left out is the
moment of the change: what is open is open however one reads the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
AHEAD = 16
"""Days to look ahead: a window of one day a week may be swallowed by a change of the clocks."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """When what the application uses may be changed: on `days` (0 is Monday), in a time zone.

    It opens at `opens` on such a day, by the clocks there, and closes when they
    next show `closes`: on the following day where that is not later.
    """

    name: str
    days: tuple[int, ...]
    opens: time
    closes: time
    zone: str


@dataclass(frozen=True)
class Opening:
    """A stretch of time in which windows are open without a break; both ends in UTC."""

    name: str
    start: datetime
    end: datetime
    zone: str

    def left(self, now: datetime) -> float:
        """Return the seconds until it closes."""
        return (self.end - now).total_seconds()

    def at(self, moment: datetime) -> str:
        """Return a time as the clocks of its zone show it, such as `Tue 2025-12-16 02:00 CET`."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%a %Y-%m-%d %H:%M %Z}"


def current(windows: Iterable[Window], now: datetime) -> Opening | None:
    """Return what is open `now` (an aware time), or None."""
    return next((each for each in _openings(windows, now) if each.start <= now), None)


def upcoming(windows: Iterable[Window], now: datetime) -> Opening | None:
    """Return what opens next after `now`, or None where nothing ever opens."""
    return next((each for each in _openings(windows, now) if each.start > now), None)


def _openings(windows: Iterable[Window], now: datetime) -> Iterator[Opening]:
    """Yield what has not closed at `now`, in order; what touches or overlaps is one."""
    known = sorted(
        (opening for window in windows for opening in _of(window, now)),
        key=lambda opening: (opening.start, opening.end),
    )
    held: Opening | None = None
    for each in known:
        if held and each.start <= held.end:
            held = Opening(held.name, held.start, max(held.end, each.end), held.zone)
            continue
        if held and held.end > now:
            yield held
        held = each
    if held and held.end > now:
        yield held


def _of(window: Window, now: datetime) -> Iterator[Opening]:
    """Yield a window's openings from two days before `now` on."""
    zone = ZoneInfo(window.zone)
    today = now.astimezone(zone).date()
    for offset in range(-2, AHEAD):
        day = today + offset * DAY
        if day.weekday() not in window.days:
            continue
        following = day + DAY if window.closes <= window.opens else day
        start = _instants(datetime.combine(day, window.opens), zone)[1]
        end = _instants(datetime.combine(following, window.closes), zone)[0]
        if start < end:
            yield Opening(window.name, start, end, window.zone)


def _instants(shown: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first and the last moment in UTC at which clocks show this."""
    first, last = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= last:
        return first, last
    # Never shown: by the old offset it is after the change, by the new one before it.
    change = _change(last, first, zone)
    return change, change


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment between two at which the zone's offset changes."""
    old = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
