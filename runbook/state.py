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


def tidy(made: Path, keep: int = KEEP, *, dated: bool = False) -> None:
    """Remove all but the newest `keep` files beside the one just made, where that can be.

    Which they are, `dated` names say, else the files' times. Nothing needs
    them; the one just made stays, whatever clocks say.
    """
    with contextlib.suppress(OSError):
        others = [path for path in made.parent.iterdir() if path.is_file() and path != made]
        ages = {path: 0.0 if dated else path.stat().st_mtime for path in others}
        others.sort(key=lambda path: (ages[path], path.name), reverse=True)
        for old in others[keep - 1 :]:
            old.unlink(missing_ok=True)
