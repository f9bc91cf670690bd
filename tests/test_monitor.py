"""`invoke monitor` on real sshds: what it reads, tells, keeps, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.journald import journal
from tests.logs import counted, cut, history, line, log, place, stamp, writing
from tests.support import Bench
from tests.terminal import CTRL_C, answered

LOST = "number # is lost"


@pytest.fixture
def sandbox(mariadb_server: Sandbox) -> Sandbox:
    """Return a sandbox on whose database nobody has ever run anything."""
    mariadb_server.resume()
    mariadb_server.query("DROP TABLE IF EXISTS vaulteer.runbook_ledger")
    return mariadb_server


@pytest.fixture
def followed(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose two hosts have logged six hours, part of it rotated and packed."""
    here = place(sandbox, tmp_path)
    now = time.time()
    old = log(tmp_path, "app1").with_name("api.log.2.gz")
    old.write_bytes(gzip.compress(history(4, 2, until=now - 7200).encode()))
    os.utime(old, (now - 7200, now - 7200))
    log(tmp_path, "app1").write_text(history(2, 2))
    log(tmp_path, "app2").write_text(history(6, 2, seed=2))
    return here


def append(place: Bench, host: str, text: str) -> None:
    """Write more to a host's log."""
    with log(place.folder, host).open("a") as file:
        file.write(text)


@contextmanager
def following(place: Bench) -> Iterator[subprocess.Popen[str]]:
    """Follow in a process of its own, which ends with the `with` block at the latest."""
    with place.start("monitor", "--env=test", "--json") as process:
        try:
            _until((place.folder / ".runbook" / "test" / "monitor" / "watch.json").exists)
            yield process
        finally:
            process.kill()


def test_once_judges_what_is_new_and_says_so_with_its_exit_status(followed: Bench) -> None:
    """The baseline is read first; then only what is new, which is alarming or is not."""
    first = followed.run("monitor", once=True)
    assert (first.status, first.document["outcome"]) == (0, "ok"), first.said
    assert "nothing alarming" in first.document["steps"][0]["detail"]
    assert followed.run("monitor", once=True).status == 0
    spike = "".join(line(time.time(), f"Unknown column 'a_b' in row {i}") for i in range(20))
    append(followed, "app2", spike)
    ran = followed.run("monitor", once=True)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert [(a["where"], a["what"]) for a in ran.document["alerts"]] == [
        ("app2", "new error in api")
    ]
    assert counted(followed, "Unknown column 'a_b' in row #") == 20
    again = followed.run("monitor", once=True)
    assert (again.status, again.document["alerts"]) == (1, [])


def test_json_is_a_line_an_event_and_the_document_last(followed: Bench) -> None:
    """Rates and alerts are objects of one line each, told as they come, the document ends it."""
    with following(followed) as process:
        assert process.stdout is not None
        measured = json.loads(process.stdout.readline())
        append(followed, "app1", line(time.time(), "never seen"))
        told = [json.loads(process.stdout.readline()) for _ in range(60)]
        process.send_signal(signal.SIGTERM)
        document = json.loads(process.communicate(timeout=60)[0].splitlines()[-1])
    assert measured["event"] == "Measured"
    assert [rate["series"] for rate in measured["rates"]] == ["app1 api errors", "app2 api errors"]
    alert = next(event for event in told if event["event"] == "Alert")
    assert (alert["where"], alert["detail"]) == ("app1", "never seen")
    assert (document["command"], document["exit_status"]) == ("monitor", 130)


def test_a_migration_divides_before_from_after(mariadb: Sandbox, followed: Bench) -> None:
    """What was logged since a run changed the database is judged, though nobody followed then."""
    assert mariadb is followed.sandbox
    assert followed.run("migrate").status == 0
    append(followed, "app1", "".join(line(time.time(), "after it") for _ in range(12)))
    ran = followed.run("monitor", once=True)
    assert counted(followed, "after it") == 12
    baseline = next(f for f in ran.document["findings"] if f["what"] == "baseline")
    assert "a run began to change things" in baseline["detail"]
    assert ran.status == 1


def test_the_end_of_the_hours_brings_the_verdict(followed: Bench) -> None:
    """Followed for its hours with nothing alarming, the window may be closed; another is new."""
    ran = followed.run("monitor", hours="0.0004")
    assert ran.status == 0, ran.said
    assert ran.document["steps"][0]["detail"].startswith("safe to close the window")
    assert followed.run("monitor", once=True).document["steps"][0]["detail"].startswith("nothing")


