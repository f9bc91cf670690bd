"""What a kind of value is, and the kinds that are more than one word.

A kind reads a node of the document into a value, or raises InventoryError with
every mistake below that node. `shape` puts the kinds together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from runbook.environment import Secret
from runbook.inventory.document import Broken, Node, Scalar, Section, Sequence
from runbook.inventory.mistakes import Gathered, InventoryError, Place
from runbook.inventory.words import Json, Word, found, text

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PATH = text("a path", longest=4096)
_SOURCES = {
    "env": text("the name of an environment variable, in capitals", "[A-Z_][A-Z0-9_]*", quiet=True),
    "file": text("the path of a file", longest=4096, quiet=True),
    "command": text("a command of this machine", longest=4096, quiet=True),
}


class Kind(Protocol[T_co]):
    """What every kind can do."""

    @property
    def expected(self) -> str:
        """What a value must be, to follow `expected` in a message."""

    def read(self, node: Node, home: Place | None) -> T_co:
        """Return the value of `node`, or raise InventoryError with all mistakes in it.

        `home` is the environment being read; it bears the keys that are
        missing. None is a base, which need not be complete.
        """

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""


@dataclass(frozen=True)
class Listed(Generic[T]):
    """A list whose items are all of one kind."""

    item: Kind[T]
    least: int = 0

    @property
    def expected(self) -> str:
        """What is expected, as in `a list, each item a role`."""
        return f"a list, each item {self.item.expected}"

    def read(self, node: Node, home: Place | None) -> tuple[T, ...]:
        """Return the items in order."""
        if isinstance(node, Broken):
            raise InventoryError([])
        if not isinstance(node, Sequence) or len(node.items) < self.least:
            seen = "an empty list" if isinstance(node, Sequence) else found(node)
            hint = "; write it as [one, two]" if isinstance(node, Scalar) else ""
            raise node.place.error(f"expected {self.expected}, found {seen}{hint}")
        values, mistakes = [], Gathered()
        for item in node.items:
            with mistakes:
                values.append(self.item.read(item, home))
        mistakes.report()
        return tuple(values)

    def schema(self) -> Json:
        """Return the schema of the list."""
        return {"type": "array", "items": self.item.schema(), "minItems": self.least}


@dataclass(frozen=True)
class InFile(Generic[T_co]):
    """A value that stands in a file of this machine, to be read when it is needed."""

    path: str
    word: Word[T_co]
    place: Place


@dataclass(frozen=True)
class OrFile(Generic[T]):
    """A scalar, or `{file: PATH}` of a file that holds it."""

    word: Word[T]

    @property
    def expected(self) -> str:
        """What is expected, with the other way to write it."""
        return f"{self.word.expected} or {{file: PATH}}"

    def read(self, node: Node, home: Place | None) -> T | InFile[T]:
        """Return the value, or where to find it."""
        if not isinstance(node, Section):
            return self.word.read(node, home)
        if list(node.entries) != ["file"]:
            raise node.place.error(f"expected {self.expected}, found another mapping")
        path = PATH.read(node.entries["file"].value, home)
        return InFile(path, self.word, node.place)

    def schema(self) -> Json:
        """Return the schema of either form."""
        return {"anyOf": [self.word.schema(), _one_of({"file": PATH})]}


@dataclass(frozen=True)
class Hidden:
    """`{env: NAME}`, `{file: PATH}` or `{command: TEXT}`. What is written is never repeated."""

    what: str = "password"

    @property
    def expected(self) -> str:
        """What is expected, with the three ways to write it."""
        return (
            f"where the {self.what} comes from: {{env: NAME}}, {{file: PATH}} or {{command: TEXT}}"
        )

    def read(self, node: Node, home: Place | None) -> Secret:
        """Return where the password comes from, its file as written; a literal one is refused."""
        if isinstance(node, Broken):
            raise InventoryError([])
        if isinstance(node, Scalar) and node.meaning != "nothing":
            raise node.place.error(f"a literal {self.what} is refused; write {self.expected}")
        if not isinstance(node, Section):
            raise node.place.error(f"expected {self.expected}, found {found(node)}")
        if len(node.entries) != 1 or not node.entries.keys() <= _SOURCES.keys():
            raise node.place.error(f"expected {self.expected}: exactly one of the three")
        ((name, entry),) = node.entries.items()
        value = _SOURCES[name].read(entry.value, home)
        return Secret(
            env=value if name == "env" else None,
            file=Path(value) if name == "file" else None,
            command=value if name == "command" else None,
            source=f"{node.place.file}:{node.place.line}",
            what=self.what,
        )

    def schema(self) -> Json:
        """Return the schema of the three forms."""
        return _one_of(_SOURCES)


def _one_of(words: Mapping[str, Word[str]]) -> Json:
    return {
        "type": "object",
        "properties": {name: word.schema() for name, word in words.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
