"""Sizes, counts and times as a person reads them at night."""

from __future__ import annotations

from datetime import UTC, datetime

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Return a number of bytes such as 18.3 MiB; three digits, binary units."""
    power = next((p for p in range(4) if count < 1024 ** (p + 1)), 4)
    scaled = count / 1024**power
    digits = f"{scaled:.0f}" if power == 0 or scaled >= 100 else f"{scaled:.3g}"
    return f"{digits} {UNITS[power]}"


def age(seconds: float) -> str:
    """Return a length of time such as 45 s, 3 min 20 s, 2 h 5 min or 7 d."""
    whole = round(seconds)
    if whole < 90:
        return f"{seconds:.1g} s" if 0 < seconds < 1 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 90:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def iso(seconds: float) -> str:
    """Return a time, in seconds since 1970, as it is told, such as 2025-12-17T10:00:05Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as 1 row or 2,000 rows."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: tuple[str, ...], most: int = 4) -> str:
    """Return names as a list in a sentence, cut after `most`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
