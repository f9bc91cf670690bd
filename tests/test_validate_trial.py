"""The trial of a job: what it says, what it did, and that nobody else was changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.standins import FLAG
from tests.support import MYSQL_IS_WIDE, PROJECT
from tests.test_validate import place, wrong

TRIAL = PROJECT / "sql" / "attendance" / "trial"
AUDITED = (
    "INSERT INTO event_attendance_audit (event_id, participant_id, {columns}, action,"
    " previous_status, new_status) SELECT event_id, participant_id, {values}"
    " FROM event_participants WHERE {which};"
)
"""Writes an audit row for each of some participants."""
HISTORY = ("audit rows", "participants whose", "participants marked since")
"""What the checks of `validate/` begin with, which the same lies may break as well."""
UNEXPLAINED = "other events with marks that no audit row explains"
LIES = "other events whose summary is not what the tables show"
SAYS = 'echo \'{"op": "summary", "event": "%s", "summary": {"flagged": %d, "scanned": %d}}\''


def marked(status: str, which: str, **more: str) -> str:
    """Return the SQL that marks some participants, with more columns where they are given."""
    columns = {"attendance_status": f"'{status}'", "attendance_marked_at": "NOW()", **more}
    texts = ", ".join(f"{name} = {value}" for name, value in columns.items())
    return f"UPDATE event_participants SET {texts} WHERE {which};"


def audited(which: str, action: str, new: str, *, by: str = "NULL") -> str:
    """Return the SQL that writes the audit rows of a change which is about to be made."""
    values = f"{by}, '{action}', COALESCE(attendance_status, 'unknown'), '{new}'"
    return AUDITED.format(columns="marked_by", values=values, which=which)


CANCELLED = "event_id = 2 AND status = 'cancelled'"
ELSEWHERE = "event_id = 1 AND participant_id BETWEEN 5 AND 7"


@pytest.mark.parametrize(
    ("also", "count", "found"),
    [
        ("", "flagged + 1", {"flagged participants, by its summary and by the table"}),
        (
            f"UPDATE event_participants SET attendance_status = 'late' WHERE {CANCELLED} LIMIT 1;",
            "flagged",
            {"participants of the event who changed otherwise"},
        ),
        (
            "UPDATE event_participants SET attendance_updated_at = '2020-01-01'"
            f" WHERE {CANCELLED} LIMIT 1;",
            "flagged",
            {"participants of the event who changed otherwise"},
        ),
        (
            audited("event_id = 2 AND status = 'registered' LIMIT 1", "mark_absent", "absent"),
            "flagged",
            {"flagged participants with exactly one new audit row"},
        ),
        (
            audited("event_id = 1 LIMIT 1", "mark_absent", "absent"),
            "flagged",
            {"participants marked absent in events without a summary"},
        ),
        (
            "DELETE FROM event_attendance_audit WHERE event_id = 2 ORDER BY participant_id LIMIT 1;"
            "UPDATE event_participants SET attendance_status = 'unknown', attendance_marked_at ="
            " NULL, attendance_updated_at = NULL WHERE event_id = 2 AND status = 'registered'"
            " ORDER BY participant_id LIMIT 1;",
            "flagged - 1",
            {"registered participants still without a mark"},
        ),
        (marked("absent", ELSEWHERE), "flagged", {UNEXPLAINED}),
        (marked("late", ELSEWHERE), "flagged", {UNEXPLAINED}),
        (
            f"UPDATE event_participants SET attendance_notes = '' WHERE {ELSEWHERE};",
            "flagged",
            {UNEXPLAINED},
        ),
        (
            audited("participant_id = 5", "check_in", "present", by="1")
            + marked("present", "participant_id IN (5, 6)"),
            "flagged",
            {UNEXPLAINED},
        ),
        (
            "UPDATE event_participants SET status = 'no_show'"
            " WHERE event_id = 2 AND status = 'registered';",
            "flagged",
            {"participants of the event whose registration changed"},
        ),
        (
            f"DELETE FROM event_participants WHERE {CANCELLED};",
            "flagged",
            {"participants of the event who are gone"},
        ),
        (
            audited(f"{CANCELLED} LIMIT 1", "mark_absent", "absent")
            + marked("absent", f"{CANCELLED} LIMIT 1"),
            "flagged + 1",
            {"flagged participants who were registered and without a mark"},
        ),
        (
            "UPDATE event_participants SET attendance_notes = 'overwritten' WHERE event_id = 2;",
            "flagged",
            {"participants of the event whose attendance_notes changed"},
        ),
        (
            audited("participant_id = 5", "check_in", "present")
            + marked("present", "participant_id = 5"),
            "flagged",
            {"other new audit rows that name nobody"},
        ),
    ],
)
def test_a_job_that_did_something_else_is_found(
    mariadb: Sandbox, tmp_path: Path, also: str, count: str, found: set[str]
) -> None:
    """Each way in which a job does other than it says fails by its name, and by no other."""
    ran = place(mariadb, tmp_path, also=also, count=count).run("validate")
    assert ran.status == 1
    history = {name for name in wrong(ran) if name.startswith(HISTORY)}
    assert set(wrong(ran)) - history == found


def test_two_who_swap_their_marks_are_found(mariadb: Sandbox, tmp_path: Path) -> None:
    """A checksum of many participants does not miss changes that mirror each other."""
    swap = marked("late", "participant_id = 12") + marked("present", "participant_id = 13")
    made = place(mariadb, tmp_path, also=swap.replace("NOW()", "'2025-01-01'"))
    for status, key in (("present", 12), ("late", 13)):
        text = marked(status, f"participant_id = {key}").replace("NOW()", "'2025-01-01'")
        mariadb.query(text.replace("event_participants", "vaulteer.event_participants"))
    ran = made.run("validate")
    assert (ran.status, wrong(ran)) == (1, {UNEXPLAINED: ("0", "1, such as event-1")})


@pytest.mark.parametrize(
    ("event", "name", "actual"),
    [
        ("event-1", LIES, "1, such as event-1: 99 flagged of 99, audit rows: 0, marked absent: 0"),
        ("event-0", "summaries of events that are not there", "1"),
        ("event-2", "summaries of event-2", "2"),
    ],
)
def test_a_second_summary_that_lies_is_found(
    mariadb: Sandbox, tmp_path: Path, event: str, name: str, actual: str
) -> None:
    """Every summary is held against its event, also that of another event than the subject."""
    ran = place(mariadb, tmp_path, more=SAYS % (event, 99, 99)).run("validate")
    assert ran.status == 1
    assert wrong(ran)[name][1] == actual


def test_another_event_that_was_audited_and_not_flagged_is_found(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Audit rows and a summary that agree are not enough where the participants bear no mark."""
    which = "event_id = 3 AND participant_id <= 53"
    also = audited(which, "mark_absent", "absent")
    ran = place(mariadb, tmp_path, also=also, more=SAYS % ("event-3", 3, 3)).run("validate")
    said = "1, such as event-3: 3 flagged of 3, audit rows: 3, marked absent: 0"
    assert wrong(ran)[LIES] == ("0", said)


