"""The scan by itself, on real servers: what it alerts of, accepts, and how it stands faults."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sandbox.processes import descendants
from sandbox.sandbox import Sandbox
from tests.watching import AUDIT, insert, lines, scanner


def test_a_row_that_commits_late_is_no_alert(mariadb: Sandbox, tmp_path: Path) -> None:
    """A key below newer ones is an append while a transaction may still have had it in hand."""
    made = scanner(mariadb, tmp_path, settle=600.0)
    insert(mariadb, *range(1, 40, 2))
    assert made.scan("baseline").status == 0
    insert(mariadb, 20)
    late = made.scan()
    assert (late.status, late.told["new"]) == (0, 1)
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'x' WHERE id = 20")
    assert made.scan().found == {("changed", "20")}
    mariadb.query(f"UPDATE {AUDIT} SET reason = NULL WHERE id = 20")
    marks = made.folder / "baseline" / "event_attendance_audit" / "marks"
    marks.write_text("".join(f"{int(line[:10]) - 601}{line[10:]}\n" for line in lines(marks)))
    insert(mariadb, 22, 50)
    assert made.scan().found == {("inserted", "22")}


def test_a_table_emptied_or_gone(mariadb: Sandbox, tmp_path: Path) -> None:
    """TRUNCATE is every row deleted; a table that is gone is a scan that failed, and alerts."""
    alerts = tmp_path / "alerts"
    made = scanner(mariadb, tmp_path, alert=f"cat >> {alerts}")
    insert(mariadb, *range(1, 31))
    assert made.scan("baseline").status == 0
    mariadb.query(f"TRUNCATE {AUDIT}")
    said = made.scan()
    assert said.found == {("deleted", str(key)) for key in range(1, 31)}
    assert len(lines(made.folder / "findings.tsv")) == 30
    mariadb.query(f"DROP TABLE {AUDIT}")
    gone = made.scan()
    assert (gone.status, gone.told["outcome"]) == (2, "failed")
    assert "doesn't exist" in gone.told["message"]
    assert [json.loads(line)["outcome"] for line in lines(alerts)] == ["alert", "failed"]


def test_an_alert_whose_pipe_failed_is_sent_again(mariadb: Sandbox, tmp_path: Path) -> None:
    """A command that hands the alert to what fails has not told anybody: the next scan does."""
    alerts = tmp_path / "alerts"
    made = scanner(mariadb, tmp_path, alert=f"cat >> {alerts}; false | cat")
    insert(mariadb, *range(1, 31))
    assert made.scan("baseline").status == 0
    mariadb.query(f"TRUNCATE {AUDIT}")
    assert (made.scan().status, made.scan().status) == (1, 1)
    assert [json.loads(line)["outcome"] for line in lines(alerts)] == ["alert", "alert"]


def test_a_column_that_nobody_watches_is_an_alert(mariadb: Sandbox, tmp_path: Path) -> None:
    """One column more than the digests hold is told by its check, also after accepting."""
    made = scanner(mariadb, tmp_path)
    assert made.scan("baseline").status == 0
    mariadb.query(f"ALTER TABLE {AUDIT} ADD COLUMN extra INT NULL")
    said = made.scan()
    (row,) = said.told["findings"]
    assert (said.status, row["what"]) == (1, "differs")
    assert row["actual"].endswith(",extra")
    assert made.scan("accept", said.told["digest"]).status == 1


def test_only_what_was_shown_is_accepted(mariadb: Sandbox, tmp_path: Path) -> None:
    """What changes after the findings were shown is not taken along with them."""
    made = scanner(mariadb, tmp_path)
    insert(mariadb, *range(1, 31))
    assert made.scan("baseline").status == 0
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'x' WHERE id = 3")
    shown = made.scan().told["digest"]
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'y' WHERE id = 3")
    said = made.scan("accept", shown)
    assert (said.status, said.found) == (1, {("changed", "3")})
    assert "nothing was accepted" in said.told["message"]
    assert made.scan().status == 1


def test_alerts_come_once_and_again_when_they_failed(mariadb: Sandbox, tmp_path: Path) -> None:
    """The same findings alert once, new ones again; a failing command is tried at the next scan."""
    alerts, works = tmp_path / "alerts", tmp_path / "works"
    made = scanner(
        mariadb, tmp_path, alert=f"test -e {works} && cat >> {alerts}", heartbeat=f"cat > {works}"
    )
    insert(mariadb, *range(1, 31))
    assert made.scan("baseline").status == 0
    assert json.loads(works.read_text())["outcome"] == "baseline"
    works.unlink()
    mariadb.query(f"DELETE FROM {AUDIT} WHERE id = 3")
    assert made.scan().status == 1
    assert not alerts.exists()
    works.touch()
    assert [made.scan().status for _ in range(2)] == [1, 1]
    assert len(lines(alerts)) == 1
    mariadb.query(f"DELETE FROM {AUDIT} WHERE id = 4")
    assert made.scan().status == 1
    assert len(lines(alerts)) == 2


def test_a_scan_that_did_not_run_is_told_by_the_next(mariadb: Sandbox, tmp_path: Path) -> None:
    """After a gap in the timetable the next scan alerts, once, though the rows are as they were."""
    made = scanner(mariadb, tmp_path, every=60.0)
    assert made.scan("baseline").status == 0
    ran = made.folder / "ran"
    ran.write_text(f"{int(ran.read_text()) - 181}\n")
    said = made.scan()
    assert (said.status, said.told["outcome"]) == (1, "alert")
    assert "no scan ran between" in said.told["message"]
    assert made.scan().status == 0


def test_a_baseline_that_is_gone_is_not_taken_anew(mariadb: Sandbox, tmp_path: Path) -> None:
    """Whoever deletes the baseline does not get a clean scan: the timetable's scan fails."""
    made = scanner(mariadb, tmp_path)
    assert made.scan("baseline").status == 0
    shutil.rmtree(made.folder / "baseline")
    said = made.scan()
    assert (said.status, said.told["outcome"]) == (2, "failed")
    assert "has no baseline" in said.told["message"]


