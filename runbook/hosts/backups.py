"""Dumps on the backup host and their manifests: names, reading, and cheap checks.

A dump `shop-20251217T101112Z.sql.zst` has its manifest beside it, named
`….manifest.json`. A manifest is written once the dump was verified; its last
line seals everything above it, so that an edited one is noticed. A file without
a manifest is not ours: it is shown, and neither used nor removed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

ENDING = ".manifest.json"
LONGEST = 1 << 22
"""Bytes of a manifest at most: it says a line an object, and what is longer is none."""
_SEAL = re.compile(r'^  "seal": "([0-9a-f]{64})"$', re.MULTILINE)


@dataclass(frozen=True)
class Manifest:
    """What is known of a dump since it was verified.

    `started` is seconds since 1970 in UTC, by the backup host's clock; `bytes`
    is the file's size, `sql_bytes` that of the SQL in it. `objects` are like
    `table:users` or `trigger:trg_a`, `definers` like `root@localhost`. `bound`
    are those created under their database's name, `mentions` those that name
    it in their text.
    """

    file: str
    database: str
    server: str
    character_set: str
    collation: str
    program: str
    started: float
    seconds: int
    bytes: int
    modified: int
    sql_bytes: int
    sha256: str
    objects: tuple[str, ...]
    definers: tuple[str, ...]
    bound: tuple[str, ...]
    mentions: tuple[str, ...]


@dataclass(frozen=True)
class Backup:
    """A dump as a look found it; `defect` says why it is no backup, and is empty otherwise."""

    name: str
    manifest: Manifest | None
    defect: str = ""


def stem(database: str) -> str:
    """Return what the names of a database's dumps begin with: safe in any file system."""
    return re.sub(r"[^A-Za-z0-9_]", "_", database)


def pattern(database: str) -> re.Pattern[str]:
    """Return what matches the names of a database's dumps."""
    return re.compile(re.escape(stem(database)) + r"-\d{8}T\d{6}Z\.sql\.(zst|gz)")


def parse(text: str) -> Manifest:
    """Read a manifest.

    Raises:
        ValueError: it is not one, or was changed after it was written.
    """
    seal = _SEAL.search(text)
    if seal is None:
        raise ValueError("its manifest is incomplete")
    if hashlib.sha256(text[: seal.start()].encode()).hexdigest() != seal[1]:
        raise ValueError("its manifest was changed after it was written")
    try:
        # A name may hold any control character; only line breaks are escaped.
        said = json.loads(text, strict=False)
        return Manifest(
            file=str(said["file"]),
            database=str(said["database"]),
            server=str(said["server"]),
            character_set=_plain(said["character_set"]),
            collation=_plain(said["collation"]),
            program=str(said["program"]),
            started=datetime.strptime(said["started"], "%Y-%m-%dT%H:%M:%SZ")
            .replace(tzinfo=UTC)
            .timestamp(),
            seconds=int(said["seconds"]),
            bytes=int(said["bytes"]),
            modified=int(said["modified"]),
            sql_bytes=int(said["sql_bytes"]),
            sha256=str(said["sha256"]),
            objects=tuple(map(str, said["objects"])),
            definers=tuple(map(str, said["definers"])),
            bound=tuple(map(str, said["bound"])),
            mentions=tuple(map(str, said["mentions"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("its manifest cannot be read") from error


def _plain(word: str) -> str:
    """Return a word that goes into a statement as it is."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", word):
        raise ValueError(word)
    return word


def inspect(name: str, size: int, modified: int, manifest: str, database: str) -> Backup:
    """Judge a dump by its manifest's text, size in bytes and time of change; its bytes stay unread.

    `modified` is in seconds since 1970. An empty `manifest` is none.
    """
    if not manifest:
        return Backup(name, None, "it has no manifest: it is not ours, or its dump never ended")
    try:
        said = parse(manifest)
    except ValueError as error:
        return Backup(name, None, str(error))
    if said.file != name:
        return Backup(name, said, f"its manifest is the one of {said.file}")
    if said.database != database:
        return Backup(name, said, f"it is of the database {said.database}")
    if said.bytes != size:
        return Backup(name, said, f"it has {size} bytes and not {said.bytes}")
    if said.modified != modified:
        return Backup(name, said, "it was changed after it was verified")
    return Backup(name, said)
