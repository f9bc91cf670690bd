"""The steps a plan is made of, and the plan.

A step is data: it carries the final text that will be sent, where that text
comes from, and what was found when the plan was made. It performs nothing;
`executor` does, one kind at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from runbook.exports.queries import Query
from runbook.monitor.feeds import Feed


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


@dataclass(frozen=True, kw_only=True)
class Statement(Step):
    """One SQL statement on the writing session, recorded in the ledger.

    `table` is what it is about (its objects are compared before and after);
    `checksum` is that of the file's own statement text.
    """

    change: str
    table: str | None
    checksum: str


@dataclass(frozen=True, kw_only=True)
class Chunks(Statement):
    """A statement run over ranges of an integer key.

    Each range sets `@chunk_from` and `@chunk_to` and is one transaction.
    `span` are the file's own statements that set both to the full range, `key`
    the table's primary key, of which ranges are cut by rows, not by values;
    `resume` is the ledger's row of an interrupted run, which knows how far it came.
    """

    span: tuple[str, ...]
    key: str
    resume: int | None = None

    @property
    def sent(self) -> tuple[str, ...]:
        """The span's statements, then the one that is run over its ranges."""
        return (*self.span, self.text)


@dataclass(frozen=True, kw_only=True)
class Guarded(Statement):
    """A statement that destroys rows: nobody writes its tables while `checks` compare them.

    `opening` are sent first, the last of them takes the locks. Then every row
    of `checks` must have an equal pair, then `drop` is sent, then `closing`,
    however it went. `text` shows them all.
    """

    opening: tuple[str, ...]
    checks: tuple[str, ...]
    drop: str
    closing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Record(Step):
    """A statement that only keeps the ledger true, such as resolving a leftover row."""


@dataclass(frozen=True, kw_only=True)
class Check(Step):
    """Reads of which every row `check_name, expected, actual` must have an equal pair.

    `statements` are run one by one in one read-only session, as `mysql` would.
    """

    changes: ClassVar[bool] = False
    statements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Compare(Step):
    """A table's SHOW CREATE TABLE (`text`) that must equal `expected` (None: no table)."""

    changes: ClassVar[bool] = False
    table: str
    expected: str | None


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
class Proof(Step):
    """A statement that must fail with `sqlstate`, in a transaction that is always rolled back.

    `opening` begin the transaction and bring about what `attempt` needs;
    `diagnose` puts the error's SQLSTATE into the user variable `variable`;
    `closing` rolls back, however it went. All `tables` that are written must be
    able to. `text` shows all of them.
    """

    tables: tuple[str, ...]
    opening: tuple[str, ...]
    attempt: str
    sqlstate: str
    diagnose: str
    variable: str
    closing: str


@dataclass(frozen=True, kw_only=True)
class Trial(Step):
    """A job of the application run once on `where`, and its own report held against the database.

    One read-only session runs `subject`, which chooses what the job is tried
    on (`given` sets @subject, where the operator has chosen) and says so in its
    last row, then `before`. Then `command` is run; the JSON lines of its output
    whose `report_key` is `report` are set as the array @report, and the rows
    of `after` must have equal pairs.
    """

    given: str
    subject: tuple[str, ...]
    before: tuple[str, ...]
    command: str
    report_key: str
    report: str
    after: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Export(Step):
    """The rows of queries, in one snapshot, as files in a folder on a host.

    Each export is a folder of its own in `folder`, called by its time; `text`
    shows all that is sent.
    """

    change: str
    queries: tuple[Query, ...]
    folder: str


@dataclass(frozen=True, kw_only=True)
class Fetch(Step):
    """A file of a host copied to this machine; the checksum is compared."""

    remote: str
    local: str


@dataclass(frozen=True, kw_only=True)
class FetchExport(Fetch):
    """The files of the newest export in the folder `remote`, copied into `local`."""


class Level(StrEnum):
    """How a finding of a look weighs; `pending` is what is not done yet, and nobody's fault."""

    OK = "ok"
    PENDING = "pending"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One thing a look has checked: what, where, how it is, and what to do about it."""

    what: str
    where: str
    level: Level
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, in order; what was found; and what to know first."""

    environment: str
    phase: str
    change: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    """What the writing session sends before the steps, and to which account and address."""
    command: str = ""
    """What a person types to make this plan, without --plan; no part of the digest."""
    next: str = ""
    """What a person types after this plan, where its look can tell; no part of the digest."""
    instead: tuple[Step, ...] = ()
    """What the steps were before somebody took a backup: where these were approved, they run."""

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits over all that will be sent: no secret, time or count."""
        steps = (step.digest for step in self.steps)
        said = (self.environment, self.phase, self.change, *self.session, *steps)
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that forbid this plan to run."""
        return tuple(f for f in self.findings if f.level is Level.REFUSED)

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that are still to be executed and change something."""
        return tuple(step for step in self.steps if step.changes and not step.done)

    @property
    def recorded(self) -> bool:
        """Whether a run of it stands in the ledger."""
        return any(isinstance(s, Statement | Record | Runner) or s.block for s in self.pending)
