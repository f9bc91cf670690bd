"""Kinds of single values: a text, a whole number, a duration, one word of several."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from runbook.inventory.document import Broken, Node, Scalar, Section, Sequence
from runbook.inventory.durations import PATTERN as DURATION
from runbook.inventory.durations import meant_duration, parse_duration
from runbook.inventory.mistakes import InventoryError, Place, nearest
from runbook.visible import in_one_line

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Json: TypeAlias = Mapping[str, object]

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@dataclass(frozen=True)
class Word(Generic[T_co]):
    """One scalar. `parse` returns its value or raises ValueError.

    `hint` says what was probably meant by a text that did not parse. With
    `quiet` a message never repeats what was written.
    """

    expected: str
    parse: Callable[[str], T_co]
    form: Json
    meaning: str = "text"
    hint: Callable[[str], str] = lambda _: ""
    quiet: bool = False

    def read(self, node: Node, home: Place | None) -> T_co:
        """Return the value of the scalar; a number or `no` where text belongs is a mistake."""
        del home
        scalar = self._scalar(node)
        hint = "" if self.quiet else self.hint(scalar.text)
        if scalar.meaning == self.meaning:
            if has_invisible_characters(scalar.text):
                hint = _invisible_hint(scalar.text)
            else:
                try:
                    return self.parse(scalar.text)
                except ValueError:
                    pass
        elif not hint and self._parses(scalar.text):
            hint = "write it in quotes" if self.meaning == "text" else "drop the quotes"
        raise node.place.error(self._refusal(found(node, self.quiet), hint))

    def schema(self) -> Json:
        """Return the schema of the scalar."""
        return self.form

    def _scalar(self, node: Node) -> Scalar:
        if isinstance(node, Broken):
            raise InventoryError([])
        if not isinstance(node, Scalar) or node.meaning == "nothing":
            raise node.place.error(self._refusal(found(node), ""))
        return node

    def _parses(self, text: str) -> bool:
        try:
            self.parse(text)
        except ValueError:
            return False
        return True

    def _refusal(self, seen: str, hint: str) -> str:
        return f"expected {self.expected}, found {seen}" + (f"; {hint}" if hint else "")


def text(
    expected: str,
    pattern: str = r".*\S.*",
    longest: int = 500,
    *,
    quiet: bool = False,
) -> Word[str]:
    """Return the kind of a one-line text that matches `pattern` as a whole."""

    def parse(value: str) -> str:
        if len(value) > longest or re.fullmatch(pattern, value) is None:
            raise ValueError
        return value

    form = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": longest}
    return Word(expected, parse, form, quiet=quiet)


def whole(low: int, high: int, what: str) -> Word[int]:
    """Return the kind of a whole number between `low` and `high`, in plain decimal."""

    def parse(value: str) -> int:
        if re.fullmatch(r"0|[1-9][0-9]{0,9}", value) is None or not low <= int(value) <= high:
            raise ValueError
        return int(value)

    form = {"type": "integer", "minimum": low, "maximum": high}
    return Word(f"{what} ({low} to {high}, plain decimal)", parse, form, meaning="number")


def duration(example: str) -> Word[float]:
    """Return the kind of a duration, in seconds; `example` is for the messages."""

    def hint(value: str) -> str:
        meant = meant_duration(value)
        return f"write {meant}" if meant else "a whole number and ms, s, m, h or d, at most 365d"

    form = {"type": "string", "pattern": f"^{DURATION}$", "examples": [example]}
    return Word(f"a duration such as {example}", parse_duration, form, hint=hint)


def choice(options: Mapping[str, T]) -> Word[T]:
    """Return the kind of a word that is one of `options`, read as what it maps to."""

    def parse(value: str) -> T:
        if value not in options:
            raise ValueError
        return options[value]

    def hint(value: str) -> str:
        near = nearest(value, options)
        return f"did you mean {near}?" if near else ""

    return Word(f"one of {', '.join(options)}", parse, {"enum": list(options)}, hint=hint)


def found(node: Node, quiet: bool = False) -> str:
    """Return how a message names what stands at `node`.

    A text that may hold a password (an URL, an option) is not repeated.
    """
    if isinstance(node, Section):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Broken) or node.meaning == "nothing":
        return "nothing"
    if quiet or len(node.text) > 60 or re.search(r"[@=]|://", node.text):
        return f"{'text' if node.meaning == 'text' else 'a ' + node.meaning} (not repeated here)"
    shown = in_one_line(node.text) or "empty text"
    return shown if node.meaning in ("text", "number") else f"the {node.meaning} {shown}"


def _invisible_hint(value: str) -> str:
    if "\n" in value:
        return "it has several lines; >- instead of | makes them one"
    return "it holds a control or an invisible character"


def has_invisible_characters(value: str) -> bool:
    """Return whether `value` holds a line break, a control or an invisible character."""
    return any(unicodedata.category(char) in _INVISIBLE for char in value)
