"""Exports on the backup host: where they are, what their manifests say, and finding the newest.

An export is a folder called by the time of its snapshot, such as
`exports/staging/shop/20251217T101112Z`, with a file a query, a script that
loads them, and `manifest.json`, written last. Until it is complete its name
ends in `.part`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.errors import StepFailed
from runbook.exports import seal
from runbook.exports.queries import LOADING, Census, Query, identity
from runbook.hosts import jobs
from runbook.hosts.remote import Hosts
from runbook.hosts.shell import script

MANIFEST = "manifest.json"
SCRIPT = "load.sql"
PART = ".part"


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
    """An export as a look found it; `defect` says why it cannot be used, and is empty otherwise."""

    folder: str
    manifest: Manifest | None
    defect: str = ""

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


def newest(hosts: Hosts, environment: Environment, change: str) -> Saved | None:
    """Look at the newest complete export, its files' checksums included; None: there is none.

    Raises:
        StepFailed: the folder is there and cannot be read.
        Refusal, Lost: the host cannot be reached.
    """
    where = folder(environment, change)
    done = hosts.run(
        environment.backup.host,
        script(jobs.text({"folder": where}, "exports")),
        timeout=environment.timeouts.statement,
    )
    if not done.ok:
        raise StepFailed(f"{done.host}: the exports in {where} cannot be read", output=done.tail())
    lines = done.out.splitlines()
    names = [line.removeprefix("export ") for line in lines if line.startswith("export ")]
    if not names:
        return None
    sums = dict(_file(line) for line in lines if line.startswith("file "))
    manifest = "\n".join(line.removeprefix("= ") for line in lines if line.startswith("= "))
    return judge(f"{where}/{names[0]}", manifest, sums, environment.name)


def judge(where: str, text: str, sums: Mapping[str, str], environment: str) -> Saved:
    """Judge an export by its manifest's text and the SHA-256 of each file that is there."""
    if not text:
        return Saved(where, None, f"its {MANIFEST} is missing")
    try:
        manifest = parse(text)
    except ValueError as error:
        return Saved(where, None, f"its {MANIFEST} cannot be used: {error}")
    if manifest.environment != environment:
        return Saved(where, manifest, f"it is of the environment {manifest.environment}")
    wanted = {file.file: file.compressed_sha256 for file in manifest.files}
    for name, sum_ in {**wanted, SCRIPT: manifest.script}.items():
        if name not in sums:
            return Saved(where, manifest, f"its {name} is missing")
        if sums[name] != sum_:
            return Saved(where, manifest, f"its {name} was changed after it was written")
    return Saved(where, manifest)


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
                    file=str(file["file"]),
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


def _file(line: str) -> tuple[str, str]:
    sum_, _, name = line.removeprefix("file ").partition("  ")
    return name, sum_
