"""`invoke monitor` on real sshds: what it reads, tells and keeps."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.journald import journal
from tests.logs import (
    append,
    counted,
    following,
    line,
    log,
    logged,
    place,
    stamp,
    untouched,
    writing,
)
from tests.support import Bench
from tests.terminal import CTRL_C, answered
from tests.test_monitor_faults import LOST


@pytest.fixture
def sandbox(mariadb_server: Sandbox) -> Sandbox:
    """Return a sandbox on whose database nobody has ever run anything."""
    return untouched(mariadb_server)


@pytest.fixture
def followed(mariadb_server: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose two hosts have logged six hours, part of it rotated and packed."""
    return logged(untouched(mariadb_server), tmp_path)


def test_once_judges_what_is_new_and_says_so_with_its_exit_status(followed: Bench) -> None:
    """The baseline is read first; then only what is new, which is alarming or is not."""
    first = followed.run("monitor", once=True)
    assert (first.status, first.document["outcome"]) == (0, "ok"), first.why
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
    assert ran.status == 0, ran.why
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


def test_a_command_whose_pipe_fails_is_no_silent_log(mariadb: Sandbox, tmp_path: Path) -> None:
    """Where the first part of a pipe fails, the log is told as one that cannot be read."""
    logs = {"api": {"role": "app", "command": "docker-of-old logs --since {since} | cat"}}
    ran = place(mariadb, tmp_path, logs=logs).run("monitor", once=True)
    found = [f for f in ran.document["findings"] if f["what"] == "log api"]
    assert [(f["where"], f["level"]) for f in found] == [("app1", "warning"), ("app2", "warning")]
    assert all("docker-of-old: command not found" in f["detail"] for f in found)


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
