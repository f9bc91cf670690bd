"""Performs a fetch of an export: its files, copied here and compared."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from runbook.errors import Outcome, StepFailed
from runbook.exports import saved as exports
from runbook.exports.saved import LONGEST, MANIFEST, NAME, SCRIPT, Manifest
from runbook.perform.run import Result, Run
from runbook.plan.steps import FetchExport

if TYPE_CHECKING:
    from paramiko import SFTPClient

PIECE = 1 << 20
PARTIAL = ".partial"


def perform(step: FetchExport, run: Run) -> Result:
    """Copy the step's export into a folder of its name in the step's local folder.

    Folders are 0700, files 0600. A file that is here already, byte for byte, is
    not copied again; the manifest comes last.

    Raises:
        StepFailed: there is none, a file arrived changed, or it cannot be kept here.
        Lost, Interrupted: what was copied whole stays.
    """
    try:
        with run.hosts.files(step.where) as sftp:
            name = step.kept or _made(step.remote, run.id, sftp)
            if not name:
                raise StepFailed(f"{step.where}: no export of this run is in {step.remote}")
            return _copied(f"{step.remote}/{name}", Path(step.local) / name, run, sftp)
    except OSError as error:
        raise StepFailed(
            f"{error.filename or step.remote}: {error.strerror or error}",
            advice="Make room on this machine, then run the same command again.",
        ) from error


def _made(remote: str, run: str, sftp: SFTPClient) -> str:
    """Return the name of the export that a run made: what has a later name may be older."""
    for name in sorted(filter(NAME.fullmatch, sftp.listdir(remote)), reverse=True):
        with contextlib.suppress(OSError, ValueError):
            if exports.parse(_manifest(f"{remote}/{name}", sftp).decode()).run == run:
                return name
    return ""


def _manifest(folder: str, sftp: SFTPClient) -> bytes:
    path = f"{folder}/{MANIFEST}"
    if _size(path, sftp) > LONGEST:
        raise OSError(errno.EFBIG, "it is too long for a manifest", path)
    with sftp.open(path, "rb") as file:
        return file.read(LONGEST)


def _size(path: str, sftp: SFTPClient) -> int:
    """Return a plain file's size; to open anything else might wait for ever."""
    found = sftp.lstat(path)
    if not stat.S_ISREG(found.st_mode or 0):
        raise OSError(errno.EINVAL, "it is no plain file", path)
    return found.st_size or 0


def _copied(remote: str, local: Path, run: Run, sftp: SFTPClient) -> Result:
    text = _manifest(remote, sftp)
    wanted = _files(remote, text)
    local.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name, sum_ in wanted.items() if not _is_here(local / name, sum_)]
    for name in missing:
        _copy(f"{remote}/{name}", local / name, wanted[name], run, sftp)
    with _private(local / MANIFEST) as kept:
        kept.write(text)
    if not missing:
        return Result(Outcome.OK, f"{local} is here already, checksums equal")
    return Result(Outcome.CHANGED, f"{local}, checksums equal")


def _files(remote: str, text: bytes) -> dict[str, str]:
    """Return the files of an export with the SHA-256 of each."""
    try:
        manifest: Manifest = exports.parse(text.decode())
    except ValueError as error:
        raise StepFailed(f"{remote}/{MANIFEST}: {error}") from error
    sums = {file.file: file.compressed_sha256 for file in manifest.files}
    return {**sums, SCRIPT: manifest.script}


def _copy(remote: str, target: Path, sum_: str, run: Run, sftp: SFTPClient) -> None:
    partial, digest = target.with_name(target.name + PARTIAL), hashlib.sha256()
    try:
        total, done = _size(remote, sftp), 0
        with sftp.open(remote, "rb") as file, _private(partial) as kept:
            file.prefetch(total)
            while piece := file.read(PIECE):
                kept.write(piece)
                digest.update(piece)
                done += len(piece)
                run.progress(done, "bytes", total=total)
                run.keep_lock()
                run.brake.check()
            os.fsync(kept.fileno())
        if digest.hexdigest() != sum_:
            raise StepFailed(
                f"{remote} arrived with another checksum than its manifest's",
                advice="Somebody changed it: export again with --fresh --fetch.",
            )
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _is_here(path: Path, sum_: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sum_
