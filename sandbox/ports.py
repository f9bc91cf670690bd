"""Ports on loopback, none for two servers of ours.

A port is chosen some time before its server listens on it, and a server may
stop and come back: meanwhile nobody listens there. So a port is noted as its
owner's, which it is as long as the owner's folder is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import random
import socket
from pathlib import Path

from sandbox.packages import cache
from sandbox.processes import StartFailed

PORTS = range(20000, 30000)
"""Below the range that the kernel gives to outgoing connections."""


def free_port(owner: Path) -> int:
    """Return a loopback port that nobody listens on, for what lives in the folder `owner`."""
    notes = cache() / "ports"
    notes.mkdir(parents=True, exist_ok=True)
    with (notes / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        taken = {int(note.name) for note in notes.glob("[0-9]*") if _holds(note)}
        for _ in range(200):
            port = random.SystemRandom().choice(PORTS)
            if port not in taken and _unused(port):
                (notes / str(port)).write_text(str(owner.absolute()), encoding="utf-8")
                return port
    raise StartFailed(f"no free port from {PORTS[0]} to {PORTS[-1]} on 127.0.0.1")


def _holds(note: Path) -> bool:
    """Whether a note's owner is there still; the note of one that is not goes."""
    if Path(note.read_text(encoding="utf-8")).exists():
        return True
    note.unlink()
    return False


def _unused(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False
