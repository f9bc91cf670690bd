"""What the command line says, as one frozen value."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields

from runbook.errors import UsageError

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
    hours: str = ""
    release: str = ""
    outside_window: str = ""
    install: bool = False
    once: bool = False
    accept: bool = False

    def refuse_unprintable(self) -> None:
        """Raise UsageError for a text that acts on a terminal, or that no file can hold."""
        for field in fields(self):
            value = getattr(self, field.name)
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and not text.isprintable():
                    raise UsageError(
                        f"{_typed(field.name)}={text!r} holds a character that cannot be printed",
                        advice="Type it in one line, without control characters.",
                    )

    @property
    def flags(self) -> str:
        """The options that decide what a plan holds, as they are typed."""
        return "".join(f" {flag}" for flag in self._flags())

    def _flags(self) -> Iterator[str]:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in NO_PART or value == field.default:
                continue
            flag = _typed(field.name)
            if value is True:
                yield flag
            else:
                texts = value if isinstance(value, tuple) else (value,)
                yield from (f"{flag}={shlex.quote(str(text))}" for text in texts)


def _typed(name: str) -> str:
    return "--" + TYPED.get(name, name).replace("_", "-")
