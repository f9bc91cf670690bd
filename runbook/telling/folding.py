"""Host scripts in a preview: a part that is one of this program's own files is shown by its name.

The files in `hosts/scripts/` are the same on every host and in every run; what
differs are the values around them, and those stay whole. A fold tells a file's
checksum, as `sha256sum` prints it, so nothing is left to trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from runbook.hosts import jobs

LEAST = 5
"""A shorter part is quicker read than looked up."""


@dataclass(frozen=True)
class Part:
    """A file of `hosts/scripts/`: the lines that a script has of it."""

    name: str
    lines: tuple[str, ...]
    checksum: str

    def __str__(self) -> str:
        return f"{self.name} ({len(self.lines)} lines, sha256 {self.checksum})"


def folded(text: str) -> Iterator[str | Part]:
    """Yield the lines of a script, with a `Part` in place of the lines of each file."""
    lines = tuple(text.splitlines())
    at = 0
    while at < len(lines):
        part = next((p for p in _parts() if lines[at : at + len(p.lines)] == p.lines), None)
        yield part or lines[at]
        at += len(part.lines) if part else 1


@cache
def _parts() -> tuple[Part, ...]:
    """Return the parts that are worth folding, the longest first."""
    parts = []
    for name, content in jobs.parts().items():
        lines = tuple(content.strip("\n").splitlines())
        if len(lines) >= LEAST:
            checksum = hashlib.sha256(content.encode()).hexdigest()[:12]
            parts.append(Part(f"{jobs.FOLDER}/{name}", lines, checksum))
    return tuple(sorted(parts, key=lambda part: len(part.lines), reverse=True))
