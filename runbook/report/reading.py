"""A journal's lines as values, whatever became of the file.

A killed run leaves no end, a full disk half a line, an older or a newer program
other fields. Nothing here raises for what a line holds: what is not there, or
not of its kind, is empty.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.visible import clean


@dataclass(frozen=True)
class Value:
    """A JSON value, asked for what it should hold."""

    raw: object = None

    def __getitem__(self, name: str) -> Value:
        return Value(self.raw.get(name)) if isinstance(self.raw, dict) else Value()

    @property
    def items(self) -> tuple[Value, ...]:
        """The items of a list."""
        return tuple(map(Value, self.raw)) if isinstance(self.raw, list) else ()

    @property
    def text(self) -> str:
        """A string or number as text that can be shown."""
        if isinstance(self.raw, str):
            return clean(self.raw)
        if self.number is None:
            return ""
        return str(self.raw) if isinstance(self.raw, int) else f"{self.number:g}"

    @property
    def number(self) -> float | None:
        """A finite number."""
        if isinstance(self.raw, bool) or not isinstance(self.raw, int | float):
            return None
        try:
            number = float(self.raw)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    @property
    def count(self) -> int | None:
        """A whole number that is not negative."""
        number = self.number
        return None if number is None or number < 0 else int(number)

    @property
    def time(self) -> datetime | None:
        """An ISO 8601 time, in UTC."""
        try:
            time = datetime.fromisoformat(self.raw) if isinstance(self.raw, str) else None
            return (
                time.astimezone(UTC) if time and time.tzinfo else time and time.replace(tzinfo=UTC)
            )
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class Line:
    """One line of a journal: an event of a `kind` at a time; None is a line that is damaged."""

    kind: str
    at: datetime | None
    value: Value


def lines(journal: bytes) -> Iterator[Line | None]:
    """Yield a journal's lines in order."""
    return map(_line, filter(None, journal.split(b"\n")))


def _line(line: bytes) -> Line | None:
    try:
        value = Value(json.loads(line))
    except (ValueError, RecursionError):
        return None
    kind = value["event"].text
    return Line(kind, value["at"].time, value) if kind else None
