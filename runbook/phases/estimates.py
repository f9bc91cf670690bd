"""How long a statement may take, as a range: servers differ by more than a model could say.

Measured on 2,000,000 rows, with other sessions writing: an index in place 1,600,000
rows a second, a backfill in ranges 84,000. Those are near the fast ends; a server on
slow or busy disks is ten to twenty times slower. A backfill tells the time left as
it runs, by its own speed.
"""

from __future__ import annotations

INDEX = (100_000, 2_000_000)
BACKFILL = (5_000, 100_000)
"""Rows a second: the slow and the fast end."""
METADATA = 1.0
"""Seconds for what only changes metadata, such as a new table, a trigger, a dropped column."""


def index(rows: int) -> str:
    """Return how long it takes to build one index in place over `rows`."""
    return _between(rows, INDEX)


def index_at_most(rows: int) -> float:
    """Return the seconds that one index takes on a slow server."""
    return max(1.0, rows / INDEX[0])


def backfill_at_least(rows: int) -> float:
    """Return the seconds that a backfill takes on a fast server."""
    return max(1.0, rows / BACKFILL[1])


def backfill_at_most(rows: int) -> float:
    """Return the seconds that a backfill takes on a slow server."""
    return max(1.0, rows / BACKFILL[0])


def backfill(rows: int) -> str:
    """Return how long a backfill of `rows` takes."""
    return _between(rows, BACKFILL)


def _between(rows: int, rates: tuple[int, int]) -> str:
    slow, fast = rates
    low, high = _roughly(rows / fast), _roughly(rows / slow)
    return f"{low} to {high}" if low != high else f"about {low}"


def _roughly(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
