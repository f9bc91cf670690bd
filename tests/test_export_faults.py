"""An export that is killed, stopped, cut off or out of room is none."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.exporting import exporting, exports, numbers
from tests.support import MYSQL_IS_WIDE, Bench

pytestmark = MYSQL_IS_WIDE


@pytest.fixture
def slow(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose export takes a second or more."""
    numbers(sandbox, "many", 50_000, "SHA2(a.n * 1000 + b.n, 512)")
    return exporting(
        sandbox,
        tmp_path,
        {"many": "SELECT id, said FROM many"},
        timeouts={"silence": "2s", "connect": "3s"},
    )


def streaming(place: Bench) -> Path:
    """Wait until an export has written some of its file; return its unfinished folder."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for part in exports(place):
            if any(file.stat().st_size > 100_000 for file in part.glob("*.tsv.gz")):
                return part
        time.sleep(0.005)
    raise AssertionError("the export never began")


def test_killed_half_way_it_is_no_export(slow: Bench) -> None:
    """What a killed export leaves is not taken for one, and goes with the next."""
    with slow.start("export", "--env=test", "--json") as process:
        part = streaming(slow)
        process.kill()
    assert part.name.endswith(".part")
    assert "no export is there" in slow.run("export", dry_run=True).said
    assert slow.run("export").outcomes == ["changed"]
    (export,) = exports(slow)
    assert not export.name.endswith(".part")
    assert slow.run("export").outcomes == ["ok"]


def test_ctrl_c_leaves_nothing_behind(slow: Bench) -> None:
    """Stopped by its operator an export ends at once, with 130, and removes what it wrote."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert exports(slow) == []


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_connection_is_told_as_such(slow: Bench, fault: signal.Signals) -> None:
    """SSH cut or black-holed under it: the outcome is unknown, and the next export is whole."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        cut = slow.sandbox.connections("db1")
        for connection in cut:
            connection.send(fault)
        out, _ = process.communicate(timeout=60)
    for connection in cut:
        connection.send(signal.SIGKILL)
    assert process.returncode == 4, out
    assert "connection was lost" in out
    ran = slow.run("export")
    assert ran.outcomes == ["changed"], ran.why
    assert len(exports(slow)) == 1


def test_a_database_that_dies_under_it_is_told_as_such(slow: Bench) -> None:
    """When the server dies the outcome is unknown; once it is back the export is whole."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        slow.sandbox.kill_database()
        out, _ = process.communicate(timeout=60)
    slow.sandbox.restart_database()
    assert process.returncode == 4, out
    assert "database connection was lost" in out
    assert slow.run("export").outcomes == ["changed"]


def test_a_folder_that_cannot_be_written_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """A backup folder that is a file, or below one, fails with its path and what to do."""
    (tmp_path / "file").write_text("")
    place = exporting(
        sandbox, tmp_path, {"u": "SELECT * FROM users"}, backup={"folder": str(tmp_path / "file")}
    )
    ran = place.run("export")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert str(tmp_path / "file") in ran.document["message"]
    assert "room" in ran.document["advice"]


def test_a_full_disk_fails_and_leaves_no_export(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the disk runs full the export fails, and what was written is removed again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.system(f"mount -t tmpfs -o size=256k,mode=700 tmpfs '{disk}' 2>/dev/null")
    if mounted:
        pytest.skip("no tmpfs can be mounted here")
    try:
        numbers(sandbox, "many", 20_000, "SHA2(a.n * 1000 + b.n, 512)")
        place = exporting(
            sandbox, tmp_path, {"many": "SELECT * FROM many"}, backup={"folder": str(disk)}
        )
        ran = place.run("export")
        assert (ran.status, ran.document["outcome"]) == (1, "failed")
        assert list(disk.rglob("*.gz")) == []
        assert list(disk.rglob("*.part")) == []
    finally:
        os.system(f"umount '{disk}'")
