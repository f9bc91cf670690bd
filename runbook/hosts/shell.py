"""Text for a host's shell, as a person could paste it there."""

from __future__ import annotations

import shlex


def script(text: str) -> str:
    """Return a shell command that runs the multi-line bash `text` and leaves stdin free.

    Pasteable as it stands: strict bash reads the script from descriptor 3.
    """
    return f"bash -euo pipefail /dev/fd/3 3<<'RUNBOOK'\n{text.strip()}\nRUNBOOK"


def typed(text: str, limit: float | None = None) -> str:
    """Return a shell command that runs a line of the inventory in bash, whatever the login shell.

    It stops at the first command that fails, also within a pipe; with `limit`
    it is ended after so many seconds (status 124). It is pasteable, and stdin stays free.
    """
    ended = "" if limit is None else f"timeout -k 1 {max(1, round(limit))} "
    return f"{ended}bash -eo pipefail /dev/fd/3 3<<'RUNBOOK'\n{text.strip()}\nRUNBOOK"


def quote(word: str) -> str:
    """Quote one word for a POSIX shell."""
    return shlex.quote(word)
