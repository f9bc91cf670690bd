"""The files of a log, as a host lists them, and places in them: how far each was read.

A place in a file is its inode and offset, and a checksum of what the file
begins with and of what was last read: inodes are used again, a truncated file
keeps its own, a copy or a compressed file has another. A log is all files that
bear its name and a rotation's ending.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

PACKED = ("gz", "zst", "xz", "bz2")


@dataclass(frozen=True)
class File:
    """A file of the log as the host lists it.

    `size` is in bytes, `modified` and `born` are seconds since 1970 by the
    host's clock (`born` is 0 where unknown). `head` is how it begins,
    unpacked; None where it was not asked for, since it is old.
    """

    name: str
    inode: int
    size: int
    modified: float
    born: float = 0.0
    head: bytes | None = None
    readable: bool = True

    @property
    def packed(self) -> bool:
        """Whether it is compressed: its size says nothing of what is in it."""
        return self.name.rpartition(".")[2] in PACKED


@dataclass(frozen=True)
class Proof:
    """A checksum of some bytes."""

    length: int = 0
    digest: str = ""

    @classmethod
    def of(cls, data: bytes) -> Proof:
        """Return the proof of `data`."""
        return cls(len(data), hashlib.sha256(data).hexdigest()[:32]) if data else cls()

    def begins(self, data: bytes | None) -> bool:
        """Whether `data` begins with the bytes that were proved."""
        return data is not None and Proof.of(data[: self.length]) == self


@dataclass(frozen=True)
class Place:
    """How far one file was read: up to `offset`, in bytes of what it holds unpacked.

    `modified` is when the file was last seen to change. `inside`: the last
    read byte is within a line that was counted. `tried` is a size at which
    there was no further whole line. `packed` is the file's; `ended`: a packed
    one was read to its end.
    """

    inode: int
    offset: int = 0
    head: Proof = Proof()
    mark: Proof = Proof()
    modified: float = 0.0
    inside: bool = False
    tried: int = 0
    packed: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Position:
    """How far a log was read.

    Files that were not written to since `since` (the host's clock) are done
    with. Lines without a time that come now were written after `reached`.
    `missed` is since when the file that was read last is not there; 0 when it is.
    """

    since: float
    reached: float
    places: tuple[Place, ...] = ()
    missed: float = 0.0


@dataclass(frozen=True)
class Read:
    """What to read next: `length` bytes of a file from `start`, which is before the place.

    `settled`: nobody writes to the file any more.
    """

    file: File
    place: Place
    length: int
    settled: bool = False

    @property
    def start(self) -> int:
        """The offset from which to read: what proves the place comes first."""
        return self.place.offset - self.place.mark.length

    def ends(self, data: bytes) -> bool:
        """Whether nothing will ever follow what was read."""
        if self.file.packed:
            return len(data) < self.length
        return self.settled and self.start + len(data) == self.file.size


def names(live: str) -> str:
    """Return an expression, for Python and for bash, that the names of a log's files match.

    `live` is the name that is written to; it may hold `*`.
    """
    stem, dot, ending = live.rpartition(".")
    if not stem:
        stem, dot, ending = live, "", ""
    tail = _expression(dot + ending)
    rotated = "([._-]+([0-9][0-9._:TZ-]*|old|bak))?"
    return f"{_expression(stem)}({rotated}{tail}|{tail}{rotated})(\\.({'|'.join(PACKED)}))?"


def _expression(text: str) -> str:
    """Return what matches a name; escaped for both kinds of expressions."""
    return "".join(".*" if c == "*" else f"\\{c}" if c in ".[]{}()+?|^$\\" else c for c in text)
