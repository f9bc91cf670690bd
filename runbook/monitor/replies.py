"""What a host is asked for more of a log, what it answers, and what was taken from that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from runbook.monitor.harvest import NOTHING, Harvest
from runbook.monitor.lines import Severity


@dataclass(frozen=True)
class Reply:
    """What a host sent: its clock and zone (seconds), the log's files, and bytes of the log."""

    clock: float
    zone: float
    listing: tuple[bytes, ...]
    data: bytes | None


@dataclass(frozen=True)
class Terms:
    """How grave a line is that does not say so, and from what on one counts."""

    otherwise: Severity
    least: Severity


@dataclass(frozen=True)
class Taken:
    """What a reply brought.

    `more`: not everything that there is was read yet. `since` is from when on
    the log is known, where its lines do not say it. `problem` is why it cannot
    be read; `gap` says that lines may have been lost.
    """

    clock: float
    harvest: Harvest = NOTHING
    more: bool = False
    since: float | None = None
    problem: str = ""
    gap: bool = False


class Source(Protocol):
    """A log on a host that is read piece by piece; knows how far it was read."""

    def ask(self, length: int) -> str:
        """Return what to send for the next `length` bytes or so."""

    def take(self, reply: Reply, terms: Terms) -> Taken:
        """Take in a reply to what was asked last, and move on."""


_CLOCK = re.compile(rb"clock (\d+\.?\d*) ([+-])(\d\d)(\d\d)")


def parse(out: bytes) -> Reply:
    """Read what the host's script printed; what a login shell prints before is passed over.

    Raises:
        ValueError: it is not its output.
    """
    listing: list[bytes] = []
    clock: re.Match[bytes] | None = None
    at = 0
    while at < len(out):
        end = out.find(b"\n", at)
        end = len(out) if end < 0 else end
        line, at = out[at:end], end + 1
        if clock is None:
            clock = _CLOCK.fullmatch(line)
        elif line == b"data":
            return _reply(clock, listing, out[at:])
        else:
            listing.append(line)
    if clock is None:
        raise ValueError("no clock in the answer")
    return _reply(clock, listing, None)


def _reply(clock: re.Match[bytes], listing: list[bytes], data: bytes | None) -> Reply:
    seconds, sign, hours, minutes = clock.groups()
    zone = int(hours) * 3600 + int(minutes) * 60
    return Reply(float(seconds), float(-zone if sign == b"-" else zone), tuple(listing), data)
