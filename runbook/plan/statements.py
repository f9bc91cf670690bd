"""The steps about the database: statements, what is read to compare, and exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runbook.exports.queries import Query
from runbook.plan.steps import Step


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
    last row, then `before`. All that begins once `free` ends well on the host:
    an earlier run of the job may go on after its connection died, and what it
    changes would be taken for ours. Then `command` is run; the JSON lines of its output
    whose `report_key` is `report` are set as the array @report, and the rows
    of `after` must have equal pairs.
    """

    given: str
    subject: tuple[str, ...]
    before: tuple[str, ...]
    free: str
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
