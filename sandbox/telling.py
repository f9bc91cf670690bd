"""What the sandbox's commands say: lines for people, or with --json one document.

It is none of a phase's documents, since there is no environment, plan or run
here; README.md has its keys.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox


@dataclass
class Telling:
    """How one command ends: in words, and with what is there then."""

    command: str
    as_json: bool
    message: str = ""
    next: str = ""
    sandbox: Sandbox | None = None

    def say(self, text: str) -> None:
        """Print lines for people."""
        if not self.as_json:
            print(text)

    def end(self, message: str, next_: str = "") -> None:
        """Say how it ended, and keep that, with what to type next, for the document."""
        self.message, self.next = message, next_
        self.say(message)

    def close(self, exit_status: int) -> None:
        """Print the document, where one is wanted."""
        if not self.as_json:
            return
        there = self.sandbox
        said = {
            "command": self.command,
            "exit_status": exit_status,
            "message": self.message,
            "next": self.next,
            "folder": str(there.root) if there else None,
            "server": there.server if there else None,
            "rows": there.settings.rows if there else None,
            "parts": _parts(there) if there else [],
        }
        print(json.dumps(said, indent=2, ensure_ascii=False))


@contextlib.contextmanager
def telling(command: str, *, as_json: bool) -> Iterator[Telling]:
    """Print the document when the block has ended well or with an `Exit`, which goes on."""
    told = Telling(command, as_json)
    try:
        yield told
    except Exit as ended:
        told.message = ended.message or told.message
        told.close(ended.code)
        raise
    told.close(0)


def _parts(sandbox: Sandbox) -> list[dict[str, object]]:
    """Return what belongs to the sandbox; one that does not run has no process."""
    ports = sandbox.settings.ports
    servers: list[dict[str, object]] = [
        {"name": name, "port": ports[name], "pid": process.pid if process else None}
        for name, process in sandbox.processes().items()
    ]
    others = sandbox.application.processes().items()
    return servers + [{"name": name, "port": None, "pid": pid} for name, pid in others]
