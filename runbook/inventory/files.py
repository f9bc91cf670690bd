"""Small files that the inventory names, read without ever waiting for somebody to write them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """The beginning of a file, and its mode."""

    data: bytes
    mode: int


class IrregularError(OSError):
    """It is there and no regular file: a named pipe, a device."""


def beginning(path: Path, longest: int) -> Held:
    """Return the first `longest` bytes of a regular file.

    Raises:
        OSError: it cannot be read, or is none (IrregularError).
        ValueError: a path cannot hold NUL.
    """
    # Without O_NONBLOCK a named pipe would keep us waiting before it can be refused.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise IrregularError(0, "it is not a regular file")
        return Held(file.read(longest), mode)
