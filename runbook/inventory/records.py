"""Mappings with known keys, and mappings whose keys are names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from runbook.inventory.document import Broken, Entry, Node, Section
from runbook.inventory.durations import format_duration
from runbook.inventory.kinds import Kind
from runbook.inventory.mistakes import Gathered, InventoryError, Place, did_you_mean, nearest
from runbook.inventory.words import Json, found

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Key(Generic[T_co]):
    """A key of a mapping: its name, the kind of its value, and what it is about.

    A `required` key must be there once everything is inherited; another one
    is read as `default` when it is not.
    """

    name: str
    kind: Kind[T_co]
    about: str
    default: T_co
    required: bool = False

    @property
    def written_default(self) -> str | int | None:
        """The default as it would be written; None when there is none to write."""
        match self.default:
            case float(seconds):
                return format_duration(seconds)
            case str() | int():
                return self.default
            case _:
                return None


def required(name: str, kind: Kind[T], about: str) -> Key[T]:
    """Return a key that must be there; a `Fields` never holds its default."""
    return Key(name, kind, about, cast(T, None), required=True)


def optional(name: str, kind: Kind[T], about: str) -> Key[T | None]:
    """Return a key that is None when it is not there."""
    return Key(name, kind, about, None)


def section(name: str, record: Record, about: str) -> Key[Fields]:
    """Return a key with a mapping of optional keys; left out, it holds their defaults."""
    return Key(name, record, about, record.defaults())


def names(name: str, named: Named[T], about: str) -> Key[Mapping[str, T]]:
    """Return a key with values by name; left out, there are none."""
    return Key(name, named, about, {})


@dataclass(frozen=True)
class Fields:
    """The values of a mapping, by key, and the place of each that was written."""

    values: Mapping[str, object] = field(repr=False)
    places: Mapping[str, Place] = field(repr=False)

    def __getitem__(self, key: Key[T]) -> T:
        return cast(T, self.values[key.name])

    def where(self, key: Key[T]) -> Place:
        """Return where the value of `key` stands; only for one that was written."""
        return self.places[key.name]


@dataclass(frozen=True)
class Record:
    """A mapping with these keys and no others; of those in `one` exactly one must be there."""

    keys: tuple[Key[object], ...]
    one: tuple[str, ...] = ()
    expected = "a mapping"

    def defaults(self) -> Fields:
        """Return what an empty mapping means."""
        return Fields({key.name: key.default for key in self.keys}, {})

    def kind_of(self, name: str) -> Kind[object] | None:
        """Return the kind of the value of `name`, or None for a key that is not known."""
        return next((key.kind for key in self.keys if key.name == name), None)

    def read(self, node: Node, home: Place | None) -> Fields:
        """Return the values; unknown and missing keys are mistakes."""
        entries = _entries(node, self.expected)
        names = tuple(key.name for key in self.keys)
        values = dict(self.defaults().values)
        places: dict[str, Place] = {}
        mistakes, meant = Gathered(), set()
        for name, entry in entries.items():
            if name not in names:
                meant.add(nearest(name, names))
                mistakes.add(_unknown(name, names, entry, node.place))
        for key in self.keys:
            if key.name in entries:
                with mistakes:
                    value = entries[key.name].value
                    places[key.name] = value.place
                    values[key.name] = key.kind.read(value, home)
            elif key.required and home is not None and key.name not in meant:
                mistakes.add(_missing(key, node.place, home))
        if self.one and home is not None and len(entries.keys() & set(self.one)) != 1:
            mistakes.add(node.place.error(f"expected exactly one of {', '.join(self.one)}"))
        mistakes.report()
        return Fields(values, places)

    def schema(self) -> Json:
        """Return the schema: no key is required, since an environment may inherit it."""
        return {
            "type": "object",
            "properties": {key.name: _described(key) for key in self.keys},
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Named(Generic[T]):
    """A mapping from names that match `pattern` to values of one kind."""

    item: Kind[T]
    noun: str
    pattern: str

    @property
    def expected(self) -> str:
        """What is expected, as in `a mapping, each key the name of a host`."""
        return f"a mapping, each key {self.noun}"

    def kind_of(self, name: str) -> Kind[T] | None:
        """Return the kind of every value."""
        del name
        return self.item

    def read(self, node: Node, home: Place | None) -> Mapping[str, T]:
        """Return the values by name, in order."""
        values: dict[str, T] = {}
        mistakes = Gathered()
        for name, entry in _entries(node, self.expected).items():
            with mistakes:
                self.check_name(name, entry.key)
            with mistakes:
                values[name] = self.item.read(entry.value, home)
        mistakes.report()
        return values

    def check_name(self, name: str, place: Place) -> None:
        """Raise InventoryError when `name` does not match."""
        if re.fullmatch(self.pattern, name) is None:
            raise place.error(f"expected {self.noun}")

    def schema(self) -> Json:
        """Return the schema: the names' pattern and the one kind of value."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.pattern})$"},
            "additionalProperties": self.item.schema(),
        }


def _described(key: Key[object]) -> Json:
    default = key.written_default
    shown = {} if default is None else {"default": default}
    return {"description": key.about, **shown, **key.kind.schema()}


def _entries(node: Node, expected: str) -> Mapping[str, Entry]:
    if isinstance(node, Broken):
        raise InventoryError([])
    if not isinstance(node, Section):
        raise node.place.error(f"expected {expected}, found {found(node)}")
    return node.entries


def _unknown(name: str, known: tuple[str, ...], entry: Entry, parent: Place) -> InventoryError:
    if found(entry.value) == "nothing" and nearest(name, known) is None:
        # It may be the tail of another value, as in {password: a,b}: never repeated.
        key = Place(parent.file, entry.key.line, entry.key.column, parent.path)
        return key.error(f"an unknown key without a value; known here: {', '.join(known)}")
    return entry.key.error(f"unknown key{did_you_mean(name, known, 'known here')}")


def _missing(key: Key[object], parent: Place, home: Place) -> InventoryError:
    depth = len(home.path)
    place = parent if parent.path[:depth] == home.path else home
    path = (*home.path, *parent.path[depth:], key.name)
    missing = Place(place.file, place.line, place.column, path)
    return missing.error(f"missing; expected {key.kind.expected}")
