"""Which statements a table cannot take as they are planned, by what it is: pure.

Only what is certain on both servers, in every version that is supported; of all
else nobody but the server knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from runbook.sql.text import algorithm, lock
from runbook.sql.tokens import tokenize

COPYING = frozenset({"MYISAM", "ARIA", "MEMORY", "CSV", "ARCHIVE"})
"""Engines that do nothing online but what changes names and defaults."""
COLUMN = frozenset({("ADD", "COLUMN"), ("DROP", "COLUMN")})
INDEX = frozenset({("ADD", "INDEX"), ("ADD", "KEY"), ("ADD", "UNIQUE")})
REMADE = frozenset({"ENGINE", "ROW_FORMAT", "KEY_BLOCK_SIZE"})
NOT_CERTAIN = frozenset({"GENERATED", "VIRTUAL", "AS", "EXISTS"})
"""A virtual column is stored nowhere, and IF NOT EXISTS may leave nothing to do."""


def impossible(
    engine: str, row_format: str, texts: tuple[str, ...], *, fulltext: bool
) -> Iterator[str]:
    """Yield how each statement wants to be done that a table of this kind will refuse.

    Statements behind one that makes it another kind of table are not judged.
    """
    for text in texts:
        words = [token.word for token in tokenize(text) if not token.depth]
        pairs = frozenset(pairwise(words))
        if REMADE & {*words} or pairs & {("DROP", "INDEX"), ("DROP", "KEY")}:
            return
        wanted = algorithm(text)
        column = bool(pairs & COLUMN) and not NOT_CERTAIN & {*words}
        if engine.upper() in COPYING:
            refused = wanted in {"INSTANT", "INPLACE"} and (column or bool(pairs & INDEX))
        elif engine.upper() != "INNODB" or not column:
            refused = False
        else:
            compressed = row_format.upper() == "COMPRESSED"
            refused = wanted == "INSTANT" and (compressed or fulltext)
            refused = refused or (fulltext and lock(text) == "NONE")
        if refused:
            yield f"ALGORITHM={wanted}" if wanted else f"LOCK={lock(text)}"
