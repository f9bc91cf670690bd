"""What a change's `watch/` files ask: the rows of a table as key and digest, and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.errors import UsageError
from runbook.sql.change import SqlFile
from runbook.sql.statements import Statement
from runbook.sql.text import is_read, user_variables
from runbook.sql.tokens import tokenize

RANGE = frozenset({"watch_from", "watch_to"})
DIGEST, DATE = "row_hash", "row_at"


@dataclass(frozen=True)
class Table:
    """A watched table: `span` sets the full range of its keys, `select` yields key and digest.

    A `dated` one yields when the row says that it came into being, too.
    """

    name: str
    span: tuple[str, ...]
    select: str
    dated: bool = False


@dataclass(frozen=True)
class Questions:
    """What the watch asks: tables row by row, and checks whose rows must have equal pairs."""

    tables: tuple[Table, ...]
    checks: tuple[str, ...]


def read(files: tuple[SqlFile, ...]) -> Questions:
    """Return what the files ask.

    Raises:
        UsageError: a file is neither a table (two reads that set the range, then one
            SELECT within it) nor checks.
    """
    tables = tuple(_table(file) for file in files if _is_table(file))
    checks = tuple(
        _read_only(statement, frozenset())
        for file in files
        if not _is_table(file)
        for statement in file.statements
    )
    return Questions(tables, checks)


def _is_table(file: SqlFile) -> bool:
    return any(t.identifier == DIGEST for s in file.statements for t in tokenize(s.text))


def _table(file: SqlFile) -> Table:
    if not re.fullmatch(r"\w+", file.stem):
        raise _wrong(file.path, "its name is a folder's on the host: letters, digits and _")
    *span, last = file.statements
    ranged = frozenset().union(*(user_variables(s.text) for s in span))
    if ranged != RANGE or user_variables(last.text) != RANGE:
        raise _wrong(file.path, "two reads set @watch_from and @watch_to, one SELECT keeps to them")
    reads = tuple(_read_only(statement, RANGE) for statement in span)
    dated = any(token.identifier == DATE for token in tokenize(last.text))
    return Table(file.stem, reads, _read_only(last, RANGE), dated)


def _read_only(statement: Statement, variables: frozenset[str]) -> str:
    if is_read(statement.text) and user_variables(statement.text) <= variables:
        return statement.text
    raise _wrong(statement.source, "the watch only reads, and knows no variables but its range")


def _wrong(where: str, problem: str) -> UsageError:
    return UsageError(f"{where}: {problem}", advice="sql/README.md says what a watch may ask.")
