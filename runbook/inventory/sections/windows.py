"""`windows`: when what the application uses may be changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from zoneinfo import ZoneInfo, available_timezones

from runbook.inventory.kinds import Listed
from runbook.inventory.mistakes import nearest
from runbook.inventory.records import Fields, Named, Record, names, required
from runbook.inventory.words import Word, choice
from runbook.window import Window

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def _clock() -> Word[time]:
    def parse(value: str) -> time:
        if re.fullmatch(_CLOCK, value) is None:
            raise ValueError
        return time.fromisoformat(value)

    def hint(value: str) -> str:
        return "the end of a day is 00:00" if value.startswith("24") else ""

    form = {"type": "string", "pattern": f"^{_CLOCK}$", "examples": ["02:00"]}
    return Word('a time of the day such as "02:00"', parse, form, hint=hint)


def _zone() -> Word[str]:
    def parse(value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, LookupError) as error:
            raise ValueError from error
        return value

    def hint(value: str) -> str:
        near = nearest(value, available_timezones())
        return f"did you mean {near}?" if near else ""

    form = {"type": "string", "examples": ["Europe/Berlin"]}
    return Word("a time zone such as Europe/Berlin", parse, form, hint=hint)


DAYS = required(
    "days",
    Listed(choice({name: day for day, name in enumerate(DAY_NAMES)}), least=1),
    "The days on which it opens.",
)
FROM = required("from", _clock(), "When it opens, in quotes, by the clocks in its zone.")
UNTIL = required(
    "until", _clock(), "When it closes; on the following day where that is not later than `from`."
)
ZONE = required("zone", _zone(), "The time zone of both.")
WINDOWS = names(
    "windows",
    Named(
        Record((DAYS, FROM, UNTIL, ZONE)),
        "the name of a window (letters, digits and . _ -)",
        r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62})?",
    ),
    "When what the application uses may be changed, by name: `deploy`, `migrate`, `smoke` and "
    "`triggers`, alone or within `run`. An undo is free at any time. Without this key: always.",
)


def windows(fields: Mapping[str, Fields]) -> tuple[Window, ...]:
    """Return the windows, in the inventory's order."""
    return tuple(
        Window(name, each[DAYS], each[FROM], each[UNTIL], each[ZONE])
        for name, each in fields.items()
    )
