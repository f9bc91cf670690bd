"""A log that a command prints since a time: what it prints again is told by the lines themselves.

Exact where each line has its time, as `docker logs --timestamps` has it. Else
two equal lines within the overlap of two seconds cannot be told apart.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from runbook.monitor import lines
from runbook.monitor.harvest import Reading, harvest
from runbook.monitor.replies import Reply, Taken, Terms

OVERLAP = 2.0
"""Seconds that are asked for again: lines of two streams may come out of order."""
MOST = 1 << 28
"""Bytes that are asked for at most when a single second has more than a piece."""


class CommandSource:
    """What a command prints since `since` (the host's clock), without the lines in `seen`."""

    def __init__(self, since: float, seen: Mapping[str, int] | None = None) -> None:
        self.since = since
        self.seen: Counter[str] = Counter(seen or {})
        self._length = 0
        self._wider = 1

    def ask(self, length: int) -> str:
        """Return what to send: since when, and how much at most."""
        self._length = min(length * self._wider, MOST)
        since = datetime.fromtimestamp(self.since, UTC)
        return f"since {since:%Y-%m-%dT%H:%M:%SZ}\nlength {self._length}\n"

    def take(self, reply: Reply, terms: Terms) -> Taken:
        """Take in what was printed: only the lines that were not there before."""
        data = reply.data or b""
        cut = len(data) >= self._length
        whole = data[: data.rfind(b"\n") + 1] if cut else data
        printed = [line for line in whole.split(b"\n") if line]
        fresh = b"".join(line + b"\n" for line in self._fresh(printed))
        how = Reading(
            terms.otherwise, terms.least, reply.zone, reply.clock, self.since, reply.clock
        )
        got = harvest(fresh, how)
        times = list(_times(printed, reply))
        last = max((time for time in times if time is not None), default=None)
        upto = reply.clock if last is None or not cut else last
        since = math.floor(min(upto, reply.clock) - OVERLAP)
        self._wider = self._wider * 4 if cut and since <= self.since else 1
        self.since = max(self.since, float(since))
        again = [line for line, at in zip(printed, times, strict=True) if _again(at, self.since)]
        self.seen = Counter(map(_digest, again))
        return Taken(reply.clock, got, more=cut)

    def _fresh(self, printed: list[bytes]) -> Iterator[bytes]:
        left = self.seen.copy()
        for line in printed:
            digest = _digest(line)
            if left[digest] > 0:
                left[digest] -= 1
            else:
                yield line


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


def _times(printed: list[bytes], reply: Reply) -> Iterator[float | None]:
    """Yield the time of each line, or of the nearest one before that has one."""
    known: float | None = None
    for line in printed:
        text = line[:4096].decode(errors="replace")
        found = lines.read(text, lines.Severity.INFO, reply.zone, reply.clock).time
        known = known if found is None else found
        yield known


def _again(time: float | None, since: float) -> bool:
    """Whether a line may be printed again by a command that begins at `since`."""
    return time is None or time >= since