def test_two_scans_do_not_meet(mariadb: Sandbox, tmp_path: Path) -> None:
    """The timetable's scan leaves a running one alone."""
    made = scanner(mariadb, tmp_path)
    assert made.scan("baseline").status == 0
    with (made.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with made.start() as second:
            out, err = second.communicate(timeout=30)
    assert (second.returncode, out, err) == (0, "", "")


@pytest.mark.wide
def test_killed_anywhere_the_next_scan_is_right(mariadb: Sandbox, tmp_path: Path) -> None:
    """A scan that is killed at any moment neither loses a finding nor makes one up."""
    made = scanner(mariadb, tmp_path, width=16)
    insert(mariadb, *range(1, 301))
    assert made.scan("baseline").status == 0
    top = 300
    for turn in range(40):
        insert(mariadb, *range(top + 1, top + 41))
        top += 40
        process = made.start()
        time.sleep(0.01 * turn)
        for each in (process.pid, *descendants_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.communicate()
        # A process forked after they were counted lives on, and holds the lock while it does.
        subprocess.run(["flock", "--wait=60", made.folder / "lock", "true"], check=True)
        assert made.scan().status == 0, turn
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'x' WHERE id = 7")
    assert made.scan().found == {("changed", "7")}


def descendants_of(pid: int) -> list[int]:
    """Return the processes below a process."""
    return [process.pid for process in descendants(pid)]


def test_a_new_row_that_says_it_is_old(mariadb: Sandbox, tmp_path: Path) -> None:
    """A row with a new key and a time before scans that did not see it is found, until accepted."""
    made = scanner(mariadb, tmp_path, settle=60.0)
    insert(mariadb, *range(1, 20))
    assert made.scan("baseline").status == 0
    texts = ("NOW() - INTERVAL 30 SECOND", "NOW() - INTERVAL 1 DAY", "NOW() + INTERVAL 1 DAY")
    for text in texts:
        mariadb.query(
            f"INSERT INTO {AUDIT} (event_id, participant_id, action, performed_at)"
            f" VALUES (1, 1, 'check_in', {text})"
        )
    said = made.scan()
    assert (said.status, said.found, said.told["new"]) == (1, {("backdated", "21")}, 2)
    assert made.scan().found == {("backdated", "21")}
    assert made.scan("accept", said.told["digest"]).status == 0
    assert made.scan().status == 0


def test_another_question_needs_another_baseline(mariadb: Sandbox, tmp_path: Path) -> None:
    """When the file asks otherwise than the baseline's did, no row is called changed for it."""
    made = scanner(mariadb, tmp_path)
    insert(mariadb, *range(1, 20))
    assert made.scan("baseline").status == 0
    text = made.script.read_text()
    made.script.write_text(text.replace("COALESCE(HEX(reason)", "COALESCE(LOWER(HEX(reason))"))
    said = made.scan()
    assert (said.status, said.told["outcome"]) == (2, "failed")
    assert "asked for otherwise" in said.told["message"]
    assert made.scan("baseline").told["outcome"] == "baseline"
    assert made.scan().status == 0
