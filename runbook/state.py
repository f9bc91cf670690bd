"""The folder on the operator's machine for journals, previews and fetched files."""

from __future__ import annotations

import contextlib
from pathlib import Path

KEEP = 200


def private_folder(state: Path, *parts: str) -> Path:
    """Return `state` / `parts`, made where it is missing, nobody else's to read.

    Raises:
        OSError: it cannot be made.
    """
    folder = state
    for part in ("", *parts):
        folder = folder / part
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def tidy(folder: Path, keep: int = KEEP) -> None:
    """Remove all but the newest `keep` files of a folder, where that can be; nothing needs them."""
    with contextlib.suppress(OSError):
        files = [path for path in folder.iterdir() if path.is_file()]
        for old in sorted(files, key=lambda path: path.stat().st_mtime)[:-keep]:
            old.unlink(missing_ok=True)