def test_the_hosts_are_asked_exactly_what_was_previewed(followed: Bench) -> None:
    """Preview and run send the same texts, once each host; positions come on standard input."""
    followed.sandbox.clear_commands()
    planned = followed.run("monitor", dry_run=True).document["planned"]
    texts = {feed["host"]: feed["text"] for feed in planned[0]["feeds"]}
    assert all(text in planned[0]["text"] for text in texts.values())
    assert {host: set(followed.sandbox.commands(host)) for host in texts} == {
        host: {text} for host, text in texts.items()
    }
    assert not (followed.folder / ".runbook" / "test" / "monitor").exists()
    followed.run("monitor", once=True)
    assert {host: set(followed.sandbox.commands(host)) for host in texts} == {
        host: {text} for host, text in texts.items()
    }


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


def test_cut_and_silent_connections_cost_nothing(followed: Bench) -> None:
    """A connection that is cut, or falls silent, is made anew; every line is counted once."""
    sandbox = followed.sandbox

    def caught_up(upto: int) -> None:
        _until(lambda: counted(followed, LOST) >= upto)

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
    assert ran.status == 0, ran.said
    baseline = next(f for f in ran.document["findings"] if f["what"] == "baseline")
    assert baseline["level"] == "warning"


def test_commands_are_asked_since_a_time_and_nothing_counts_twice(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What a command prints again, since it was asked for the same second, is told apart."""
    here = place(
        sandbox,
        tmp_path,
        logs={"api": {"role": "app", "command": f"{tmp_path}/print-since {{since}} 2>&1"}},
    )
    program, held = tmp_path / "print-since", log(tmp_path, "app1")
    program.write_text(f"#!/bin/sh\nawk -v since=\"$1\" '$1 >= since' {held}\n")
    program.chmod(0o755)
    now = time.time()
    held.write_text("".join(f"{stamp(now - 3600 + i)} ERROR old {i}\n" for i in range(600)))
    here.run("monitor", once=True)
    with writing(held, every=10**9) as writer:
        for _ in range(4):
            here.run("monitor", once=True)
    here.run("monitor", once=True)
    assert counted(here, LOST) == 2 * writer.written  # both hosts print the same


def test_a_units_journal_is_followed_behind_its_cursor(sandbox: Sandbox, tmp_path: Path) -> None:
    """Entries of a real journal count once: their level is that of the line, or the journal's."""
    here = place(sandbox, tmp_path, logs={"api": {"role": "app", "unit": "shop-api"}})
    with journal(tmp_path / "journal") as written:
        written.link(sandbox.root / "bin")
        try:
            written.write("shop-api", "plain\n" * 20)
            assert here.run("monitor", once=True).status == 1  # nothing is known from before
            lines = "".join(
                json.dumps({"level": 50, "msg": f"boom {i}"}) + "\n" for i in range(300)
            )
            written.write("shop-api", lines)
            written.write("shop-api", "of its priority\n", priority="err")
            written.write("other", "of another unit\n", priority="err")
            here.run("monitor", once=True)
            written.write("shop-api", "TypeError: thrown\n    at its.place\n")
            here.run("monitor", once=True)
        finally:
            (sandbox.root / "bin" / "journalctl").unlink()
    both = 2  # both hosts have this journal
    assert counted(here, "boom #") == 300 * both
    assert counted(here, "of its priority") == both
    assert counted(here, "TypeError: thrown") == both
    assert counted(here, "of another unit") == 0


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


@pytest.mark.parametrize("hours", ["0", "-1", "soon", "nan", "100000"])
def test_hours_that_are_none_are_refused(followed: Bench, hours: str) -> None:
    """What is no sensible number of hours is a usage error."""
    assert followed.run("monitor", hours=hours).status == 2


def test_without_logs_in_the_inventory_it_says_what_is_missing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where the inventory names no logs, the error shows how they are named."""
    ran = place(sandbox, tmp_path, logs={}).run("monitor")
    assert ran.status == 2
    assert "logs:" in ran.document["advice"]


def test_a_terminal_shows_the_rates(followed: Bench) -> None:
    """On a terminal the rates are bars, and Ctrl-C once ends with the summary."""
    status, screen = answered(followed, ("monitor", "--env=test"), ("usual", CTRL_C))
    assert status == 130
    assert "▁" in screen or "█" in screen
    assert "app1 api errors" in screen
    assert "times as many would be found" in screen


def _until(holds: object, seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():  # type: ignore[operator]
                return
        except (StopIteration, json.JSONDecodeError):
            pass  # nothing is kept yet
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
