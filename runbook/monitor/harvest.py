"""From the bytes of a log to what counts in them, without looking closely at most lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.monitor import lines
from runbook.monitor.lines import Severity
from runbook.monitor.shapes import shape

LONGEST_LINE = 1 << 20
"""A line that is longer is counted by its beginning, and its rest passed over."""
_READ = 1 << 16
"""So many bytes of a line are read."""
_BACK = 5
"""So many lines before one without a time are asked for theirs."""
_ENDS = 50
"""So many lines at either end of a piece are asked for the first and last time in it."""


@dataclass(frozen=True)
class Event:
    """A line that counts: how grave, when (seconds since 1970), and its message's shape."""

    severity: Severity
    time: float
    shape: str


@dataclass(frozen=True)
class Harvest:
    """What a piece of a log held.

    `used` is how many of its bytes are dealt with: up to the end of the last
    whole line. `inside` is whether that was within a line too long to wait
    for. `first` and `last` are the earliest and latest own times seen at the
    piece's ends; None where its lines have none.
    """

    used: int
    inside: bool = False
    lines: int = 0
    events: tuple[Event, ...] = ()
    first: float | None = None
    last: float | None = None


NOTHING = Harvest(0)


@dataclass(frozen=True)
class Reading:
    """What must be known to read a piece.

    `otherwise` is how grave a line is that does not say so, `least` from what
    on it counts. `zone` is the host's offset from UTC in seconds, `now` its
    clock. A line without a time lies between `start` and `end`, evenly by
    bytes. `inside`: the piece begins within a line that was counted already.
    `final`: nothing will be added, so a last line without line break is whole.
    """

    otherwise: Severity
    least: Severity
    zone: float
    now: float
    start: float
    end: float
    inside: bool = False
    final: bool = False


def harvest(piece: bytes, how: Reading) -> Harvest:
    """Return what counts in a piece of a log; any bytes will do."""
    begin = 0
    if how.inside:
        begin = piece.find(b"\n") + 1
        if not begin:
            return Harvest(len(piece), inside=not how.final)
    stop, inside = piece.rfind(b"\n") + 1, False
    if how.final and stop < len(piece):
        stop = len(piece)
    elif len(piece) - stop >= LONGEST_LINE:
        stop, inside = len(piece), True
    stop = max(begin, stop)
    count = piece.count(b"\n", begin, stop) + (stop > begin and piece[stop - 1 : stop] != b"\n")
    events = tuple(_events(piece, begin, stop, how))
    times = [time for at in _ends(piece, begin, stop) if (time := _time(piece, at, how))]
    times += [event.time for event in events[:: max(1, len(events) - 1)]] if times else []
    first, last = (min(times), max(times)) if times else (None, None)
    return Harvest(stop, inside, count, events, first, last)


def _events(piece: bytes, begin: int, stop: int, how: Reading) -> Iterator[Event]:
    known: float | None = None
    previous = begin
    for at in _candidates(piece, begin, stop, every=how.otherwise >= how.least):
        line = lines.read(_text(piece, at), how.otherwise, how.zone, how.now)
        if line.severity < how.least:
            continue
        time = line.time
        if time is None:
            time = _time_before(piece, at, previous, how) or known
        known, previous = time, at
        if time is None:
            time = how.start + (how.end - how.start) * at / len(piece)
        if line.message:
            yield Event(line.severity, time, shape(line.message))


def _candidates(piece: bytes, begin: int, stop: int, *, every: bool) -> list[int]:
    """Return where lines begin that may count, in order."""
    if every:
        found, at = [], begin
        while at < stop:
            found.append(at)
            at = piece.find(b"\n", at, stop) + 1 or stop
        return found
    lowered = piece[begin:stop].lower()
    starts: set[int] = set()
    for needle in lines.NEEDLES:
        at = lowered.find(needle)
        while at >= 0:
            starts.add(lowered.rfind(b"\n", 0, at) + 1)
            end = lowered.find(b"\n", at)
            at = lowered.find(needle, end) if end >= 0 else -1
    for number in lines.NUMBERS:
        starts.update(lowered.rfind(b"\n", 0, m.start()) + 1 for m in number.finditer(lowered))
    return sorted(begin + start for start in starts)


def _text(piece: bytes, at: int) -> str:
    end = piece.find(b"\n", at, at + _READ)
    return piece[at : end if end >= 0 else at + _READ].decode(errors="replace").rstrip("\r")


def _time(piece: bytes, at: int, how: Reading) -> float | None:
    return lines.read(_text(piece, at), how.otherwise, how.zone, how.now).time


def _time_before(piece: bytes, at: int, least: int, how: Reading) -> float | None:
    """Return the time of the nearest line before `at`, but not before `least`, that has one."""
    for _ in range(_BACK):
        if at <= least:
            return None
        at = piece.rfind(b"\n", least, at - 1) + 1 or least
        if time := _time(piece, at, how):
            return time
    return None


def _ends(piece: bytes, begin: int, stop: int) -> Iterator[int]:
    """Yield where the piece's first and last lines begin, as far as it takes to see times."""
    at = begin
    for _ in range(_ENDS):
        if at >= stop:
            return
        yield at
        at = piece.find(b"\n", at, stop) + 1 or stop
    back = stop
    for _ in range(_ENDS):
        if back <= at:
            return
        back = piece.rfind(b"\n", at, back - 1) + 1 or at
        yield back