@MYSQL_IS_WIDE
def test_what_others_do_meanwhile_is_no_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    """Another due event that is reported rightly, and people's own doings elsewhere, hold."""
    sandbox.query("UPDATE vaulteer.events SET status = 'published' WHERE event_id = 3")
    traffic = (
        FLAG.format(event="event-3").replace("SELECT ROW_COUNT();", "")
        + "UPDATE event_participants SET status = 'cancelled' WHERE participant_id IN (6, 9);"
        "INSERT INTO event_participants (event_id, user_id) SELECT 1, MAX(user_id) FROM users;"
        + audited("participant_id = 3", "check_in", "present", by="1")
        + marked("present", "participant_id = 3", attendance_marked_by="1")
        + audited("participant_id = 5", "correction", "late", by="1")
        + marked("late", "participant_id = 5", attendance_notes="'the bus'")
    )
    sandbox.query(
        "INSERT INTO vaulteer.users (uid, email, display_name) VALUES ('new', 'new@x.test', 'N')"
    )
    counted = "SELECT COUNT(*) FROM vaulteer.event_participants WHERE event_id = 3"
    ((there,),) = sandbox.query(f"{counted} AND status = 'registered'")
    assert isinstance(there, int)
    made = place(sandbox, tmp_path, also=traffic, more=SAYS % ("event-3", there, there))
    sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_status = 'present',"
        " attendance_marked_at = '2025-01-01' WHERE participant_id IN (4, 5, 6)"
    )
    ran = made.run("validate")
    assert ran.status == 0, ran.why


