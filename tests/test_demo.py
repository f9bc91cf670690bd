"""`make demo`, as somebody types it first of all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.ending import end

PROJECT = Path(__file__).parent.parent
NEEDED = ("runbook", "sandbox", "sql")


@pytest.mark.wide
def test_the_demo_holds_what_it_shows(tmp_path: Path) -> None:
    """The whole window runs, is found safe to close, is undone exactly, and nothing is left."""
    for folder in NEEDED:
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    for file in ("tasks.py", "inventory.yaml"):
        shutil.copy(PROJECT / file, tmp_path / file)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.demo"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        end(tmp_path / ".sandbox")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for said in (
        '--answer="coordinated: ',
        "coordinated · ada (product), ben (on-call)",
        "safe to close the window",
        "every table and view equals the one before, byte for byte",
        "the sandbox is down",
    ):
        assert said in done.stdout
    assert not (tmp_path / ".sandbox").exists()
    assert list((tmp_path / ".runbook" / "sandbox" / "reports").glob("*.html"))
