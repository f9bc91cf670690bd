"""Exports on the backup host: where they are, what their manifests say, and judging one.

An export is a folder called by the time of its snapshot, such as
`exports/staging/shop/20251217T101112Z`, with a file a query, a script that
loads them, and `manifest.json`, written last. Until it is complete its name
ends in `.part`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runbook.environment import Environment
from runbook.exports import seal
from runbook.exports.queries import LOADING, Census, Query, identity

MANIFEST = "manifest.json"
SCRIPT = "load.sql"
PART = ".part"
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
LONGEST = 1 << 20
"""Bytes of a manifest at most: it says a line a column, and what is longer is none."""
PLAIN = re.compile(r"[^/\0-\x1f\x7f.][^/\0-\x1f\x7f]*")
"""A file's name that cannot lead out of its folder, nor end a line."""


@dataclass(frozen=True)
class File:
    """One query's file. Sizes are in bytes; the uncompressed is what LOAD DATA reads."""

    file: str
    query: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    checksum: str
    bytes: int
    sha256: str
    compressed_bytes: int
    compressed_sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an export holds; `taken` is the time of its snapshot, in UTC by the server's clock.

    `script` is the SHA-256 of the script that loads it.
    """

    change: str
    environment: str
    database: str
    server: str
    taken: str
    run: str
    script: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Saved:
    """An export as a look found it; `defect` says why it cannot be used, and is empty otherwise.

    `age` is its age in seconds by its host's clock, less than none where a clock was ahead.
    """

    folder: str
    manifest: Manifest | None
    defect: str = ""
    age: float = 0.0

    @property
    def name(self) -> str:
        """What its folder is called: the time of its snapshot."""
        return self.folder.rpartition("/")[2]

    def holds(self, query: Query, census: Census) -> bool:
        """Whether it has exactly the rows that the query has now."""
        if self.manifest is None or self.defect:
            return False
        return any(
            (file.file, file.query, identity(file.rows, file.checksum))
            == (query.file, query.select, census.identity)
            for file in self.manifest.files
        )


def folder(environment: Environment, change: str) -> str:
    """Return the folder on the backup host that holds a change's exports."""
    return f"{environment.backup.folder}/exports/{environment.name}/{change}"


def moment(name: str) -> datetime | None:
    """Return the time that an export is called by; None for what is none."""
    try:
        return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def judge(where: str, text: str, environment: str) -> Saved:
    """Judge an export by its manifest's text; its files are not looked at yet."""
    if not text:
        return Saved(where, None, f"its {MANIFEST} is missing")
    try:
        manifest = parse(text)
    except ValueError as error:
        return Saved(where, None, f"its {MANIFEST} cannot be used: {error}")
    if manifest.environment != environment:
        return Saved(where, manifest, f"it is of the environment {manifest.environment}")
    return Saved(where, manifest)


def judge_files(saved: Saved, sums: Mapping[str, str]) -> Saved:
    """Judge the files of an export by the SHA-256 of each that is there; empty: it is no file."""
    if saved.manifest is None or saved.defect:
        return saved
    wanted = {file.file: file.compressed_sha256 for file in saved.manifest.files}
    for name, sum_ in {**wanted, SCRIPT: saved.manifest.script}.items():
        if name not in sums:
            return replace(saved, defect=f"its {name} is missing")
        if not sums[name]:
            return replace(saved, defect=f"its {name} is no plain file that can be read")
        if sums[name] != sum_:
            return replace(saved, defect=f"its {name} was changed after it was written")
    return saved


def load_script(files: tuple[tuple[Query, str], ...]) -> str:
    """Return the script that loads an export into new tables and checks them.

    `files` are the queries, each with the identity of its rows.
    """
    head = (
        "/* Reads this export into new tables. In this folder, on the server's flavour it is of:\n"
        "     gunzip -k *.tsv.gz\n"
        "     mysql --local-infile=1 DATABASE < load.sql\n"
        "   It prints what was exported beside what is in each table now. To put values back\n"
        "   where they were: INSERT INTO … SELECT, or UPDATE … JOIN, from these tables. */\n"
    )
    texts = [*LOADING]
    for query, expected in files:
        texts += [*query.load, query.check_loaded(expected)]
    return head + "".join(f"\n{text};\n" for text in texts)


def compose(manifest: Manifest) -> str:
    """Return a manifest as sealed JSON."""
    files = [
        {
            "file": file.file,
            "query": file.query,
            "columns": [{"name": name, "type": type_} for name, type_ in file.columns],
            "rows": file.rows,
            "checksum": file.checksum,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "compressed_bytes": file.compressed_bytes,
            "compressed_sha256": file.compressed_sha256,
        }
        for file in manifest.files
    ]
    return seal.sealed(
        {
            "change": manifest.change,
            "environment": manifest.environment,
            "database": manifest.database,
            "server": manifest.server,
            "taken": manifest.taken,
            "run": manifest.run,
            "load": {"file": SCRIPT, "sha256": manifest.script},
            "files": files,
        }
    )


def parse(text: str) -> Manifest:
    """Read a manifest.

    Raises:
        ValueError: it is not one, or was changed after it was written.
    """
    said = seal.opened(text)
    try:
        files = said["files"]
        if not isinstance(files, list):
            raise TypeError
        return Manifest(
            **{name: str(said[name]) for name in ("change", "environment", "database", "server")},
            taken=str(said["taken"]),
            run=str(said["run"]),
            script=str(said["load"]["sha256"]),  # type: ignore[index]
            files=tuple(
                File(
                    file=_plain(file["file"]),
                    query=str(file["query"]),
                    columns=tuple((str(c["name"]), str(c["type"])) for c in file["columns"]),
                    rows=int(file["rows"]),
                    checksum=str(file["checksum"]),
                    bytes=int(file["bytes"]),
                    sha256=str(file["sha256"]),
                    compressed_bytes=int(file["compressed_bytes"]),
                    compressed_sha256=str(file["compressed_sha256"]),
                )
                for file in files
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("it lacks what a manifest says") from error


def _plain(name: object) -> str:
    if not PLAIN.fullmatch(str(name)):
        raise ValueError(name)
    return str(name)
