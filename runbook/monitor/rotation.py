"""Where a log's reading is, through every way of rotating it: which bytes come next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runbook.monitor.places import File, Place, Position, Proof, Read

SAMPLE = 512
"""Bytes at a file's beginning, and before a place, that prove it is the same."""
KEPT = 64
"""Places that are remembered."""
SETTLED = 5.0
"""Seconds without a change after which nobody writes to a rotated file any more."""


def adopted(position: Position, files: Iterable[File], live: str) -> Position:
    """Return the position with what the listing tells: files that were truncated, or copied.

    A place whose file has other content now has the inode 0; the copy that
    goes on with that content has its place from then on.
    """
    listed = {file.inode: file for file in files}
    places = tuple(
        place
        if place.inode not in listed or _holds(place, listed[place.inode])
        else replace(place, inode=0)
        for place in position.places
    )
    present = {place.inode for place in places if place.inode in listed}
    left = [place for place in places if place.inode not in present]
    for file in listed.values():
        if file.inode in present or file.name == live or _making(file, listed.values(), live):
            continue
        matching = (p for p in reversed(left) if p.head.length and p.head.begins(file.head))
        if (source := next(matching, None)) is not None:
            left.remove(source)
            moved = replace(source, inode=file.inode, tried=0, packed=file.packed, ended=False)
            places = (*(place for place in places if place is not source), moved)
    return replace(position, places=places)


def next_read(
    position: Position, files: Iterable[File], live: str, clock: float, length: int
) -> Read | None:
    """Return what to read next, oldest first; None when all that there is was read.

    `position` has adopted this listing. `live` is the name that the application
    writes to (the newest file where it is a pattern), `clock` the host's.
    """
    listed = sorted(files, key=lambda file: (file.name == live, file.modified, file.name))
    known = {place.inode: place for place in position.places}
    for file in listed:
        place = known.get(file.inode)
        if place is None:
            old = file.modified < int(position.since) - 1
            if file.name != live and (old or _making(file, listed, live)):
                continue
            place = Place(file.inode, head=_head(file), packed=file.packed)
        if not file.readable or (file.packed and place.ended):
            continue
        settled = file.packed or (file.name != live and clock - file.modified > SETTLED)
        seen = place.offset if settled else max(place.offset, place.tried)
        if file.packed or file.size > seen:
            return Read(file, place, length + place.mark.length, settled)
    return None


def check(read: Read, data: bytes) -> bytes | None:
    """Return the new bytes of what was read; None when the place is not in this file any more."""
    proof, head = read.place.mark, read.file.head
    if not proof.begins(data):
        return None
    if not read.start and head and not (data.startswith(head) or head.startswith(data)):
        return None
    return data[proof.length :]


def doubted(position: Position, read: Read) -> Position:
    """Return the position after a place proved to be of other content, though it seemed to hold.

    That file begins anew; the place is kept as that of a file that is gone,
    since a copy of it may turn up.
    """
    if read.place not in position.places:
        return position  # the listing has told already
    others = tuple(place for place in position.places if place != read.place)
    gone, anew = replace(read.place, inode=0), Place(read.file.inode, packed=read.file.packed)
    return replace(position, places=(gone, *others, anew))


def advanced(position: Position, read: Read, data: bytes, used: int, inside: bool) -> Position:
    """Return the position after `used` of the new bytes were dealt with.

    `data` is what was read, its proof included.
    """
    place, file = read.place, read.file
    done = place.mark.length + used
    offset = place.offset + used
    moved = Place(
        inode=file.inode,
        offset=offset,
        head=_head(file, place),
        modified=file.modified,
        mark=Proof.of(data[max(0, done - SAMPLE) : done]),
        inside=inside,
        tried=0 if used else read.start + len(data),
        packed=file.packed,
        ended=file.packed and read.ends(data),
    )
    others = tuple(p for p in position.places if p.inode != file.inode)
    reached = _reached(position, file, place.offset, offset)
    return replace(position, reached=reached, places=(*others, moved))


def span(position: Position, read: Read, count: int) -> tuple[float, float]:
    """Return between which times the next `count` new bytes were written, evenly spread."""
    offset = read.place.offset
    start = _start(position, read.file, offset)
    return start, _reached(position, read.file, offset, offset + count)


def settled(position: Position, files: Iterable[File], live: str, clock: float) -> Position:
    """Return the position when nothing is left to read, at `clock`."""
    present = {file.inode: file.modified for file in files}
    kept = [
        replace(place, modified=present[place.inode])
        for place in position.places
        if place.inode in present
    ]
    gone = [place for place in position.places if place.inode not in present]
    # A file that was not settled may still get lines, and its last line may be whole by then.
    unsettled = [
        file.modified
        for file in files
        if file.name != live and not file.packed and 0 <= clock - file.modified <= SETTLED
    ]
    since = min([clock, *unsettled])
    places = (*gone[-4:], *kept)[-KEPT:]
    return replace(position, since=max(position.since, since), reached=clock, places=places)


def asked_since(position: Position) -> float:
    """Return from which change on the host must show how files begin."""
    last = position.places[-1].modified if position.places else position.since
    return min(position.since, last) - 2


def found(position: Position, files: Iterable[File], clock: float) -> tuple[Position, bool]:
    """Return the position, and whether the file that was read last is nowhere any more.

    It may have had more lines. A file that is renamed while a host lists its
    files is missing for a moment only.
    """
    last = position.places[-1] if position.places else None
    if (
        last is None
        or not last.offset
        or any(file.inode == last.inode or last.head.begins(file.head) for file in files)
    ):
        return replace(position, missed=0.0), False
    if not position.missed:
        return replace(position, missed=clock), False
    if clock - position.missed <= SETTLED:
        return position, False
    return replace(position, places=position.places[:-1], missed=0.0), True


def _making(file: File, files: Iterable[File], live: str) -> bool:
    """Whether a file is only being made: copied from the log, or packed from one that is there."""
    if file.packed:
        return any(f.name == file.name.rpartition(".")[0] for f in files)
    source = next((f for f in files if f.name == live and f.inode != file.inode), None)
    if source is None or not source.head or not file.head:
        return False
    return file.size <= source.size and source.head.startswith(file.head)


def _holds(place: Place, file: File) -> bool:
    """Whether a file with the place's inode still has the content that was read."""
    if file.packed != place.packed:
        return False  # another file has the inode now
    if file.head is not None and not place.head.begins(file.head):
        return False
    return file.packed or file.size >= place.offset


def _head(file: File, before: Place | None = None) -> Proof:
    if file.head is None and before is not None:
        return before.head
    return Proof.of(file.head or b"")


def _start(position: Position, file: File, offset: int) -> float:
    return max(position.reached, file.born if not offset else 0.0)


def _reached(position: Position, file: File, offset: int, to: int) -> float:
    """Return the time that lies at byte `to`, when bytes come evenly until the last change."""
    start = _start(position, file, offset)
    end = max(start, file.modified)
    left = file.size - offset
    return (
        end if file.packed or left <= 0 else start + (end - start) * min(1.0, (to - offset) / left)
    )
