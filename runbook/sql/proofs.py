"""What a change's `proof/` files try: a statement that must fail, and what it needs before.

Each file is a transaction of its own that ends with ROLLBACK; nothing in it may
commit, since it is tried on the real table.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.errors import UsageError
from runbook.sql.change import SqlFile
from runbook.sql.statements import Statement
from runbook.sql.text import is_read, leading_keywords, target

BEGIN = "START TRANSACTION"
UNDO = "ROLLBACK"
SQLSTATE = "45000"
WRITES = {("INSERT",), ("UPDATE",), ("DELETE",), ("REPLACE",)}


@dataclass(frozen=True)
class Attempt:
    """A file's statements: `opening` ones, then the one that must fail.

    `tables` are all that are written, first the one that the attempt is about;
    all must be able to roll back.
    """

    file: SqlFile
    opening: tuple[str, ...]
    statement: str
    tables: tuple[str, ...]


def read(file: SqlFile) -> Attempt:
    """Return what a file tries.

    Raises:
        UsageError: it is not one transaction of reads, INSERT, UPDATE and DELETE
            that ends with ROLLBACK.
    """
    texts = [" ".join(s.text.upper().split()) for s in file.statements]
    if len(texts) < 3 or texts[0] != BEGIN or texts[-1] != UNDO:
        raise _wrong(file.path, f"it must begin with {BEGIN} and end with {UNDO}")
    *opening, attempt = file.statements[1:-1]
    written = [_written(s) for s in opening if not is_read(s.text)]
    tables = tuple(dict.fromkeys((_written(attempt), *written)))
    return Attempt(file, (BEGIN, *(s.text for s in opening)), attempt.text, tables)


def _written(statement: Statement) -> str:
    """Return the one table that a statement writes, in a way that can be rolled back."""
    kind, table = leading_keywords(statement.text)[:1], target(statement.text)
    if kind in WRITES and table:
        return table
    raise _wrong(statement.source, "neither a read nor a write of one table's rows")


def _wrong(where: str, problem: str) -> UsageError:
    return UsageError(f"{where}: {problem}", advice="sql/README.md says what a proof may do.")
