"""`invoke monitor` while connections, hosts, the database and itself go away."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from runbook.perform import follow
from runbook.perform.following import Following
from sandbox.sandbox import Sandbox
from tests.logs import (
    QUICK,
    append,
    counted,
    cut,
    following,
    line,
    log,
    logged,
    stamp,
    until,
    untouched,
    writing,
)
from tests.support import Bench

LOST = "number # is lost"
FLOOD = 200_000
"""Errors within a second or two."""


@pytest.fixture
def followed(mariadb_server: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose two hosts have logged six hours, part of it rotated and packed."""
    return logged(untouched(mariadb_server), tmp_path)


def test_nothing_is_missed_or_counted_twice_through_rotations_and_kills(followed: Bench) -> None:
    """Killed again and again while a log is rotated in every way, the counts are exact."""
    assert followed.run("monitor", once=True).status == 0
    with writing(log(followed.folder, "app1")) as writer:
        for _ in range(3):
            with followed.start("monitor", "--env=test", "--json") as process:
                time.sleep(1.7)
                process.kill()
                process.communicate()
    time.sleep(0.2)
    assert writer.written > 500
    followed.run("monitor", once=True)
    assert counted(followed, LOST) == writer.written


def test_cut_and_silent_connections_cost_nothing(mariadb_server: Sandbox, tmp_path: Path) -> None:
    """A connection that is cut, or falls silent, is made anew; every line is counted once."""
    sandbox = untouched(mariadb_server)
    followed = logged(sandbox, tmp_path, timeouts=QUICK)

    def caught_up(upto: int) -> None:
        until(lambda: counted(followed, LOST) >= upto)

    with following(followed) as process, writing(log(followed.folder, "app1")) as writer:
        caught_up(1)
        cut(sandbox, "app1")
        caught_up(writer.written + 1)
        frozen = sandbox.connections("app1")
        for connection in frozen:
            connection.send(signal.SIGSTOP)
        caught_up(writer.written + 500)
        for connection in frozen:
            connection.send(signal.SIGCONT)
        writer.stop()
        caught_up(writer.written)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert counted(followed, LOST) == writer.written
    assert process.returncode == 130
    document = json.loads(out.splitlines()[-1])
    assert document["outcome"] == "stopped"
    assert "goes on where this one stopped" in document["advice"]
    assert any("most frequent" in said for said in document["steps"][0]["output"])


def test_a_host_that_is_down_is_told_and_caught_up_with(followed: Bench) -> None:
    """With one host down the other is followed and it is not safe; back again, nothing is lost."""
    assert followed.run("monitor", once=True).status == 0
    host = followed.sandbox.hosts["app2"]
    server = host.process()
    assert server is not None
    cut(followed.sandbox, "app2")
    server.end()
    try:
        for name in ("app1", "app2"):
            append(followed, name, line(time.time(), "while it was down"))
        ran = followed.run("monitor", once=True)
    finally:
        host.start()
    assert ran.status == 1
    failing = [check for check in ran.document["steps"][0]["checks"] if not check["holds"]]
    assert failing[0]["name"] == "app2 api: read"
    assert "no SSH connection" in failing[0]["actual"]
    assert counted(followed, "while it was down") == 1
    followed.run("monitor", once=True)
    assert counted(followed, "while it was down") == 2


def test_no_host_reachable_is_a_refusal(followed: Bench) -> None:
    """When not a single log can be looked at, nothing is followed."""
    servers = [followed.sandbox.hosts[name].process() for name in ("app1", "app2")]
    for name, server in zip(("app1", "app2"), servers, strict=True):
        cut(followed.sandbox, name)
        assert server is not None
        server.end()
    try:
        assert followed.run("monitor", once=True).status == 3
    finally:
        for name in ("app1", "app2"):
            followed.sandbox.hosts[name].start()


def test_the_database_may_be_down(followed: Bench) -> None:
    """Logs are followed also when the database is not there: from now on."""
    followed.sandbox.kill_database()
    try:
        ran = followed.run("monitor", once=True)
    finally:
        followed.sandbox.restart_database()
    assert ran.status == 0, ran.why
    baseline = next(f for f in ran.document["findings"] if f["what"] == "baseline")
    assert baseline["level"] == "warning"


def test_a_clock_that_is_wrong_is_told_and_does_no_harm(followed: Bench) -> None:
    """With a host's clock ten minutes ahead, its lines count by ours."""
    fake = followed.sandbox.root / "bin" / "date"
    fake.write_text('#!/bin/sh\nexec /bin/date -d "+10 minutes" "$@"\n')
    fake.chmod(0o755)
    try:
        ran = followed.run("monitor", once=True)
        append(followed, "app1", line(time.time() + 600, "ahead"))
        followed.run("monitor", once=True)
    finally:
        fake.unlink()
    clock = [f for f in ran.document["findings"] if f["what"] == "clock"]
    assert {f["where"] for f in clock} == {"app1", "app2"}
    assert "10 min ahead" in clock[0]["detail"]
    assert counted(followed, "ahead") == 1


def test_a_look_at_the_turn_of_a_minute_reads_its_baseline_to_the_end(
    followed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun just when a minute does, --once asks until that minute's turn is read, and judges."""
    real, begin = time.time, follow._begin

    def at_the_turn(*args: Any) -> Following:
        late = real() % 60 - 0.01
        monkeypatch.setattr(time, "time", lambda: real() - late)
        return begin(*args)

    monkeypatch.setattr(follow, "_begin", at_the_turn)
    ran = followed.run("monitor", once=True)
    assert ran.status == 0, ran.why


def test_two_cannot_follow_at_once(followed: Bench) -> None:
    """A second follower on this machine is refused, and told which process is the first."""
    with following(followed) as process:
        ran = followed.run("monitor", once=True)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 130
    assert ran.document["exit_status"] == 1
    assert str(process.pid) in ran.document["message"]


def test_damaged_state_is_said_and_fresh_begins_anew(followed: Bench) -> None:
    """What was kept and cannot be read is a usage error; --fresh reads the baseline again."""
    assert followed.run("monitor", once=True).status == 0
    (followed.folder / ".runbook" / "test" / "monitor" / "watch.json").write_text("{")
    ran = followed.run("monitor", once=True)
    assert ran.status == 2
    assert "--fresh" in ran.document["advice"]
    assert followed.run("monitor", once=True, fresh=True).status == 0


def test_a_flood_is_counted_to_its_last_line_and_hides_no_other_log(followed: Bench) -> None:
    """While one host logs errors as fast as it can, the other is read; then every line counts."""
    first = followed.run("monitor", once=True)
    assert first.status == 0, first.why
    flood = log(followed.folder, "app1")
    now = stamp(time.time())
    piece = "".join(f"{now} ERROR number {i} is lost\n" for i in range(FLOOD // 10))
    with following(followed) as process:
        for _ in range(10):
            with flood.open("a") as file:
                file.write(piece)
            append(followed, "app2", line(time.time(), "of the other host"))
            time.sleep(0.1)
        until(lambda: counted(followed, "of the other host") == 10, 60)
        until(lambda: counted(followed, LOST) == FLOOD, 60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    document = json.loads(out.splitlines()[-1])
    assert (process.returncode, document["outcome"]) == (130, "stopped")
    again = followed.run("monitor", once=True)
    assert counted(followed, LOST) == FLOOD
    assert "app1" in {alert["where"] for alert in (*document["alerts"], *again.document["alerts"])}
