"""The steps a plan is made of, but for those about the database.

A step is data: it carries the final text that will be sent, where that text
comes from, and what was found when the plan was made. It performs nothing;
`executor` does, one kind at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Step:
    """What every kind of step says.

    `text` is exactly what is sent to `where` (a host, or the database).
    `found` and `cost` are for the reader and are no part of the digest:
    they hold counts and estimates. A `done` step was so already: it is shown
    and not executed. `timeout` is in seconds, and so are `estimate`, how long it
    may take (None where nobody knows), and `undo`, how long to undo it may.

    Steps of one `block` are put back together: a step that `rescues` a block is
    performed only once a step of that block has failed. One that is in a block
    itself waits for that block to have begun to change its host.
    """

    changes: ClassVar[bool] = True
    locked: ClassVar[bool] = True
    """Whether it needs the environment's lock; steps that don't stand at a plan's end."""

    phase: str
    title: str
    where: str
    text: str
    origin: str = ""
    found: str = ""
    cost: str = ""
    done: bool = False
    timeout: float = 3600.0
    estimate: float | None = None
    undo: float = 0.0
    block: str = ""
    rescues: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits over what this step will send, and where."""
        when = ("rescue",) if self.rescues else ()
        said = (type(self).__name__, self.phase, self.where, *self.sent, str(self.done), *when)
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]

    @property
    def sent(self) -> tuple[str, ...]:
        """Every text that this step will send."""
        return (self.text,)


@dataclass(frozen=True, kw_only=True)
class Command(Step):
    """A command on a host that must exit 0; its standard output is kept.

    With `credentials` it gets the database account's `[client]` section on
    standard input, so that no secret is in its text.
    """

    credentials: bool = False


@dataclass(frozen=True, kw_only=True)
class Inspect(Command):
    """A command that only reads."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class Expect(Inspect):
    """A command that only reads, and whose whole output must be `expected`."""

    expected: str


@dataclass(frozen=True, kw_only=True)
class Wait(Inspect):
    """Asks until a host is well: every one of `checks` exits 0, and `report` prints `expected`.

    It is asked `every` so many seconds, must be so for `steady` seconds without
    a break, and may take `timeout` seconds to be. When it is not, `logs` tells
    what the host last said, if anything does.
    """

    checks: tuple[str, ...]
    report: str
    logs: str
    expected: str
    every: float
    steady: float

    @property
    def sent(self) -> tuple[str, ...]:
        """Every check, what must print the expected, and what is sent when a host is not well."""
        return (*self.checks, self.report, *((self.logs,) if self.logs else ()))


@dataclass(frozen=True, kw_only=True)
class Survey(Step):
    """Asks hosts at once, each its own text; where one is given, all must answer `expected`."""

    changes: ClassVar[bool] = False
    asked: tuple[tuple[str, str], ...]
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class Scan(Inspect):
    """A command that says as a JSON line what it found: exit status 1 is an alert, not a failure.

    Its last line says it for people.
    """


@dataclass(frozen=True, kw_only=True)
class Baseline(Scan):
    """A scan that takes what is there as what is to stay."""

    changes: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Job(Command):
    """A detached command: `text` starts it, or finds it running, and returns.

    `watch` prints the job's state (see `jobs`). The job survives a lost
    connection; the next run re-attaches.
    """

    watch: str
    unit: str = "bytes"


@dataclass(frozen=True, kw_only=True)
class Suite(Job):
    """A detached command that runs tests, and leaves a report of them beside its log.

    `watch` reads from standard input how many bytes of the log are known, and
    prints the job's state, the log's lines behind those, and the report once
    it has ended. The report decides how the step ends, not the exit status alone.
    """


@dataclass(frozen=True, kw_only=True)
class Runner(Job):
    """The application's own command that migrates; its exit status decides nothing.

    What it adds to `tables` is recorded in the ledger. `fills` are the
    statements that change rows and are left to it: where they stand, and the
    checksum of their file. `checksum` is that of its command.
    """

    change: str
    checksum: str
    tables: tuple[str, ...]
    fills: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Feed:
    """One log on one host.

    `text` lists it and sends more of it; from where on comes on standard input.
    """

    host: str
    log: str
    text: str

    @property
    def key(self) -> str:
        """What it is called among all feeds."""
        return f"{self.host} {self.log}"


@dataclass(frozen=True, kw_only=True)
class Follow(Step):
    """Follows logs, each asked for by its feed's text again and again, and judges them.

    It lasts `hours`, or with `once` until all that there is now was read. It
    goes on with what an earlier one has kept, unless it is to be `fresh`.
    """

    changes: ClassVar[bool] = False
    locked: ClassVar[bool] = False
    feeds: tuple[Feed, ...]
    hours: float
    once: bool = False
    fresh: bool = False


@dataclass(frozen=True, kw_only=True)
class Ask(Step):
    """A question to the operator, or its `answer` given beforehand; `no` or nothing stops."""

    changes: ClassVar[bool] = False
    answer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Skip(Step):
    """A phase that is left out; `text` is why."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class Fetch(Step):
    """A file of a host copied to this machine; the checksum is compared."""

    remote: str
    local: str


@dataclass(frozen=True, kw_only=True)
class FetchExport(Fetch):
    """The files of an export in the folder `remote`, copied into `local`.

    It is the one that is called `kept`, or else the one that this run makes.
    """

    kept: str = ""
