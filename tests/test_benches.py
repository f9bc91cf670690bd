"""The benches, each once with the smallest numbers: what they measure is said elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.ending import end
from tests.support import PROJECT

FOLDERS = ("bench", "runbook", "sandbox", "sql", "tests")
FILES = ("tasks.py", "inventory.yaml", "document.schema.json")
BENCHES = {
    "by_hand --rounds=1 --rows=1000": (
        r"preview +program +[\d.]+ s +by hand +[\d.]+ s +ratio [\d.]+ ",
        r"migrate and verify +program +[\d.]+ s +by hand +[\d.]+ s +ratio [\d.]+ ",
    ),
    "flood --lines=2000 --rate=500 --seconds=1": (
        r"one in 50 an error: [\d,]+ lines/s .* 2,000 counted",
        r"all errors: [\d,]+ lines/s .* 2,000 counted",
        r"two hosts, .* counted, at most [\d.]+ s behind",
    ),
    "spikes --trials=1 --days=2": (
        r"even +5\.0 +[\d.]+ +(\d+|> 1 d) +(\d+|> 1 d) +(\d+|> 1 d)",
        r"wandering over three hours +50\.0 ",
    ),
    "watch --rounds=1 --rows=12000": (
        r"plain read of all rows +[\d.]+ s",
        r"and 10,000 appended +[\d.]+ s",
        r"baseline on disk +[\d.]+ MiB, 8\d bytes a row",
    ),
}


@pytest.mark.wide
@pytest.mark.parametrize("typed", BENCHES)
def test_a_bench_runs_and_prints_its_figures(typed: str, tmp_path: Path) -> None:
    """It exits with 0, and each of its figures is a number in its line."""
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    for file in FILES:
        shutil.copy(PROJECT / file, tmp_path / file)
    name, *options = typed.split()
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}", *options],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        end(tmp_path / ".sandbox")
    assert done.returncode == 0, done.stdout + done.stderr
    for figures in BENCHES[typed]:
        assert re.search(figures, done.stdout), done.stdout


def test_every_bench_is_tried() -> None:
    """A script in bench/ that can be run is one of those above."""
    scripts = [p.stem for p in (PROJECT / "bench").glob("*.py") if "__main__" in p.read_text()]
    assert sorted(scripts) == sorted(typed.split()[0] for typed in BENCHES)
