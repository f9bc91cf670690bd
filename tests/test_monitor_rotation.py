"""Every line of a rotated log is read once: a model of a folder under every way of rotating."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runbook.monitor import rotation
from runbook.monitor.harvest import Reading, harvest
from runbook.monitor.lines import Severity
from runbook.monitor.rotation import SAMPLE, File, Position

LIVE = "api.log"
HOW = Reading(Severity.ERROR, Severity.ERROR, 0.0, 0.0, 0.0, 1.0)


@dataclass
class Node:
    """A file of the model: its name may change, its inode does not."""

    inode: int
    data: bytes = b""
    modified: float = 0.0
    packed: bool = False


@dataclass
class Folder:
    """A folder in which inodes are used again as soon as they are free."""

    clock: float = 1000.0
    nodes: dict[str, Node] = field(default_factory=dict)
    hidden: list[Node] = field(default_factory=list)

    def create(self, name: str) -> Node:
        """Make an empty file."""
        used = {node.inode for node in (*self.nodes.values(), *self.hidden)}
        node = Node(next(n for n in range(1, 100) if n not in used), modified=self.clock)
        self.nodes[name] = node
        return node

    def write(self, node: Node, data: bytes) -> None:
        """Append to a file, whatever its name is by now."""
        node.data += data
        node.modified = self.clock

    def listed(self) -> list[File]:
        """Return what the host would list."""
        return [
            File(
                name,
                node.inode,
                len(node.data) // 3 if node.packed else len(node.data),
                node.modified,
                head=node.data[:SAMPLE],
            )
            for name, node in self.nodes.items()
        ]

    def shift(self) -> None:
        """Give every rotated file the next number, the oldest first."""
        numbered = sorted(
            (int(name.removeprefix(LIVE + ".").removesuffix(".gz")), name)
            for name in self.nodes
            if name != LIVE
        )
        for number, name in reversed(numbered):
            self.nodes[name.replace(f".{number}", f".{number + 1}", 1)] = self.nodes.pop(name)


class Rotated(RuleBasedStateMachine):
    """An application that writes, a logrotate that rotates, and a reader that looks in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Folder()
        self.writer = self.folder.create(LIVE)
        self.position = Position(since=0.0, reached=0.0)
        self.written: list[bytes] = []
        self.read: list[bytes] = []
        self.number = 0
        self.rest = b""
        self.copy: Node | None = None
        self.packing: str | None = None
        self.reopens = False

    def line(self, size: int) -> bytes:
        """Return a new line; no two are alike."""
        self.number += 1
        text = f"{self.number:06d} error " + "x" * size + "\n"
        self.written.append(text.encode())
        return text.encode()

    @rule(count=st.integers(1, 12), size=st.integers(0, 300), cut=st.booleans())
    def write(self, count: int, size: int, cut: bool) -> None:
        """Write lines, the last of them perhaps only in part."""
        data = self.rest + b"".join(self.line(size) for _ in range(count))
        self.rest = data[-3:] if cut else b""
        self.folder.write(self.writer, data[: len(data) - len(self.rest)])

    @rule(seconds=st.sampled_from([0.01, 0.5, 3.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass; nobody stops for long within a line."""
        if seconds > 1:
            self.folder.write(self.writer, self.rest)
            self.rest = b""
        self.folder.clock += seconds

    @precondition(lambda self: self.copy is None and self.packing is None and not self.reopens)
    @rule(late=st.booleans())
    def rename(self, late: bool) -> None:
        """Rename the log and make a new one; the writer may go on in the old for a while."""
        self.folder.shift()
        self.folder.nodes[LIVE + ".1"] = self.folder.nodes.pop(LIVE)
        self.folder.create(LIVE)
        self.reopens = True
        if not late:
            self.reopen()

    @precondition(lambda self: self.reopens)
    @rule()
    def reopen(self) -> None:
        """The writer notices, ends its line, and goes on in the new file."""
        if self.rest:
            self.folder.write(self.writer, self.rest)
            self.rest = b""
        self.writer = self.folder.nodes[LIVE]
        self.reopens = False

    @precondition(lambda self: self.copy is None and self.packing is None and not self.reopens)
    @rule()
    def begin_copy(self) -> None:
        """Copytruncate begins: half of the log is copied."""
        self.folder.shift()
        self.copy = self.folder.create(LIVE + ".1")
        self.folder.write(self.copy, self.writer.data[: len(self.writer.data) // 2])

    @precondition(lambda self: self.copy is not None)
    @rule()
    def end_copy(self) -> None:
        """The rest is copied, and the log truncated at once: nothing is lost in between."""
        assert self.copy is not None
        self.folder.write(self.writer, self.rest)  # a line is cut in two only by a writer
        self.rest = b""
        self.folder.write(self.copy, self.writer.data[len(self.copy.data) :])
        self.writer.data = b""
        self.writer.modified = self.folder.clock
        self.copy = None

    @precondition(lambda self: self.packing is None and self.copy is None and not self.reopens)
    @rule()
    def begin_packing(self) -> None:
        """A compressed file begins to grow beside the one it will replace."""
        plain = [n for n in self.folder.nodes if n != LIVE and not n.endswith(".gz")]
        if plain:
            self.packing = max(plain)
            data = self.folder.nodes[self.packing].data
            packed = self.folder.create(self.packing + ".gz")
            packed.packed = True
            packed.data = data[: len(data) // 2]

    @precondition(lambda self: self.packing is not None)
    @rule()
    def end_packing(self) -> None:
        """The compressed file is whole, has the old one's time, and the old one is gone."""
        assert self.packing is not None
        packed, plain = (self.folder.nodes[self.packing + e] for e in (".gz", ""))
        packed.data, packed.modified = plain.data, plain.modified
        del self.folder.nodes[self.packing]
        self.packing = None

    @rule(length=st.integers(400, 3000), times=st.integers(1, 6))
    def look(self, length: int, times: int) -> None:
        """Read a few pieces, as much as a stop or a slow line allows."""
        for _ in range(times):
            if not self.step(length):
                return

    def step(self, length: int) -> bool:
        """Read one piece; return whether there was anything to read."""
        clock, files = self.folder.clock, self.folder.listed()
        self.position = rotation.adopted(self.position, files, LIVE)
        read = rotation.next_read(self.position, files, LIVE, clock, length)
        if read is None:
            assert not rotation.lost(self.position, files)
            self.position = rotation.settled(self.position, files, LIVE, clock)
            return False
        node = self.folder.nodes[read.file.name]
        data = node.data[read.start : read.start + read.length]
        fresh = rotation.check(read, data)
        if fresh is None:
            self.position = rotation.forget(self.position, read)
            return True
        got = harvest(fresh, replace(HOW, final=read.ends(data), inside=read.place.inside))
        self.read += fresh[: got.used].splitlines(keepends=True)
        self.position = rotation.advanced(self.position, read, data, got.used, got.inside)
        return True

    @invariant()
    def nothing_twice(self) -> None:
        """No line was read twice."""
        assert not [line for line, times in Counter(self.read).items() if times > 1]

    def teardown(self) -> None:
        """In the end every line was read."""
        if self.copy:
            self.end_copy()
        if self.packing:
            self.end_packing()
        if self.reopens:
            self.reopen()
        self.folder.write(self.writer, self.rest)
        self.folder.clock += 60
        for _ in range(10_000):
            if not self.step(1000):
                break
        assert sorted(self.read) == sorted(self.written)


Rotated.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
test_every_line_is_read_once = pytest.mark.timeout(120)(Rotated.TestCase)
