"""Performs an export: rows from one snapshot into files on a host, in constant memory.

Every row goes from the server's answer through gzip into SFTP; nothing of it
touches this machine's disk. The export counts only once its folder has lost
the `.part` of its name.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import posixpath
import stat
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from runbook.database.fields import Field, RawRow
from runbook.database.sessions import Session, as_text
from runbook.errors import Outcome, StepFailed
from runbook.exports import saved as exports
from runbook.exports import tsv
from runbook.exports.queries import Census, Query, Tally, identity
from runbook.exports.saved import MANIFEST, NAME, PART, SCRIPT, File, Manifest
from runbook.exports.survey import take_census
from runbook.perform.run import Result, Run
from runbook.plan.statements import Export
from runbook.units import counted, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import SFTPClient, SFTPFile

CLOCK = "SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y%m%dT%H%i%SZ')"
PIECE = 1 << 18
COMPRESSION = 6
CMD_EXTENDED = 200


def perform(step: Export, run: Run) -> Result:
    """Export every query of the step from one snapshot.

    Raises:
        StepFailed: the host cannot take the files, or a file does not hold
            what the server counted.
        Lost, Interrupted: what is half written is no export.
    """
    try:
        with run.database.snapshot() as session, run.hosts.files(step.where) as sftp:
            return _exported(step, run, session, sftp)
    except OSError as error:
        raise StepFailed(
            f"{step.where}: {step.folder}: {error.strerror or error}",
            advice="Is there room, and may the SSH user write there? Then run it again.",
        ) from error


def _exported(step: Export, run: Run, session: Session, sftp: SFTPClient) -> Result:
    _make(sftp, step.folder)
    stamp = _stamp(session, sftp, step.folder)
    part, final = f"{step.folder}/{stamp}{PART}", f"{step.folder}/{stamp}"
    _remove_parts(sftp, step.folder)
    sftp.mkdir(part, 0o700)
    try:
        files = tuple(_file(query, part, run, session, sftp) for query in step.queries)
        session.execute("COMMIT")
        pairs = tuple(zip(step.queries, files, strict=True))
        identities = tuple((q, identity(f.rows, f.checksum)) for q, f in pairs)
        script = exports.load_script(identities).encode()
        _write(sftp, f"{part}/{SCRIPT}", script)
        manifest = Manifest(
            change=step.change,
            environment=run.environment.name,
            database=run.environment.database.name,
            server=session.server.text,
            taken=stamp,
            run=run.id,
            script=hashlib.sha256(script).hexdigest(),
            files=files,
        )
        _write(sftp, f"{part}/{MANIFEST}", exports.compose(manifest).encode())
        run.keep_lock(every=0.0)
        sftp.posix_rename(part, final)
    except BaseException:
        with contextlib.suppress(Exception):  # the next export removes it otherwise
            _remove(sftp, part)
        raise
    rows = sum(file.rows for file in files)
    stored = size(sum(file.compressed_bytes for file in files))
    return Result(Outcome.CHANGED, f"{counted(rows, 'row')}, {stored}, in {final}")


def _stamp(session: Session, sftp: SFTPClient, folder: str) -> str:
    """Return the time, once nothing else is called by it."""
    while True:
        stamp = as_text(session.value(CLOCK))
        try:
            sftp.lstat(f"{folder}/{stamp}")
        except FileNotFoundError:
            return stamp
        time.sleep(0.1)


def _file(query: Query, part: str, run: Run, session: Session, sftp: SFTPClient) -> File:
    """Write one query's rows and return what its file holds."""
    census = take_census(session, query)
    fields, rows = session.stream(query.select)
    _refuse_other_columns(query, fields)
    with contextlib.closing(rows), _created(sftp, f"{part}/{query.file}") as file:
        packed = _Summed(file)
        with gzip.GzipFile("", "wb", COMPRESSION, cast(BinaryIO, packed), mtime=0) as compressed:
            plain = _Summed(compressed)
            file.set_pipelined(True)
            tally = _copy(rows, query, census, plain, run)
            # What closing writes now waits for all that was sent ahead, and its errors.
            file.set_pipelined(False)
    if tally.identity != census.identity:
        raise StepFailed(
            f"{query.origin}: its file would hold {tally.identity}, and the server has "
            f"{census.identity}",
            advice="No export was made. Rerun it; if it says so again, report a defect.",
        )
    stored = sftp.stat(f"{part}/{query.file}").st_size
    if stored != packed.count:
        raise StepFailed(f"{query.file} has {stored} bytes there instead of {packed.count}")
    return File(
        file=query.file,
        query=query.select,
        columns=tuple((column.name, column.type) for column in query.columns),
        rows=tally.rows,
        checksum=str(tally.sum),
        bytes=plain.count,
        sha256=plain.sum.hexdigest(),
        compressed_bytes=packed.count,
        compressed_sha256=packed.sum.hexdigest(),
    )


