"""What sshd wants of the machine when it runs as root, without changing the machine.

It asks for an account `sshd` and for a folder /run/sshd that only root can
write; a bare container has neither. The account comes from a passwd file of
ours, through nss_wrapper. The folder is made, keeps a note of every sandbox
that needs it, and goes with the last of them; one that was there already is
left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from sandbox.processes import Process, recorded, this_process
from sandbox.programs import SshPrograms

RUN = Path("/run/sshd")
MADE_BY_US = ".made-by-runbook-sandbox"


def for_sshd(programs: SshPrograms, folder: Path) -> Mapping[str, str]:
    """Prepare the machine for the sshd in `folder`; return the environment it needs."""
    if not _wanted():
        return {}
    with _locked():
        note = {"folder": str(folder), "owner": asdict(this_process())}
        _note(folder).write_text(json.dumps(note), encoding="utf-8")
    if not programs.accounts:
        return {}
    passwd = folder / "passwd"
    entry = f"sshd:x:65534:65534::{RUN}:/usr/sbin/nologin\n"
    passwd.write_text(
        Path("/etc/passwd").read_text(encoding="utf-8").rstrip("\n") + "\n" + entry,
        encoding="utf-8",
    )
    return {
        "LD_PRELOAD": str(programs.accounts),
        "NSS_WRAPPER_PASSWD": str(passwd),
        "NSS_WRAPPER_GROUP": "/etc/group",
    }


def release(folder: Path) -> None:
    """Give back what the sshd in `folder`, ended by now, had needed."""
    if not _wanted() or not RUN.exists():
        return
    with _locked():
        _note(folder).unlink(missing_ok=True)
        for note in RUN.glob("sandbox-*"):
            if _in_use(note):
                return
            note.unlink()
        if (RUN / MADE_BY_US).exists():
            shutil.rmtree(RUN)


def _wanted() -> bool:
    return os.getuid() == 0 and Path("/proc/self").exists()


def _note(folder: Path) -> Path:
    return RUN / f"sandbox-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def _in_use(note: Path) -> bool:
    """Say whether the sandbox of a note lives: its sshd, or the one that is just starting it."""
    content = json.loads(note.read_text(encoding="utf-8"))
    sshd = recorded(Path(content["folder"]))
    if sshd is None:
        return Process(**content["owner"]).alive()
    return sshd.alive()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of the folder, which is made where it is missing."""
    while (handle := _open_and_lock()) is None:
        pass
    try:
        yield
    finally:
        os.close(handle)


def _open_and_lock() -> int | None:
    with contextlib.suppress(FileExistsError):
        RUN.mkdir(mode=0o755)
        (RUN / MADE_BY_US).touch()
    try:
        handle = os.open(RUN, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_ino == RUN.stat().st_ino:
            return handle
        os.close(handle)  # another process removed it while we waited, and one made it anew
    except FileNotFoundError:
        pass
    return None
