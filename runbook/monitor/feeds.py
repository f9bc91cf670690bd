"""A log on a host, and the command that sends more of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feed:
    """One log on one host.

    `text` lists it and sends more of it; from where on comes on standard input.
    """

    host: str
    log: str
    text: str

    @property
    def key(self) -> str:
        """What it is called among all feeds."""
        return f"{self.host} {self.log}"
