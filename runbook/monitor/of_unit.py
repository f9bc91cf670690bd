"""A log that is a systemd unit's journal: entries behind a cursor."""

from __future__ import annotations

import json

from runbook.monitor.harvest import Reading, harvest
from runbook.monitor.replies import Reply, Taken, Terms

ENTRY = 250
"""Bytes that an entry is taken for."""


class UnitSource:
    """The journal of a unit: read up to `cursor`, or from `since` (the host's clock) on."""

    def __init__(self, since: float, cursor: str = "") -> None:
        self.since = since
        self.cursor = cursor
        self._lines = 0

    def ask(self, length: int) -> str:
        """Return what to send: behind which entry to begin, and how many are wanted."""
        self._lines = max(100, length // ENTRY)
        begin = f"after {self.cursor}" if self.cursor else f"since {self.since:.6f}"
        return f"{begin}\nlines {self._lines}\n"

    def take(self, reply: Reply, terms: Terms) -> Taken:
        """Take in entries; a last one that was cut off comes again."""
        data = reply.data or b""
        how = Reading(terms.otherwise, terms.least, reply.zone, reply.clock, self.since, self.since)
        got = harvest(data, how)
        self.cursor = _cursor(data[: got.used]) or self.cursor
        return Taken(reply.clock, got, more=got.lines >= self._lines)


def _cursor(data: bytes) -> str:
    """Return the cursor of the last entry that has one."""
    for line in reversed(data.splitlines()[-20:]):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(cursor := said.get("__CURSOR"), str):
            return cursor
    return ""
