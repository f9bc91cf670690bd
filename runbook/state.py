"""The folder on the operator's machine for journals, previews and fetched files."""

from __future__ import annotations

from pathlib import Path


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