def _copy(rows: Iterator[RawRow], query: Query, census: Census, out: _Summed, run: Run) -> Tally:
    """Write rows as lines, a piece at a time, telling how far it is."""
    tally, piece, began = Tally(query.columns), bytearray(), time.monotonic()
    for row in rows:
        tally.add(row)
        piece += tsv.line(row)
        if len(piece) >= PIECE:
            out.write(piece)
            piece.clear()
            rate = tally.rows / max(time.monotonic() - began, 1e-6)
            left = max(0, census.rows - tally.rows) / rate
            run.progress(tally.rows, f"rows of {query.stem}", total=census.rows, eta=left)
            run.brake.check()
            run.keep_lock()
    out.write(piece)
    return tally


def _refuse_other_columns(query: Query, fields: tuple[Field, ...]) -> None:
    seen = [(field.name, field.kind) for field in fields]
    if seen != [(column.name, column.kind) for column in query.columns]:
        raise StepFailed(
            f"{query.origin}: its columns are not the ones that were looked at",
            advice="The table was altered meanwhile: run the same command again.",
        )


class _Summed:
    """A file to write to that knows how many bytes went in and their SHA-256."""

    def __init__(self, out: SFTPFile | gzip.GzipFile) -> None:
        self._out = out
        self.count = 0
        self.sum = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._out.write(bytes(data))
        self.count += len(data)
        self.sum.update(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""


@contextlib.contextmanager
def _created(sftp: SFTPClient, path: str) -> Iterator[SFTPFile]:
    """Open a new file, 0600, whose bytes are on the host's disk when the block ends."""
    with sftp.open(path, "wx") as file:
        file.chmod(0o600)
        yield file
        # OpenSSH's own; paramiko has no method for it.
        sftp._request(CMD_EXTENDED, "fsync@openssh.com", file.handle)  # type: ignore[attr-defined]


def _write(sftp: SFTPClient, path: str, content: bytes) -> None:
    with _created(sftp, path) as file:
        file.write(content)


def _make(sftp: SFTPClient, path: str) -> None:
    """Make a folder, 0700, and those above it that are missing."""
    try:
        sftp.stat(path)
    except FileNotFoundError:
        if above := posixpath.dirname(path):
            _make(sftp, above)
        sftp.mkdir(path, 0o700)


def _remove_parts(sftp: SFTPClient, folder: str) -> None:
    """Remove what exports that never ended left behind; the lock says that none is running.

    What is of somebody else is not theirs, and what cannot be removed is in nobody's way.
    """
    for entry in sftp.listdir_attr(folder):
        name, is_folder = entry.filename, stat.S_ISDIR(entry.st_mode or 0)
        if is_folder and name.endswith(PART) and NAME.fullmatch(name.removesuffix(PART)):
            with contextlib.suppress(OSError):
                _remove(sftp, f"{folder}/{name}")


def _remove(sftp: SFTPClient, folder: str) -> None:
    for name in sftp.listdir(folder):
        sftp.remove(f"{folder}/{name}")
    sftp.rmdir(folder)
