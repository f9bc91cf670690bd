"""Times and advice in words, as page and text say them."""

from __future__ import annotations

import re
from datetime import datetime

UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
COMMAND = re.compile(r"(.*?):? *\b(invoke \S.*)")


def length(seconds: float) -> str:
    """Return a length of time such as `250 ms`, `1.5 s` or `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if 0 < seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole, parts = round(seconds), []
    for unit, name in UNITS:
        count, whole = divmod(whole, unit)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def moment(time: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "not told"


def clock(time: datetime | None) -> str:
    """Return a time of the day in UTC."""
    return f"{time:%H:%M:%S}" if time else ""


def advised(line: str) -> tuple[str, str]:
    """Split a line of advice into its words and the command that it ends with, if it does."""
    found = COMMAND.fullmatch(line)
    return (found[1], found[2]) if found else (line, "")
