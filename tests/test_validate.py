"""The change proven in use: consistency, and a job of the application held against the database."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.perform.trial import reports
from sandbox.sandbox import Sandbox
from tests import standins
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, Ran, lean
from tests.test_kill import killed
from tests.watching import migrate

APP = {"app1": {"roles": ["app"]}}


def place(sandbox: Sandbox, folder: Path, **job: str) -> Bench:
    """Return a migrated bench whose application has a job of this kind."""
    command = standins.job(sandbox, folder, **job)
    section = {"host": "app1", "command": command, "report": "summary"}
    made = lean(sandbox, folder, validate=section, hosts=APP)
    assert made.run("migrate").status == 0
    return made


def wrong(ran: Ran) -> dict[str, tuple[str, str]]:
    """Return the comparisons that do not hold, as expected and actual."""
    rows = (row for step in ran.document["steps"] for row in step["checks"])
    return {row["name"]: (row["expected"], row["actual"]) for row in rows if not row["holds"]}


@MYSQL_IS_WIDE
def test_a_job_that_does_what_it_says_is_proven(sandbox: Sandbox, tmp_path: Path) -> None:
    """The smallest event that is due is flagged, and table, audit and summary agree."""
    ran = place(sandbox, tmp_path).run("validate")
    assert ran.status == 0, ran.why
    (trial,) = (step for step in ran.document["steps"] if step["kind"] == "trial")
    assert trial["outcome"] == "changed"
    assert "event event-2 (Meeting 2), published, registered: " in trial["detail"]
    assert json.loads(trial["output"][0])["summary"]["flagged"] > 0


@MYSQL_IS_WIDE
def test_the_preview_tells_what_else_the_job_will_do(sandbox: Sandbox, tmp_path: Path) -> None:
    """The job is given no event, so the preview says how many others are due beside the subject."""
    made = place(sandbox, tmp_path)
    for due, others in (("2", ""), ("2, 3", "1 other event is"), ("2, 3, 4", "2 other events are")):
        sandbox.query(
            f"UPDATE vaulteer.events SET status = IF(event_id IN ({due}), 'ongoing', 'draft')"
        )
        ((ours, theirs),) = sandbox.query(
            "SELECT SUM(event_id = 2), SUM(event_id <> 2) FROM vaulteer.event_participants"
            f" WHERE status = 'registered' AND event_id IN ({due})"
        )
        said = f"now: event event-2 (Meeting 2), ongoing, registered: {ours}"
        said += f", and {others} due too, with {theirs} registered" if others else ""
        planned = made.run("validate", dry_run=True, event="event-2").document["planned"]
        assert [step["found"] for step in planned if step["kind"] == "trial"] == [said]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("status = 'cancelled'", "event event-2 (Meeting 2) is cancelled, and the scheduler"),
        (
            "end_datetime = UTC_TIMESTAMP() + INTERVAL 1 HOUR",
            "UTC, and the scheduler completes only what has ended",
        ),
    ],
)
def test_an_event_that_is_not_due_is_refused(
    mariadb: Sandbox, tmp_path: Path, columns: str, said: str
) -> None:
    """What the job would leave alone is refused, with what would do, and nothing is run."""
    made = place(mariadb, tmp_path)
    mariadb.query(f"UPDATE vaulteer.events SET {columns} WHERE event_id = 2")
    for dry_run in (True, False):
        ran = made.run("validate", event="event-2", dry_run=dry_run)
        assert ran.status == 3
        (row,) = (f for f in ran.document["findings"] if f["level"] == "refused")
        assert said in row["detail"]
        assert "leave --event out" in row["advice"]
    assert mariadb.query("SELECT COUNT(*) FROM vaulteer.event_attendance_audit") == [(0,)]


@MYSQL_IS_WIDE
def test_killed_behind_the_job_the_same_event_is_not_in_the_way(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The event is completed by then: its trial is skipped with a warning, the rest goes on."""
    made = place(sandbox, tmp_path)
    assert killed(made, "validate", "1", "event=event-2")
    sandbox.query("UPDATE vaulteer.events SET status = 'completed' WHERE event_id = 2")
    for dry_run in (True, False):
        ran = made.run("validate", event="event-2", dry_run=dry_run)
        assert ran.status == 0, ran.why
        (row,) = (f for f in ran.document["findings"] if f["what"] == "job")
        assert row["detail"] == "event event-2 (Meeting 2) is completed already"
        assert row["level"] == "warning"
    ended = [step["outcome"] for step in ran.document["steps"] if step["kind"] == "trial"]
    assert ended == ["skipped"]


