"""A watch as JSON, to go on with it after a stop: frozen and plain values of known types."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections import Counter
from dataclasses import dataclass

from runbook.monitor.places import Position
from runbook.monitor.watch import Watch

VERSION = 1


@dataclass(frozen=True)
class Mark:
    """How far a log was read: a file's position, a journal's cursor, or a command's last lines."""

    position: Position | None = None
    since: float = 0.0
    cursor: str = ""
    seen: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """A watch with how far each of its logs was read; both are of one moment."""

    watch: Watch
    marks: dict[str, Mark]
    version: int = VERSION


def text(saved: Saved) -> str:
    """Return what is kept, as JSON."""
    return json.dumps(_plain(saved), ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Saved:
    """Read what `text` returned.

    Raises:
        ValueError: it is something else, or of another version of this program.
    """
    try:
        said = json.loads(text)
        if said["version"] != VERSION:
            raise ValueError("it is of another version of this program")
        return typing.cast(Saved, _typed(Saved, said))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is damaged") from error


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(kind: object, value: object) -> object:
    """Return JSON's value as one of this type; what does not fit raises TypeError."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        return kind(
            **{f.name: _typed(hints[f.name], value[f.name]) for f in dataclasses.fields(kind)}
        )
    if origin in {typing.Union, types.UnionType}:
        return None if value is None else _typed(inner[0], value)
    if origin is Counter and isinstance(value, dict):
        return Counter({_typed(inner[0], key): _typed(int, n) for key, n in value.items()})
    if origin is dict and isinstance(value, dict):
        return {_typed(inner[0], key): _typed(inner[1], item) for key, item in value.items()}
    if origin in {list, tuple} and isinstance(value, list):
        return origin(_typed(inner[0], item) for item in value)
    if kind is int and isinstance(value, str):  # a key
        return int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise TypeError(kind)