def test_who_was_flagged_in_an_earlier_life_is_left_alone(mariadb: Sandbox, tmp_path: Path) -> None:
    """An automatic absence that a person took back stays so, and rows of people long gone do."""
    again = (
        "UPDATE event_participants SET attendance_status = 'unknown', attendance_marked_at = NULL,"
        " attendance_updated_at = NULL WHERE participant_id = 26;"
    )
    made = place(mariadb, tmp_path, also=again)
    columns = "(event_id, participant_id, action, previous_status, new_status, dedupe_key)"
    mariadb.query(
        f"INSERT INTO vaulteer.event_attendance_audit {columns} VALUES"
        " (2, 26, 'mark_absent', 'unknown', 'absent', 'auto-absent:26'),"
        " (2, 26, 'correction', 'absent', 'unknown', NULL),"
        " (2, 999999, 'check_in', 'unknown', 'present', NULL)"
    )
    ran = made.run("validate")
    assert ran.status == 0, ran.why


@MYSQL_IS_WIDE
def test_what_is_remembered_may_be_large(sandbox: Sandbox, tmp_path: Path) -> None:
    """With 30,000 marked events and 30,000 participants nothing is cut off, on either server."""
    made = place(sandbox, tmp_path, also=marked("late", "event_id = 29999"))
    numbers = (
        "WITH RECURSIVE ten (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM ten WHERE n < 9)"
        " SELECT 10000 * a.n + 1000 * b.n + 100 * c.n + 10 * d.n + e.n + 1000 AS n"
        " FROM ten a JOIN ten b JOIN ten c JOIN ten d JOIN ten e WHERE a.n < 3"
    )
    people = "INSERT INTO event_participants (event_id, user_id, status, attendance_status)"
    sandbox.load(
        "USE vaulteer; SET foreign_key_checks = 0;"
        f"CREATE TEMPORARY TABLE numbers {numbers};"
        "INSERT INTO events (event_id, uid, title, start_datetime, end_datetime, status)"
        " SELECT n, CONCAT('many-', n), '', '2025-01-01', '2025-01-01', 'archived' FROM numbers;"
        f"{people} SELECT n, 1, 'registered', 'present' FROM numbers;"
        f"{people} SELECT 2, n, 'cancelled', 'unknown' FROM numbers;"
    )
    ran = made.run("validate", event="event-2")
    assert wrong(ran)[UNEXPLAINED] == ("0", "1, such as many-29999")
    assert {name for name in wrong(ran) if "since there is" not in name} == {UNEXPLAINED}


@MYSQL_IS_WIDE
def test_columns_of_other_collations_are_compared(sandbox: Sandbox, tmp_path: Path) -> None:
    """An environment whose columns have collations of their own is proven as any other."""
    made = place(sandbox, tmp_path)
    status = "ENUM('registered', 'waitlisted', 'attended', 'cancelled', 'no_show')"
    sandbox.load(
        "USE vaulteer; ALTER TABLE event_participants"
        " MODIFY attendance_status ENUM('unknown', 'present', 'late', 'absent')"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_spanish_ci NOT NULL DEFAULT 'unknown',"
        f" MODIFY status {status} CHARACTER SET latin1 NOT NULL DEFAULT 'registered';"
        "ALTER TABLE events MODIFY uid VARCHAR(255) COLLATE utf8mb4_german2_ci NOT NULL;"
    )
    ran = made.run("validate", event="event-2")
    checks = {row["name"]: row["holds"] for step in ran.document["steps"] for row in step["checks"]}
    assert checks["flagged participants with exactly one new audit row"]
    assert checks["participants whose attendance_status is not what their newest audit row says"]


@MYSQL_IS_WIDE
def test_by_hand_it_is_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """The three files in one session of the mysql client tell the same, job and all."""
    place(sandbox, tmp_path)
    report = json.dumps([{"event": "event-2", "summary": {"flagged": 1, "scanned": 1}}])
    subject, before, after = (
        (TRIAL / f"{name}.sql").read_text() for name in ("subject", "before", "after")
    )
    job = FLAG.format(event="event-2").replace("SELECT ROW_COUNT();", "")
    client = str(sandbox.database.programs.client)
    done = subprocess.run(
        [client, f"--defaults-extra-file={sandbox.root}/root.cnf", "-N", "vaulteer"],
        input=f"{subject}{before}{job}SET @report = '{report}';\n{after}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "event event-2 (Meeting 2), published, registered: " in said
    rows = [line.split("\t") for line in said.splitlines() if line.count("\t") == 2]
    assert len(rows) == 16
    assert [name for name, expected, actual in rows if expected != actual] == [
        "flagged participants, by its summary and by the table"
    ]
