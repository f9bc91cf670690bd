"""How often a watch runs, in the words of cron and of systemd."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86400
MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
HOURS = (1, 2, 3, 4, 6, 8, 12)
INTERVALS = {
    **{f"{n}m": float(n * MINUTE) for n in MINUTES},
    **{f"{n}h": float(n * HOUR) for n in HOURS},
    "1d": float(DAY),
}
"""What a timetable can hold exactly: divisors of an hour and of a day."""


def cron(seconds: float) -> str:
    """Return the five fields of a crontab for one of `INTERVALS`."""
    if seconds < HOUR:
        return f"*/{seconds / MINUTE:.0f} * * * *"
    return f"0 */{seconds / HOUR:.0f} * * *" if seconds < DAY else "0 3 * * *"


def calendar(seconds: float) -> str:
    """Return systemd's OnCalendar for one of `INTERVALS`."""
    if seconds < HOUR:
        return f"*-*-* *:0/{seconds / MINUTE:.0f}:00"
    return f"*-*-* 0/{seconds / HOUR:.0f}:00:00" if seconds < DAY else "*-*-* 03:00:00"
