"""`manual`: what a person does within a maintenance window, and is asked about."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.application import Manual
from runbook.inventory.records import Fields, Named, Record, names, required
from runbook.inventory.words import choice, text
from runbook.plan.order import ORDER

BEFORE = required(
    "before", choice({name: name for name in ORDER[1:]}), "The phase that waits for the answer."
)
ASK = required("ask", text("a question, one line", longest=1000), "What the operator is asked.")
MANUAL = names(
    "manual",
    Named(
        Record((BEFORE, ASK)),
        "the name of a manual step (letters, digits and . _ -)",
        r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62})?",
    ),
    "What `run` asks the operator before a phase, by name; an answer is recorded.",
)


def manual(fields: Mapping[str, Fields]) -> tuple[Manual, ...]:
    """Return the manual steps, in the inventory's order."""
    return tuple(Manual(name, each[BEFORE], each[ASK]) for name, each in fields.items())
