"""A change: a folder of `sql/` with the plain SQL files of each phase, in name order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import UsageError
from runbook.sql.statements import Statement, split

FOLDERS = (
    *("migrate", "verify", "export", "rollback", "validate", "trial"),
    *("triggers", "proof", "watch"),
)


@dataclass(frozen=True)
class SqlFile:
    """One file: its path as shown, its whole text's SHA-256 and its statements."""

    path: str
    checksum: str
    statements: tuple[Statement, ...]

    @property
    def stem(self) -> str:
        """The file's name without folder and ending."""
        return Path(self.path).stem


@dataclass(frozen=True)
class Change:
    """A named change and its files by phase."""

    name: str
    migrate: tuple[SqlFile, ...]
    verify: tuple[SqlFile, ...]
    export: tuple[SqlFile, ...]
    rollback: tuple[SqlFile, ...]
    validate: tuple[SqlFile, ...]
    trial: tuple[SqlFile, ...]
    triggers: tuple[SqlFile, ...]
    proof: tuple[SqlFile, ...]
    watch: tuple[SqlFile, ...]


def load(folder: Path) -> Change:
    """Read a change's folder; files are called by their last folders, `sql/shop/migrate/…`.

    So the ledger's rows are the same wherever the project was cloned to.

    Raises:
        UsageError: no such folder, no migrate/*.sql, or a file that cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder of a change",
            advice="The inventory's `change` names a folder with migrate/*.sql.",
        )
    shown = "/".join(folder.parts[-2:])
    files = {
        name: tuple(
            read(file, f"{shown}/{name}/{file.name}")
            for file in sorted((folder / name).glob("*.sql"))
        )
        for name in FOLDERS
    }
    if not files["migrate"]:
        raise UsageError(f"{folder}/migrate: no .sql file", advice="A change has at least one.")
    return Change(folder.name, **files)


def read(file: Path, shown: str) -> SqlFile:
    """Read one file, to be called `shown`. Raises UsageError where it cannot be read."""
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown}: cannot be read ({error})") from error
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return SqlFile(shown, checksum, split(text, shown))
