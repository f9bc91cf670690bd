"""Performs a fetch: the newest verified dump of a host, copied here and compared."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from runbook.errors import Lost, Outcome, StepFailed
from runbook.hosts import backups
from runbook.hosts.backups import Manifest
from runbook.perform.run import Result, Run
from runbook.plan.steps import Fetch
from runbook.units import size

if TYPE_CHECKING:
    from paramiko import SFTPClient

PIECE = 1 << 20
AHEAD = 256
"""Requests of 32 KiB in flight: enough for a long line, and a bound for memory."""
TOLD_EVERY = 0.5
"""Seconds between two words about progress."""
PARTIAL = ".partial"


def perform(step: Fetch, run: Run) -> Result:
    """Copy the dump and its manifest into the step's local folder, files 0600, folder 0700.

    A dump that is here already, byte for byte, is not copied again.

    Raises:
        StepFailed: there is none, it arrived changed, or this machine cannot keep it.
        Lost: the connection went away.
        Interrupted: the operator stopped.
    """
    local = Path(step.local)
    with _quiet_readers(), _reading(step), run.hosts.files(step.where) as sftp:
        text, manifest = _newest(step, sftp, run.environment.database.name)
        target = local / manifest.file
        if _is_here(target, manifest):
            return Result(Outcome.OK, f"{target} is here already, checksum equal")
        pieces = _pieces(step, sftp, _beside(step, manifest.file))
        with _kept_here(local):
            _copy(pieces, target, manifest, run)
            _write(local / (manifest.file + backups.ENDING), text)
    return Result(Outcome.CHANGED, f"{target}, {size(manifest.bytes)}, checksum equal")


def _newest(step: Fetch, sftp: SFTPClient, database: str) -> tuple[str, Manifest]:
    """Return the newest backup's manifest, as text and read."""
    wanted = backups.pattern(database)
    with _reading(step):
        names = sftp.listdir(str(PurePosixPath(step.remote).parent))
    for name in sorted(filter(wanted.fullmatch, names), reverse=True):
        if name + backups.ENDING not in names:
            continue
        with _reading(step):
            found, said = (sftp.lstat(_beside(step, n)) for n in (name, name + backups.ENDING))
        # Nothing else is opened: a pipe, or a link to what has no end, is read for ever.
        plain = all(stat.S_ISREG(one.st_mode or 0) for one in (found, said))
        if not plain or (said.st_size or 0) > backups.LONGEST:
            continue
        pieces = _pieces(step, sftp, _beside(step, name + backups.ENDING))
        text = b"".join(pieces).decode(errors="replace")
        dump = backups.inspect(name, found.st_size or 0, int(found.st_mtime or 0), text, database)
        if dump.manifest and not dump.defect:
            return text, dump.manifest
    raise StepFailed(
        f"{step.where}: no verified dump is there",
        advice="invoke status shows what is there; invoke backup makes one.",
    )


def _beside(step: Fetch, name: str) -> str:
    return str(PurePosixPath(step.remote).parent / name)


def _pieces(step: Fetch, sftp: SFTPClient, path: str) -> Iterator[bytes]:
    """Yield a remote file's bytes; the requests for it are sent ahead."""
    with _reading(step):
        file = sftp.open(path, "rb")
        file.prefetch(file.stat().st_size, AHEAD)
    with file:
        while True:
            with _reading(step):
                piece = file.read(PIECE)
            if not piece:
                return
            yield piece


def _copy(pieces: Iterator[bytes], target: Path, manifest: Manifest, run: Run) -> None:
    digest, done, told = hashlib.sha256(), 0, 0.0
    partial = target.with_name(target.name + PARTIAL)
    try:
        with _private(partial) as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                if time.monotonic() - told > TOLD_EVERY:
                    run.progress(done, "bytes", total=manifest.bytes)
                    told = time.monotonic()
                run.keep_lock()
                run.brake.check()
            os.fsync(file.fileno())
        if digest.hexdigest() != manifest.sha256:
            raise StepFailed(
                f"{target.name} arrived with another checksum than its manifest's",
                advice="invoke backup proves the dump on its host; then fetch it again.",
            )
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with _private(path) as file:
        file.write(text.encode())


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _is_here(path: Path, manifest: Manifest) -> bool:
    if not path.is_file() or path.stat().st_size != manifest.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == manifest.sha256


@contextmanager
def _reading(step: Fetch) -> Iterator[None]:
    """Tell a file that cannot be read from a connection that went away."""
    try:
        yield
    except EOFError as error:
        raise Lost(f"{step.where}: the connection was lost during: {step.title}") from error
    except OSError as error:
        if error.errno is None:  # a closed socket, of which `Hosts.files` tells
            raise
        raise StepFailed(f"{step.where}: cannot be read: {error.strerror}") from error


@contextmanager
def _quiet_readers() -> Iterator[None]:
    """Keep paramiko's reading-ahead threads from printing a traceback when the line is cut.

    What was lost is told once, by the reader that waits for them.
    """

    def reads_ahead(thread: threading.Thread | None) -> bool:
        return thread is not None and "_prefetch_thread" in thread.name

    def hook(args: threading.ExceptHookArgs) -> None:
        if not reads_ahead(args.thread):
            before(args)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        for thread in filter(reads_ahead, threading.enumerate()):
            thread.join(1.0)
        threading.excepthook = before


@contextmanager
def _kept_here(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StepFailed(
            f"{error.filename or folder}: {error.strerror}",
            advice="Make room on this machine, then run the same command again.",
        ) from error
