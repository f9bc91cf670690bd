"""Read YAML into a tree in which every value knows its line, column and key path.

The tree is built from the parser's events rather than by PyYAML's loader, which
keeps the last of two equal keys, forgets where things stand, and turns `no`,
`0600` and `1:30` into something else than was written. Here a scalar keeps its
text, together with what YAML would have made of it. Anchors, aliases, merge keys
and tags are refused (`extends` is the one way to share), so nothing can expand.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import yaml

from runbook.inventory.mistakes import InventoryError, Mistake, Place

LARGEST = 256 * 1024
DEEPEST = 12
SECRET_KEYS = frozenset({"password", "url"})
"""The keys below which nothing is ever quoted back."""


@dataclass(frozen=True)
class Scalar:
    """A text, and what it means to YAML: text, number, boolean, date or nothing."""

    text: str
    meaning: str
    place: Place


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True)
class Entry:
    """A key's value, and where the key stands."""

    key: Place
    value: Node


@dataclass(frozen=True)
class Section:
    """A mapping."""

    entries: Mapping[str, Entry]
    place: Place


@dataclass(frozen=True)
class Broken:
    """What stood here has been reported already."""

    place: Place


Node: TypeAlias = Scalar | Sequence | Section | Broken

_MEANINGS = {
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:timestamp": "date",
    "tag:yaml.org,2002:null": "nothing",
}


def read_text(path: Path, file: str) -> str:
    """Return the text of the inventory at `path`, called `file` in messages.

    Raises InventoryError when it is missing, no regular file, too large or not UTF-8.
    """
    whole = Place(file, 0, 0)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise whole.error("this is a folder; expected the inventory, a YAML file")
        if not stat.S_ISREG(mode):
            raise whole.error("this is not a regular file; expected the inventory, a YAML file")
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise whole.error("there is no such file; run this in the project's folder") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise whole.error(f"cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise whole.error(f"larger than {LARGEST // 1024} KiB; this is no inventory")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        place = _place_after(file, before)
        raise place.error(
            f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def parse(text: str, file: str) -> tuple[Node | None, tuple[Mistake, ...]]:
    """Return the tree of `text` (None when it is empty), and what is wrong with its form.

    Raises InventoryError when the text is no YAML at all; `file` is for the messages.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        place = _place_after(file, text[: error.position])
        code = ord(text[error.position])
        raise place.error(f"the character U+{code:04X} is not allowed; remove it") from None
    builder = _Builder(file, loader)
    try:
        return builder.document(), tuple(builder.mistakes)
    except yaml.MarkedYAMLError as error:
        raise InventoryError([*builder.mistakes, _syntax_mistake(error, file)]) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML lets chr() and int() complain about "\UFFFFFFFF" and the like.
        place = _at(loader.get_mark(), file)
        raise place.error("not valid YAML: an escape or a number is out of range") from None


class _Builder:
    """Builds the tree from one loader's events and keeps the mistakes it meets."""

    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self.file = file
        self.loader = loader
        self.mistakes: list[Mistake] = []

    def document(self) -> Node | None:
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self._node(self._next(), Place(self.file, 1, 1), 0)
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            place = self._place(event, ())
            self.mistakes.append(place.mistake("a second document begins here; expected one"))
        return root

    def _next(self) -> yaml.Event:
        event: yaml.Event = self.loader.get_event()  # type: ignore[no-untyped-call]
        return event

    def _place(self, event: yaml.Event, path: tuple[str, ...]) -> Place:
        return _at(event.start_mark, self.file, path)

    def _refuse(self, place: Place, message: str) -> Broken:
        self.mistakes.append(place.mistake(message))
        return Broken(place)

    def _node(self, event: yaml.Event, key: Place, depth: int) -> Node:
        """Build what begins with `event`; it stands where its `key` does unless it is a scalar."""
        here = self._place(event, key.path)
        if isinstance(event, yaml.AliasEvent):
            return self._refuse(here, "aliases (*) are not used here; use extends to share")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            meaning = _meaning(event)
            node = Scalar(event.value, meaning, key if meaning == "nothing" else here)
        elif depth >= DEEPEST:
            raise InventoryError([*self.mistakes, here.mistake("nested too deeply")])
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Sequence(tuple(self._items(key.path, depth)), key)
        else:
            node = Section(self._entries(key.path, depth), key)
        if getattr(event, "anchor", None) is not None:
            return self._refuse(here, "anchors (&) are not used here; use extends to share")
        if getattr(event, "tag", None) is not None:
            return self._refuse(here, "tags (!) are not used here; write the plain value")
        return node

    def _items(self, path: tuple[str, ...], depth: int) -> Iterator[Node]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._node(event, self._place(event, path), depth + 1)

    def _entries(self, path: tuple[str, ...], depth: int) -> Mapping[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            name = self._key(event, path, depth)
            quotable = SECRET_KEYS.isdisjoint(path)
            at = self._place(event, (*path, name) if name is not None and quotable else path)
            value = self._node(self._next(), at, depth + 1)
            if name is None:
                continue
            if name in entries:
                # A key without a value may be the tail of one: {password: a,b}.
                place = self._place(event, path) if _is_nothing(value) else at
                first = entries[name].key.line
                self._refuse(place, f"this key stands twice, first in line {first}; keep one")
            else:
                entries[name] = Entry(at, value)
        return entries

    def _key(self, event: yaml.Event, path: tuple[str, ...], depth: int) -> str | None:
        place = self._place(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, place, depth + 1)
            self._refuse(place, "expected a key, one word of text")
            return None
        if event.anchor is not None or event.tag is not None:
            self._refuse(place, "anchors (&) and tags (!) are not used here")
        elif event.value == "<<" and event.style is None:
            self._refuse(place, "merge keys (<<) are not used here; use extends to share")
        elif (meaning := _meaning(event)) != "text":
            self._refuse(place, f"expected a key, found what YAML reads as {meaning}; quote it")
        else:
            return event.value
        return None


def _meaning(event: yaml.ScalarEvent) -> str:
    if event.style is not None:
        return "text"
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
    return _MEANINGS.get(tag, "text")


_RESOLVER = yaml.resolver.Resolver()


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.meaning == "nothing"


class _Mark(Protocol):
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def _at(mark: _Mark | None, file: str, path: tuple[str, ...] = ()) -> Place:
    return Place(file, mark.line + 1, mark.column + 1, path) if mark else Place(file, 1, 1, path)


def _place_after(file: str, before: str) -> Place:
    lines = re.split(r"\r\n|[\r\n]", before)
    return Place(file, len(lines), len(lines[-1]) + 1)


def _syntax_mistake(error: yaml.MarkedYAMLError, file: str) -> Mistake:
    place = _at(error.problem_mark or error.context_mark, file)
    # PyYAML quotes an unknown tag handle, which may be part of a password.
    problem = re.sub(r"'!?[\w-]*!'", "", error.problem or "it ends too early").strip()
    message = f"not valid YAML: {problem}"
    if error.context:
        message += f" ({error.context}"
        start = error.context_mark
        message += f" from {start.line + 1}:{start.column + 1})" if start else ")"
    if "'\\t'" in problem:
        message += "; YAML is indented with spaces, not tabs"
    elif "mapping values are not allowed" in problem:
        message += "; check the indentation, and quote a value that holds a colon"
    return place.mistake(message)
