"""What the inventory says of a watch, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Watch:
    """The scan of append-only rows: the host that runs it, `folder` and `credentials` there.

    It runs `every` so many seconds; a row whose key is older than `settle`
    seconds may not come into being any more. `alert` and `heartbeat` are
    commands of that host.
    """

    host: str
    folder: str
    credentials: str
    every: float
    settle: float
    scheduler: str
    alert: str | None = None
    heartbeat: str | None = None
