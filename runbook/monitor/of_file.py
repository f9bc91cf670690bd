"""A log that is a file: listed with its rotations, and read where it was left."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import replace

from runbook.monitor import places, rotation
from runbook.monitor.harvest import NOTHING, Harvest, Reading, harvest
from runbook.monitor.places import File, Place, Position, Proof, Read
from runbook.monitor.replies import Reply, Taken, Terms
from runbook.monitor.rotation import SAMPLE

PACKING = 10
"""What a packed file holds is taken for so many times its size."""


class FileSource:
    """The file called `name` (with `*` for what changes in it) and its rotations.

    At first at most `history` bytes are read, the newest.
    """

    def __init__(self, name: str, position: Position, history: int) -> None:
        self.position = position
        self.files: tuple[File, ...] = ()
        """Those of the last listing."""
        self._name = name
        self._names = re.compile(places.names(name))
        self._history = history
        self._wanted: Read | None = None
        self._heads: dict[int, File] = {}
        self._headless: set[int] = set()

    def ask(self, length: int) -> str:
        """Return what to send: which files should show how they begin, and what to read."""
        inodes = " ".join(str(inode) for inode in sorted(self._headless))
        lines = [f"heads {inodes}"]
        if read := self._wanted:
            read = replace(read, length=length + read.place.mark.length)
            self._wanted = read
            lines.append(f"read {read.file.inode} {read.start} {read.length} {read.file.name}")
        return "\n".join(lines) + "\n"

    def take(self, reply: Reply, terms: Terms) -> Taken:
        """Take in a listing and what was read, and decide what to read next."""
        read, self._wanted = self._wanted, None
        since, got = self.position.reached, NOTHING
        wrong = False
        if read is not None and reply.data is not None:
            taken = self._read(read, reply, terms)
            wrong = taken is None and len(reply.data) >= read.place.mark.length
            got = taken or NOTHING
        files = self._listed(reply.listing, read if got is not NOTHING else None, reply.data or b"")
        self.files = tuple(files)
        live = _live(files, self._name)
        gap, more = self._decide(files, live, reply.clock, read if wrong else None)
        known = read is not None and (read.file.born or read.place.offset)
        return Taken(
            reply.clock,
            got,
            more=more,
            since=max(since, read.file.born) if read is not None and known else None,
            problem=_problem(files, live),
            gap=gap,
        )

    def _decide(
        self, files: list[File], live: str, clock: float, wrong: Read | None
    ) -> tuple[bool, bool]:
        """Decide what to ask for next; return whether lines may be lost, and whether more is there.

        `wrong` was read and is not what followed its place.
        """
        if any(file.head is None and file.inode in self._headless for file in files):
            return False, True  # first it must be seen how they begin
        if not self.position.places:
            self.position = newest(self.position, files, self._history)
        self.position = rotation.adopted(self.position, files, live)
        if wrong is not None:
            self.position = rotation.doubted(self.position, wrong)
        self.position, gap = rotation.found(self.position, files, clock)
        self._wanted = rotation.next_read(self.position, files, live, clock, SAMPLE)
        if self._wanted is not None:
            return gap, True
        if any(file.name == live for file in files):  # else it may just be renamed, unread
            self.position = rotation.settled(self.position, files, live, clock)
        self._wanted = _still(self.position, files, live)
        return gap, False

    def _listed(self, listing: Iterable[bytes], read: Read | None, data: bytes) -> list[File]:
        """Return the files, each with how it begins, as far as that is known and matters.

        The listing was made before `data` was read. `_headless` is what the
        next one must show: files that changed, and the one that is written to.
        """
        since = rotation.asked_since(self.position)
        files, self._headless = [], set()
        for listed in _files(listing, self._names):
            file, seen = listed, self._heads.get(listed.inode)
            if file.head is not None:
                self._heads[file.inode] = file
            elif seen and replace(seen, head=None) == file:
                file = seen
            elif file.readable and file.modified >= since:
                self._headless.add(file.inode)
            if read is not None and file.inode == read.file.inode and not file.packed:
                file = replace(file, size=max(file.size, read.start + len(data)))
            files.append(file)
        live = _live(files, self._name)
        self._headless |= {file.inode for file in files if file.name == live and file.readable}
        self._heads = {
            file.inode: self._heads[file.inode] for file in files if file.inode in self._heads
        }
        return files

    def _read(self, read: Read, reply: Reply, terms: Terms) -> Harvest | None:
        """Take in what was read; None when it is not what follows the place."""
        data = reply.data or b""
        fresh = rotation.check(read, data)
        if fresh is None:
            return None
        start, end = rotation.span(self.position, read, len(fresh))
        how = Reading(
            otherwise=terms.otherwise,
            least=terms.least,
            zone=reply.zone,
            now=reply.clock,
            start=start,
            end=end,
            inside=read.place.inside,
            final=read.ends(data),
        )
        got = harvest(fresh, how)
        self.position = rotation.advanced(self.position, read, data, got.used, got.inside)
        return got


def newest(position: Position, files: Iterable[File], most: int) -> Position:
    """Return the first position: of all that was written since `since`, the newest `most` bytes."""
    left = most
    places = []
    for file in sorted(files, key=lambda file: file.modified, reverse=True):
        size = file.size * PACKING if file.packed else file.size
        if file.modified < position.since or size <= left:
            left -= size if file.modified >= position.since else 0
            continue
        skipped = 0 if file.packed else file.size - left
        head = Proof.of(file.head or b"")
        ended = file.packed or left <= 0
        offset = file.size if ended and not file.packed else skipped
        place = Place(file.inode, offset, head, inside=not ended, packed=file.packed, ended=ended)
        places.append(place)
        left = 0
    return replace(position, places=tuple(places))


def _files(listing: Iterable[bytes], names: re.Pattern[str]) -> list[File]:
    """Read the listing; a file under two names counts once."""
    found: dict[int, File] = {}
    for line in listing:
        try:
            word, inode, size, changed, born, head, name = line.split(b" ", 6)
            if word != b"file" or not names.fullmatch(text := name.decode()):
                continue
            file = File(
                name=text,
                inode=int(inode),
                size=int(size),
                modified=float(changed),
                born=max(0.0, float(born)),
                head=_head(head),
                readable=head != b"!",
            )
        except (ValueError, binascii.Error):
            continue
        if file.inode not in found or len(text) < len(found[file.inode].name):
            found[file.inode] = file
    return list(found.values())


def _head(shown: bytes) -> bytes | None:
    if shown in {b"-", b"!"}:
        return None
    return b"" if shown == b"=" else base64.b64decode(shown)


def _live(files: Iterable[File], name: str) -> str:
    """Return the name that is written to: the newest one where it is a pattern."""
    if "*" not in name:
        return name
    plain = [file for file in files if not file.packed]
    return max(plain, key=lambda file: (file.modified, file.name)).name if plain else ""


def _still(position: Position, files: Iterable[File], live: str) -> Read | None:
    """Return what is asked for when all was read: what may have come to the file by then."""
    places = {place.inode: place for place in position.places}
    for file in files:
        if file.name == live and file.readable and file.inode in places:
            return Read(file, places[file.inode], SAMPLE)
    return None


def _problem(files: Iterable[File], live: str) -> str:
    file = next((file for file in files if file.name == live), None)
    if file is None:
        return "there is no such file"
    return "" if file.readable else f"{live} cannot be read: its permissions forbid it"
