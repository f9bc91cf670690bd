"""When a line was written, by what it says itself: many forms, seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = {
    name: number
    for number, name in enumerate(
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
_ISO = re.compile(
    r"[\[(<\"' ]*(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)"
    r"(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d:?\d\d)\b)?"
)
_WORD_BEFORE = re.compile(r"\S{1,60}[\s|]+")
"""What else may stand before a line's time: one word, such as a container's name."""
_APACHE = re.compile(
    r".{0,80}?\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]"
)
_SYSLOG = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)\b")
_EPOCH = re.compile(r"\[?(\d{10})(\d{3}|\d{6}|\d{9})?(?:\.(\d{1,9}))?(?=[\s\]:,|]|$)")
_DIGITS = re.compile(r"(\d{9,10})(\d{3}|\d{6}|\d{9})?(\.\d+)?")
_EARLIEST = 631152000.0
"""1990: before it a number is no time."""


def at_head(line: str, zone: float, now: float) -> float | None:
    """Return the time that stands at the beginning of a line, or None.

    `zone` is the offset from UTC, in seconds, of a time that names none; `now`
    tells the year of one that has none.
    """
    if match := _ISO.match(line):
        return _iso(match, zone)
    if (word := _WORD_BEFORE.match(line)) and (match := _ISO.match(line, word.end())):
        return _iso(match, zone)
    if "[" in line[:100] and (match := _APACHE.match(line)):
        return _apache(match)
    if match := _SYSLOG.match(line):
        return _syslog(match, zone, now)
    if match := _EPOCH.match(line):
        return _plausible(float(f"{match[1]}.{match[2] or match[3] or 0}"))
    return None


def of_value(value: object, zone: float, now: float) -> float | None:
    """Return the time that a JSON value stands for: a text, or seconds, ms, µs or ns."""
    if isinstance(value, str):
        if match := _DIGITS.fullmatch(value):
            return _plausible(float(f"{match[1]}.{match[2]}" if match[2] else value))
        return at_head(value, zone, now)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < 1e30 else 0.0
        while seconds > 1e11:
            seconds /= 1000
        return _plausible(seconds)
    return None


def _iso(match: re.Match[str], zone: float) -> float | None:
    clock, fraction, offset = match.groups()
    whole = _second(clock)
    if whole is None:
        return None
    if offset:
        whole -= 0.0 if offset == "Z" else _offset(offset)
    else:
        whole -= zone
    return _plausible(whole + float(f"0.{fraction}") if fraction else whole)


@lru_cache(maxsize=256)
def _second(clock: str) -> float | None:
    """Return the seconds of `2025-12-17T10:11:12` in UTC; many lines share theirs."""
    try:
        return datetime.fromisoformat(clock.replace("/", "-")).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> float:
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if text[0] == "-" else seconds


def _apache(match: re.Match[str]) -> float | None:
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    away = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        zone = timezone(-away if sign == "-" else away)
        numbers = (int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second))
        return _plausible(datetime(*numbers, tzinfo=zone).timestamp())
    except (ValueError, KeyError, OverflowError):
        return None


def _syslog(match: re.Match[str], zone: float, now: float) -> float | None:
    month, *rest = match.groups()
    day, hour, minute, second = map(int, rest)
    there = datetime.fromtimestamp(now, UTC).year
    for year in (there + 1, there, there - 1):  # the latest that is not in the future
        try:
            known = datetime(year, _MONTHS[month], day, hour, minute, second, tzinfo=UTC)
        except (ValueError, KeyError):
            continue
        seconds = known.timestamp() - zone
        if seconds < now + 86400:
            return seconds
    return None


def _plausible(seconds: float) -> float | None:
    return seconds if seconds > _EARLIEST else None
