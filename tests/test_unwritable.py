"""Where output cannot go: a journal that cannot be kept, a reader who has gone."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import PROJECT, Bench, bench


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB."""
    return bench(mariadb, tmp_path)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system without a free byte, where files can still be made."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", folder], check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    (folder / "filler").write_bytes(bytes(4096))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def piped(
    place: Bench, words: str, reader: str, limit: int = resource.RLIM_INFINITY
) -> tuple[int, str, str]:
    """Type `invoke …| reader`; return invoke's exit status, what was read, and standard error.

    `limit` is how many bytes a file of the program may hold.
    """
    invoke = f"{sys.executable} -m invoke --search-root {place.folder} {words}"
    done = subprocess.run(
        ["bash", "-c", f"{invoke} | {reader}; exit ${{PIPESTATUS[0]}}"],
        cwd=place.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    return done.returncode, done.stdout, done.stderr


def test_without_a_journal_nothing_begins(
    mariadb: Sandbox, tmp_path: Path, full_disk: Path
) -> None:
    """Where no journal can be kept, the command is refused before anything is touched."""
    (tmp_path / "file").touch()
    before = bench(mariadb, tmp_path).schema()
    for state, said in ((tmp_path / "file" / "state", "Not a directory"), (full_disk, "No space")):
        place = bench(mariadb, tmp_path, state=str(state))
        ran = place.run("migrate")
        assert ran.status == 2
        assert "the journal cannot be written" in ran.document["message"]
        assert said in ran.document["message"]
        assert place.schema() == before
        assert not list(full_disk.rglob("*.jsonl"))
        assert not mariadb.query("SHOW TABLES FROM vaulteer LIKE 'runbook_ledger'")
        assert place.run("migrate", dry_run=True).status == 0


def test_a_journal_that_fills_up_does_not_stop_the_run(place: Bench) -> None:
    """Once it works, work goes on without its journal, and that is said."""
    status, out, err = piped(place, "migrate --env=test", "cat", limit=70_000)
    assert (status, err) == (0, "")
    (journal,) = (place.folder / ".runbook" / "test" / "journal").iterdir()
    assert journal.stat().st_size == 70_000
    assert "the journal is not whole: " in out
    assert place.run("verify").status == 0


@pytest.mark.parametrize(
    ("words", "reader"),
    [
        ("migrate --env=test", "head -1"),
        ("verify --env=test > /dev/full", "true"),
        ("verify --env=test --json > /dev/full", "true"),
        ("verify --env=test <&- >&-", "true"),
    ],
)
def test_a_reader_that_goes_away_stops_nothing(place: Bench, words: str, reader: str) -> None:
    """`invoke … | head -1` does all its work and ends as it would have, without a traceback."""
    status, _, err = piped(place, words, reader)
    assert status == (0 if words.startswith("migrate") else 1)
    assert err.partition(":")[0] == (
        "standard output cannot be written" if "json > /dev/full" in words else ""
    )
    if words.startswith("migrate"):
        assert place.run("verify").status == 0


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_a_document_that_nobody_gets_is_no_success(place: Bench, where: str) -> None:
    """What ends well exits with 1 when its document or page is lost; a closed pipe is no loss."""
    assert place.run("backup").status == 0
    for words in ("status --env=test --json", "report --env=test --output=-"):
        status, _, err = piped(place, f"{words} {where}", "true")
        assert status == 1
        assert err.startswith("standard output cannot be written: ")
        assert len(err.splitlines()) == 1
        status, _, err = piped(place, words, "true")
        assert (status, err) == (0, "")


def test_a_terminal_of_another_character_set_shows_what_it_can(place: Bench) -> None:
    """An arrow that it does not have is a question mark, and no error."""
    with place.start("status", "--env=test", env={"PYTHONIOENCODING": "ascii"}) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "next     invoke migrate" in out
