"""The folder on the operator's machine: what is kept there."""

from __future__ import annotations

import os
from pathlib import Path

from runbook.state import tidy


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    """Older files go, by their time and whatever their names; folders and missing ones are left."""
    for number, name in enumerate("dcba"):
        file = tmp_path / name
        file.write_text(name)
        os.utime(file, (number, number))
    (tmp_path / "folder").mkdir()
    tidy(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]
    tidy(tmp_path, keep=2)
    tidy(tmp_path / "none")
    assert len(list(tmp_path.iterdir())) == 3
