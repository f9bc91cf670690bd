"""Rows as LOAD DATA reads them by default: tabs, newlines, a backslash before what is special.

NULL is `\\N`, so a text of these two characters is written `\\\\N`; an empty
field is an empty string. Everything else stays byte for byte as it came.
https://dev.mysql.com/doc/refman/8.4/en/load-data.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NULL = rb"\N"
SPECIAL = re.compile(rb"[\0\t\n\\]")
ESCAPED = {b"\0": rb"\0", b"\t": rb"\t", b"\n": rb"\n", b"\\": rb"\\"}


def line(row: Sequence[bytes | None]) -> bytes:
    """Return one row as a line, its newline included."""
    return b"\t".join([NULL if value is None else _field(value) for value in row]) + b"\n"


def _field(value: bytes) -> bytes:
    if SPECIAL.search(value) is None:
        return value
    return SPECIAL.sub(lambda found: ESCAPED[found[0]], value)
