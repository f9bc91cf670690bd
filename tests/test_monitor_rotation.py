"""Every line of a rotated log is read once: a model of a folder under every way of rotating."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runbook.monitor.lines import Severity
from runbook.monitor.of_file import FileSource
from runbook.monitor.places import Position
from runbook.monitor.replies import Reply, Terms
from runbook.monitor.rotation import SAMPLE

LIVE = "api.log"
TERMS = Terms(Severity.ERROR, Severity.ERROR)


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

    def answer(self, asked: str, meanwhile: Callable[[], None], missing: str) -> Reply:
        """Return what the host would send; `meanwhile` happens between its list and its bytes.

        `missing` was being renamed when the list was made.
        """
        wanted = dict(line.split(" ", 1) for line in asked.splitlines())
        listing = [
            f"file {node.inode} {len(node.data) // 3 if node.packed else len(node.data)}"
            f" {int(node.modified)} 0 {_head(node, wanted['heads'])} {name}"
            for name, node in self.nodes.items()
            if name != missing
        ]
        meanwhile()
        data = None
        if "read" in wanted:
            inode, start, length, name = wanted["read"].split()
            node = self.nodes.get(name)
            if node is not None and node.inode == int(inode):
                data = node.data[int(start) : int(start) + int(length)]
        return Reply(self.clock, 0.0, tuple(line.encode() for line in listing), data)

    def shift(self) -> None:
        """Give every rotated file the next number, the oldest first."""
        numbered = sorted(
            (int(name.removeprefix(LIVE + ".").removesuffix(".gz")), name)
            for name in self.nodes
            if name != LIVE
        )
        for number, name in reversed(numbered):
            self.nodes[name.replace(f".{number}", f".{number + 1}", 1)] = self.nodes.pop(name)


def _head(node: Node, wanted: str) -> str:
    if str(node.inode) not in wanted.split():
        return "-"
    return base64.b64encode(node.data[:SAMPLE]).decode() or "="


class Rotated(RuleBasedStateMachine):
    """An application that writes, a logrotate that rotates, and a reader that looks in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Folder()
        self.writer = self.folder.create(LIVE)
        self.source = FileSource(LIVE, Position(since=0.0, reached=0.0), 1 << 40)
        self.written: list[str] = []
        self.read: list[str] = []
        self.number = 0
        self.rest = b""
        self.copy: Node | None = None
        self.packing: str | None = None
        self.reopens = False

    @property
    def idle(self) -> bool:
        """Whether no rotation is going on."""
        return self.copy is None and self.packing is None and not self.reopens

    def line(self, size: int) -> bytes:
        """Return a new line; no two have the same shape."""
        self.number += 1
        name = "".join(chr(ord("a") + int(digit)) for digit in f"{self.number:06d}")
        self.written.append(f"{name} of {'x' * size}".strip())
        return f"ERROR {self.written[-1]}\n".encode()

    @rule(count=st.integers(1, 12), size=st.integers(1, 140), cut=st.booleans())
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

    @precondition(lambda self: self.idle)
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

    @precondition(lambda self: self.idle)
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

    @precondition(lambda self: self.idle)
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

    @rule(
        length=st.integers(600, 3000),
        times=st.integers(1, 6),
        kept=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "write", "copy", "rename", "missing"]),
    )
    def look(self, length: int, times: int, kept: bool, meanwhile: str) -> None:
        """Read a few pieces, one as something happens; a stop keeps only the position."""
        for turn in range(times):
            if not self.step(length, meanwhile if turn == times // 2 else ""):
                break
        if kept:
            self.source = FileSource(LIVE, self.source.position, 1 << 40)

    def happen(self, what: str) -> None:
        """Let something happen, if it can just now."""
        if what == "write":
            self.write(3, 50, cut=False)
        elif what == "copy" and self.copy is not None:
            self.end_copy()
        elif what == "copy" and self.idle:
            self.begin_copy()
            self.end_copy()
            self.write(2, 50, cut=False)
        elif what in {"rename", "missing"} and self.idle:
            self.rename(late=False)
            self.write(1, 50, cut=False)

    def step(self, length: int, meanwhile: str = "") -> bool:
        """Ask once; return whether there is more to read."""
        asked = self.source.ask(length)
        missing = LIVE if meanwhile == "missing" and self.idle else ""
        answer = self.folder.answer(asked, lambda: self.happen(meanwhile), missing)
        taken = self.source.take(answer, TERMS)
        assert not taken.gap
        self.read += [event.shape for event in taken.harvest.events]
        return taken.more

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
            if not self.step(1000) and not self.step(1000):
                break
        assert Counter(self.read) == Counter(self.written)


class RotatedLong(Rotated):
    """The same, for longer."""


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )


Rotated.TestCase.settings = _settings(50, 30)
RotatedLong.TestCase.settings = _settings(1000, 60)
test_every_line_is_read_once = Rotated.TestCase
test_every_line_is_read_once_for_long = pytest.mark.wide(RotatedLong.TestCase)
