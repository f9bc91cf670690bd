"""How often a watch runs, in the words of cron and of systemd."""

from __future__ import annotations

from runbook.application import DAY, HOUR, MINUTE


def cron(seconds: float) -> str:
    """Return the five fields of a crontab for one of the intervals."""
    if seconds < HOUR:
        return f"*/{seconds / MINUTE:.0f} * * * *"
    return f"0 */{seconds / HOUR:.0f} * * *" if seconds < DAY else "0 3 * * *"


def calendar(seconds: float) -> str:
    """Return systemd's OnCalendar for one of the intervals."""
    if seconds < HOUR:
        return f"*-*-* *:0/{seconds / MINUTE:.0f}:00"
    return f"*-*-* 0/{seconds / HOUR:.0f}:00:00" if seconds < DAY else "*-*-* 03:00:00"
