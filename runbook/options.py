"""What the command line says, as one frozen value."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields

NO_PART = {"dry_run", "plan", "as_json", "full"}
"""Options that decide how a plan is handled or shown, and not what it holds."""
TYPED = {"first": "from", "last": "until"}
"""What is typed for an option, where Python or the code has another word for it."""


@dataclass(frozen=True)
class Options:
    """The options of a command; those that a phase does not know keep their defaults."""

    dry_run: bool = False
    plan: str | None = None
    as_json: bool = False
    full: bool = False
    fetch: bool = False
    fresh: bool = False
    backup: str = "latest"
    into: str = ""
    event: str = ""
    first: str = ""
    last: str = ""
    skip: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    triggers: bool = False
    remove: bool = False
    release: str = ""
    outside_window: str = ""
    install: bool = False
    once: bool = False
    accept: bool = False

    @property
    def flags(self) -> str:
        """The options that decide what a plan holds, as they are typed."""
        return "".join(f" {flag}" for flag in self._flags())

    def _flags(self) -> Iterator[str]:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in NO_PART or value == field.default:
                continue
            flag = "--" + TYPED.get(field.name, field.name).replace("_", "-")
            if value is True:
                yield flag
            else:
                texts = value if isinstance(value, tuple) else (value,)
                yield from (f"{flag}={shlex.quote(str(text))}" for text in texts)
