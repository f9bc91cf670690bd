"""The folder on the operator's machine: what is kept there."""

from __future__ import annotations

import os
from pathlib import Path

from runbook.state import KEEP, tidy
from sandbox.sandbox import Sandbox
from tests.support import lean


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    """Older files go, by their time and whatever their names; folders and missing ones are left."""
    for number, name in enumerate("dcba"):
        file = tmp_path / name
        file.write_text(name)
        os.utime(file, (number, number))
    (tmp_path / "folder").mkdir()
    tidy(tmp_path / "a", keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]
    tidy(tmp_path / "a", keep=2)
    tidy(tmp_path / "none" / "a")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_was_just_made_is_kept_whatever_clocks_say(tmp_path: Path) -> None:
    """It stays beside files of the future; names that are dated decide which of these stay."""
    for name in ("20260101", "20260102", "20260103"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (9e9, 9e9))
    os.utime(tmp_path / "20260101", (9.1e9, 9.1e9))
    made = tmp_path / "20250101"
    made.touch()
    tidy(made, keep=2, dated=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, "20260103"]


def test_a_run_keeps_its_journal_beside_those_of_the_future(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Files whose times lie in the future do not make a run remove what it is writing."""
    folder = tmp_path / ".runbook" / "test" / "journal"
    folder.mkdir(parents=True)
    for number in range(KEEP + 5):
        old = folder / f"20200101T000000Z-{number:04}.jsonl"
        old.touch()
        os.utime(old, (9e9, 9e9))
    ran = lean(mariadb, tmp_path).run("backup")
    assert ran.status == 0, ran.why
    assert "RunFinished" in Path(ran.document["journal"]).read_text()
    assert len(list(folder.iterdir())) == KEEP
