"""`notify`: who is told of runs, and of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runbook.environment import Occasion, Recipient, Secret
from runbook.inventory.kinds import Hidden, Listed
from runbook.inventory.records import Fields, Key, Named, Record, names, required
from runbook.inventory.words import choice

URL = required(
    "url",
    Hidden("URL"),
    "Where its apprise URL comes from, such as that of a chat; never the URL, it holds secrets.",
)
EVENTS = Key(
    "events",
    Listed(choice({each.value: each for each in Occasion}), least=1),
    "What is told: the start of a run that changes something, its end, only a bad end, an alert. "
    "Left out: all.",
    tuple(Occasion),
)
NOTIFY = names(
    "notify",
    Named(
        Record((URL, EVENTS)),
        "the name of a recipient (letters, digits and . _ -)",
        r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62})?",
    ),
    "Who is told of runs, by name. No run waits for a notice, or fails of one.",
)


def notify(
    fields: Mapping[str, Fields], secret: Callable[[Secret], Secret]
) -> tuple[Recipient, ...]:
    """Return the recipients; `secret` resolves where a URL comes from."""
    return tuple(Recipient(name, secret(each[URL]), each[EVENTS]) for name, each in fields.items())
