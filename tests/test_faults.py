"""Outages under a running migration: told as what they are, and mended by the same command."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE, Bench, Ran, backfilling, bench, lean

pytestmark = MYSQL_IS_WIDE
ROWS = 40_000


@pytest.fixture
def slow(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose migration spends a while in the backfill."""
    sandbox.reset(rows=ROWS, partial=True)
    return lean(
        sandbox, tmp_path, policy={"chunk_time": "1ms"}, timeouts={"silence": "2s", "connect": "3s"}
    )


def during(place: Bench, fault: Callable[[], object]) -> tuple[Ran, float]:
    """Run migrate, cause `fault` inside its backfill; return how it ended and how long after."""
    with place.start("migrate", "--env=test", "--json") as process:
        assert backfilling(place.sandbox), "the backfill never began"
        fault()
        at = time.monotonic()
        out, _ = process.communicate(timeout=60)
        return Ran(process.returncode, json.loads(out)), time.monotonic() - at


def finishes(place: Bench) -> None:
    """Check that the same command does what is left, and that all checks hold."""
    ran = place.run("migrate")
    assert ran.status == 0, ran.document["message"]
    assert place.run("verify").status == 0


def test_database_killed_under_the_backfill(slow: Bench) -> None:
    """When the server dies the run ends as unknown and says what resumes it; it then resumes."""
    ran, _ = during(slow, slow.sandbox.kill_database)
    slow.sandbox.restart_database()
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert "database connection was lost" in ran.document["message"]
    finishes(slow)


def test_ssh_cut_under_the_backfill(slow: Bench) -> None:
    """When the SSH connection is cut the run ends as unknown; the same command finishes."""

    def cut() -> None:
        for process in slow.sandbox.connections("db1"):
            process.send(signal.SIGKILL)

    ran, seconds = during(slow, cut)
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert seconds < 10
    finishes(slow)


def test_black_holed_ssh_is_noticed(slow: Bench) -> None:
    """A peer that falls silent without closing is given up after `silence`, not never."""
    stopped = []

    def freeze() -> None:
        for process in slow.sandbox.connections("db1"):
            process.send(signal.SIGSTOP)
            stopped.append(process)

    ran, seconds = during(slow, freeze)
    for process in stopped:
        process.send(signal.SIGCONT)
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert seconds < 15
    time.sleep(1.0)
    finishes(slow)


def test_ctrl_c_stops_between_ranges_and_says_where(slow: Bench) -> None:
    """One Ctrl-C ends the range in hand, keeps it, exits with 130; the same command continues."""
    with slow.start("migrate", "--env=test", "--json") as process:
        assert backfilling(slow.sandbox)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "stopped as asked" in out
    done = slow.sandbox.query(
        "SELECT COUNT(*) FROM vaulteer.event_participants WHERE attendance_status IS NOT NULL"
    )[0][0]
    assert 0 < int(str(done)) < ROWS
    finishes(slow)


def test_wrong_password_is_a_refusal_that_does_not_show_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A password that the server refuses is said so, and appears nowhere."""
    file = tmp_path / "password"
    file.write_text("xyzzy-wrong")
    file.chmod(0o600)
    place = bench(sandbox, tmp_path, database={"password": {"file": str(file)}})
    ran = place.run("migrate")
    assert ran.status == 3
    assert "Access denied" in ran.said
    assert "xyzzy" not in ran.said


def test_wrong_host_key_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A host that shows another key than the known one is not talked to."""
    known = (sandbox.root / "known_hosts").read_text().splitlines()
    keys = [line.split(" ", 1) for line in known]
    swapped = [f"{keys[i][0]} {keys[i - 1][1]}" for i in range(len(keys))]
    file = tmp_path / "known_hosts"
    file.write_text("\n".join(swapped) + "\n")
    place = bench(sandbox, tmp_path, ssh={"known_hosts": str(file)})
    ran = place.run("verify")
    assert ran.status == 3
    assert "host key" in ran.document["message"]


def test_unknown_host_key_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A host whose key nobody has confirmed is not talked to."""
    file = tmp_path / "known_hosts"
    file.touch()
    place = bench(sandbox, tmp_path, ssh={"known_hosts": str(file)})
    ran = place.run("verify")
    assert ran.status == 3
    assert "not known" in ran.document["message"]


def test_database_down_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    """When nothing listens where the database should be, that is what is said."""
    place = bench(sandbox, tmp_path)
    sandbox.kill_database()
    try:
        ran = place.run("verify")
    finally:
        sandbox.restart_database()
    assert ran.status == 3
    assert "nothing answers" in ran.document["message"]