@MYSQL_IS_WIDE
def test_an_event_with_nobody_registered_holds_and_says_so(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A chosen event without registrations is tried all the same: nobody may be flagged."""
    sandbox.query("DELETE FROM vaulteer.event_participants WHERE event_id = 2")
    ran = place(sandbox, tmp_path).run("validate", event="event-2")
    assert ran.status == 0, ran.why
    assert "registered: 0" in ran.said


def test_nothing_due_is_skipped_with_a_warning(mariadb: Sandbox, tmp_path: Path) -> None:
    """Where no event is due the job is not run, and the preview says what to do."""
    made = place(mariadb, tmp_path)
    mariadb.query("UPDATE vaulteer.events SET status = 'completed'")
    ran = made.run("validate")
    assert ran.status == 0
    assert "skipped" in ran.outcomes
    assert "--event=UID" in ran.said
    assert mariadb.query("SELECT COUNT(*) FROM vaulteer.event_attendance_audit") == [(0,)]


def test_an_event_that_is_not_there_is_refused(mariadb: Sandbox, tmp_path: Path) -> None:
    """A mistyped event is refused before anything runs."""
    ran = place(mariadb, tmp_path).run("validate", event="event-0")
    assert ran.status == 3
    assert "there is no event-0" in ran.said


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("echo fine", "no line of its output has op = summary"),
        ('echo \'{{"op": "summary"\'; echo out of memory >&2; exit 7', "exit status 7"),
    ],
)
def test_a_job_that_fails_or_is_silent_is_a_failure(
    mariadb: Sandbox, tmp_path: Path, job: str, said: str
) -> None:
    """A job without a report, or with another exit status than 0, proves nothing."""
    ran = place(mariadb, tmp_path, script=job).run("validate")
    assert ran.status == 1
    assert said in ran.said


def test_a_pipe_hides_no_job_that_failed(mariadb: Sandbox, tmp_path: Path) -> None:
    """The job fails where any part of its pipe does, though it is run behind a lock."""
    section = {"host": "app1", "command": "false | cat", "report": "summary"}
    made = lean(mariadb, tmp_path, validate=section, hosts=APP)
    assert made.run("migrate").status == 0
    ran = made.run("validate")
    assert (ran.status, "app1: exit status 1" in ran.said) == (1, True)


def test_history_that_disagrees_is_found(mariadb: Sandbox, tmp_path: Path) -> None:
    """A participant changed behind the audit table's back fails the consistency check."""
    made = lean(mariadb, tmp_path)
    assert made.run("migrate").status == 0
    mariadb.query(
        "INSERT INTO vaulteer.event_attendance_audit (event_id, participant_id, action,"
        " previous_status, new_status) VALUES (1, 1, 'check_in', 'unknown', 'present')"
    )
    ran = made.run("validate")
    assert ran.status == 1
    name = "participants whose attendance_status is not what their newest audit row says"
    assert wrong(ran) == {name: ("0", "1")}


UNAUDITED = "participants marked since there is the audit table, without any audit row"


def mark(sandbox: Sandbox, when: str, which: str = "participant_id < 4") -> None:
    """Mark participants without an audit row, as a release would that writes none."""
    sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_status = 'present',"
        f" attendance_marked_at = {when} WHERE {which}"
    )


