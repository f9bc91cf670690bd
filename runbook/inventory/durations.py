"""Durations as people write them: `250ms`, `5s`, `10m`, `2h`, `1d`. Seconds inside."""

from __future__ import annotations

import re

MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST = "365d"
PATTERN = r"[1-9][0-9]*(ms|s|m|h|d)"

_LONGEST_MILLISECONDS = 365 * MILLISECONDS["d"]
_NEARLY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([A-Za-z]*)")
_MEANT = {"min": "m", "mins": "m", "minutes": "m", "minute": "m", "sec": "s", "msec": "ms"}


def parse_duration(text: str) -> float:
    """Return the seconds that `text` means, such as 0.25 for `250ms`.

    A whole number and a unit, at least 1ms and at most 365d; anything else,
    a bare number too, raises ValueError.
    """
    match = re.fullmatch(PATTERN, text)
    if match is None or len(text) > 16:
        raise ValueError("not a duration")
    unit = match[1]
    milliseconds = int(text.removesuffix(unit)) * MILLISECONDS[unit]
    if milliseconds > _LONGEST_MILLISECONDS:
        raise ValueError(f"longer than {LONGEST}")
    return milliseconds / 1000


def format_duration(seconds: float) -> str:
    """Return `seconds` with the largest unit that leaves a whole number: 5400 is `90m`."""
    milliseconds = max(1, round(seconds * 1000))
    unit = max(
        (unit for unit, size in MILLISECONDS.items() if milliseconds % size == 0),
        key=MILLISECONDS.__getitem__,
    )
    return f"{milliseconds // MILLISECONDS[unit]}{unit}"


def meant_duration(text: str) -> str:
    """Return what was probably meant by a `text` that is no duration, as `5s or 5m`.

    An empty string when that cannot be told.
    """
    match = _NEARLY.fullmatch(text.strip())
    if match is None or not float(match[1]):
        return ""
    number, word = match[1], match[2].lower()
    if not word:
        return " or ".join(f"{number}{unit}" for unit in "smh" if _is_duration(number + unit))
    unit = _MEANT.get(word) or (word if word in MILLISECONDS else word[:1])
    if unit not in MILLISECONDS:
        return ""
    seconds = float(number) * MILLISECONDS[unit] / 1000
    return format_duration(min(seconds, _LONGEST_MILLISECONDS / 1000))


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True