@MYSQL_IS_WIDE
def test_marks_without_an_audit_row_are_found(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who was marked since the migration has an audit row; older marks need none, in any zone."""
    sandbox.reset(partial=True)
    columns = "attendance_marked_at TIMESTAMP NULL, ADD COLUMN attendance_marked_by INT NULL"
    sandbox.query(f"ALTER TABLE vaulteer.event_participants ADD COLUMN {columns}")
    mark(sandbox, "NOW() - INTERVAL 1 HOUR", "participant_id > 9")
    made = lean(sandbox, tmp_path)
    assert made.run("migrate").status == 0
    sandbox.query("SET GLOBAL time_zone = '-08:00'")
    try:
        assert made.run("validate").status == 0
        mark(sandbox, "NOW() + INTERVAL 1 SECOND")
        ran = made.run("validate")
    finally:
        sandbox.query("SET GLOBAL time_zone = 'SYSTEM'")
    assert (ran.status, wrong(ran)) == (1, {UNAUDITED: ("0", "3")})


@pytest.mark.wide
def test_a_release_that_writes_no_audit_rows_is_found(mariadb: Sandbox, tmp_path: Path) -> None:
    """The scheduler of v1.2.0-unaudited, in earnest, fails the trial and the history."""
    mariadb.start_application("v1.2.0-unaudited")
    section = yaml.safe_load((PROJECT / "inventory.yaml").read_text())["environments"]["sandbox"][
        "validate"
    ]
    made = lean(mariadb, tmp_path, validate=section, hosts=APP)
    assert made.run("migrate").status == 0
    time.sleep(1)  # marks of the very second are not judged
    found = wrong(made.run("validate"))
    assert UNAUDITED in found
    assert "flagged participants with exactly one new audit row" in found
    assert any("no audit row explains" in name for name in found)


@MYSQL_IS_WIDE
def test_where_the_audit_table_was_there_before_its_first_row_counts(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where no ledger tells since when, marks from the first audit row on need one of their own."""
    migrate(sandbox)
    made = lean(sandbox, tmp_path)
    mark(sandbox, "NOW() - INTERVAL 1 HOUR")
    assert made.run("validate").status == 0
    mark(sandbox, "NOW()", "participant_id IN (8, 9)")
    assert made.run("validate").status == 0
    sandbox.query(
        "INSERT INTO vaulteer.event_attendance_audit (event_id, participant_id, action, new_status,"
        " performed_at) SELECT event_id, participant_id, 'check_in', 'present',"
        " attendance_marked_at FROM vaulteer.event_participants WHERE participant_id = 8"
    )
    assert wrong(made.run("validate")) == {UNAUDITED: ("0", "1")}


def test_before_the_migration_validate_fails_without_running_the_job(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Where nothing is migrated the checks fail, and the job is not tried."""
    section = {"host": "app1", "command": "touch ran", "report": "summary"}
    ran = lean(mariadb, tmp_path, validate=section, hosts=APP).run("validate")
    assert ran.status == 1
    assert not [text for text in mariadb.commands("app1") if "touch ran" in text]


def test_killed_within_the_job_the_next_run_waits_for_it(mariadb: Sandbox, tmp_path: Path) -> None:
    """Two jobs at once would be taken for one that lies: the next begins when the first is over."""
    told, go = tmp_path / "told", tmp_path / "go"
    slow = f"echo begun >>{told}; until [ -e {go} ]; do sleep 0.05; done\n{standins.JOB}"
    script = slow.replace('echo "checking', f'echo flagged >>{told}; echo "checking')
    made = place(mariadb, tmp_path, script=script)
    assert killed(made, "validate", "validate:1")
    assert told.read_text() == "begun\n"
    with made.start("validate", "--env=test") as process:
        assert process.stdout
        while "still goes on on app1" not in process.stdout.readline():
            assert process.poll() is None
        go.touch()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert told.read_text() == "begun\nflagged\n" * 2
    assert "16 hold" in out


def test_an_event_that_an_earlier_job_completed_is_not_tried_again(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Due when the run began and completed when its turn came: its trial is skipped, and told."""
    told, go = tmp_path / "told", tmp_path / "go"
    slow = f"echo begun >>{told}; until [ -e {go} ]; do sleep 0.05; done\n{standins.JOB}"
    completed = "UPDATE events SET status = 'completed' WHERE uid = 'event-2';"
    made = place(mariadb, tmp_path, script=slow, also=completed)
    assert killed(made, "validate", "validate:1", "event=event-2")
    with made.start("validate", "--env=test", "--event=event-2") as process:
        assert process.stdout
        while "still goes on on app1" not in process.stdout.readline():
            assert process.poll() is None
        go.touch()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "skipped  validate  app1: try" in out
    assert "event event-2 (Meeting 2) is completed already" in out
    assert told.read_text() == "begun\n"


@given(st.lists(st.text(max_size=40)), st.dictionaries(st.text(), st.integers() | st.text()))
def test_the_report_is_found_among_whatever_lines(
    lines: list[str], more: dict[str, object]
) -> None:
    """A JSON line with the wanted key is picked out of any mixture, and nothing else is."""
    noise = [line for text in lines for line in text.splitlines() if "{" not in line]
    said = {**more, "op": "done"}
    output = "\n".join([*noise, json.dumps(said), '{"op": "other"}', '{"op": "done"', *noise])
    assert list(reports(output, "op", "done")) == [said]
