"""The scan by itself, on real servers: it finds every edit of the past, and nothing else."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.processes import descendants
from sandbox.sandbox import Sandbox
from tests.watching import AUDIT, COLUMNS, Scanner, scanner

KEYS = range(2, 82, 2)
"""Keys of the table at the baseline: the odd ones are gaps, as INSERT IGNORE leaves them."""
FILL = (
    f"INSERT INTO {AUDIT} (id, event_id, participant_id, user_id, marked_by, action,"
    " previous_status, new_status, reason, dedupe_key, performed_at) VALUES "
)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "a", "A", "a ", "á", "a\u0301", "N", "1,N", "\t", "\n", "\\N", "'"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
STATUSES = st.sampled_from([None, "unknown", "present", "late", "absent"])
NUMBERS = st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1))
VALUES: dict[str, st.SearchStrategy[object]] = {
    "event_id": st.integers(-(2**31), 2**31 - 1),
    "participant_id": st.integers(0, 99),
    "user_id": NUMBERS,
    "marked_by": NUMBERS,
    "action": st.sampled_from(["check_in", "correction", "mark_absent", "finalize_attended"]),
    "previous_status": STATUSES,
    "new_status": STATUSES,
    "reason": TEXTS,
    "performed_at": st.datetimes().map(lambda _: "2020-02-02 02:02:02"),
}
EDIT = st.one_of(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda column: st.tuples(
            st.just("update"), st.sampled_from(KEYS), st.just(column), VALUES[column]
        )
    ),
    st.tuples(st.just("delete"), st.sampled_from(KEYS)),
    st.tuples(st.just("insert"), st.integers(0, 40).map(lambda n: 2 * n + 1)),
    st.tuples(st.just("swap"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
    st.tuples(st.just("append"), st.integers(1, 30)),
)


@pytest.fixture
def filled(sandbox: Sandbox, tmp_path: Path) -> Scanner:
    """Return a scanner on each server in turn, whose baseline has 40 rows in ranges of 8."""
    return kept(sandbox, tmp_path)


@pytest.fixture
def mariadb_filled(mariadb: Sandbox, tmp_path: Path) -> Scanner:
    """Return the same on MariaDB alone."""
    return kept(mariadb, tmp_path)


def kept(sandbox: Sandbox, folder: Path) -> Scanner:
    """Return a scanner with its baseline, of which `kept` beside it is a copy."""
    made = scanner(sandbox, folder)
    fill(sandbox)
    assert made.scan("baseline").status == 0
    shutil.copytree(made.folder, folder / "kept")
    return made


def fill(sandbox: Sandbox) -> None:
    """Lay the table anew with the same rows."""
    rows = (
        f"({key}, {key % 5}, {key}, NULL, {key % 3}, 'check_in', NULL, 'present',"
        f" {'NULL' if key % 4 else repr(f'because {key}')}, NULL, '2025-01-01 10:00:00')"
        for key in KEYS
    )
    sandbox.load(f"TRUNCATE {AUDIT}; {FILL}{', '.join(rows)};")


def rows(sandbox: Sandbox) -> dict[str, tuple[object, ...]]:
    """Return every row by its key, as bytes, so that nothing but equal bytes is equal."""
    columns = ", ".join(f"CAST({column} AS BINARY)" for column in COLUMNS)
    return {str(row[0]): row[1:] for row in sandbox.query(f"SELECT id, {columns} FROM {AUDIT}")}


def edit(sandbox: Sandbox, edits: list[tuple[object, ...]]) -> None:
    """Do the edits, one after the other."""
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        for kind, *words in edits:
            match kind, *words:
                case "update", key, column, value:
                    cursor.execute(f"UPDATE {AUDIT} SET {column} = %s WHERE id = %s", (value, key))
                case "delete", key:
                    cursor.execute(f"DELETE FROM {AUDIT} WHERE id = %s", (key,))
                case "insert", key:
                    text = f"INSERT IGNORE INTO {AUDIT} (id, event_id, participant_id, action)"
                    cursor.execute(f"{text} VALUES (%s, 1, 1, 'check_in')", (key,))
                case "swap", one, other:
                    for a, b in ((one, 0), (other, one), (0, other)):
                        cursor.execute("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', @moved = NULL")
                        cursor.execute(f"UPDATE {AUDIT} SET id = %s WHERE id = %s", (b, a))
                case "append", count:
                    text = f"INSERT INTO {AUDIT} (event_id, participant_id, action)"
                    values = ", ".join(["(1, 1, 'correction')"] * int(str(count)))
                    cursor.execute(f"{text} VALUES {values}")


RELAXED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=6, **RELAXED)  # type: ignore[arg-type]
@given(edits=st.lists(EDIT, min_size=1, max_size=6))
def test_every_edit_of_the_past_is_found_and_nothing_else(
    mariadb_filled: Scanner, edits: list[tuple[object, ...]]
) -> None:
    """What differs from the baseline, byte by byte, is found; what is appended is not."""
    finds(mariadb_filled, edits)


@pytest.mark.wide
@settings(max_examples=60, **RELAXED)  # type: ignore[arg-type]
@given(edits=st.lists(EDIT, min_size=1, max_size=8))
def test_the_same_many_times(filled: Scanner, edits: list[tuple[object, ...]]) -> None:
    """The same holds on both servers for many more edits."""
    finds(filled, edits)


def test_what_looks_alike_is_told_apart(filled: Scanner) -> None:
    """NULL and empty, case, accents and blanks, two rows swapped: each is found, at its key."""
    alike = [("reason", ""), ("reason", "BECAUSE 12"), ("reason", "because 20 "), ("user_id", 0)]
    edits: list[tuple[object, ...]] = [
        ("update", key, column, value)
        for key, (column, value) in zip((2, 12, 20, 30), alike, strict=True)
    ]
    edits += [("swap", 40, 66), ("delete", 50), ("insert", 33), ("append", 20)]
    assert finds(filled, edits) == {
        *(("changed", key) for key in ("2", "12", "20", "30", "40", "66")),
        ("deleted", "50"),
        ("inserted", "33"),
    }


def finds(filled: Scanner, edits: list[tuple[object, ...]]) -> set[tuple[str, str]]:
    """Check that a scan finds exactly what these edits did, until that is accepted; return it."""
    shutil.rmtree(filled.folder)
    shutil.copytree(filled.folder.parent / "kept", filled.folder)
    fill(filled.sandbox)
    before = rows(filled.sandbox)
    edit(filled.sandbox, edits)
    after = rows(filled.sandbox)
    wanted = {("deleted", key) for key in before.keys() - after.keys()}
    wanted |= {("inserted", k) for k in after.keys() - before.keys() if int(k) <= KEYS[-1]}
    wanted |= {("changed", k) for k in before.keys() & after.keys() if before[k] != after[k]}
    said = filled.scan()
    assert said.found == wanted
    assert (said.status, said.told["outcome"]) == ((1, "alert") if wanted else (0, "clean"))
    if wanted:
        again = filled.scan()  # it is found again, although what was appended is taken in
        assert (again.found, again.told["digest"]) == (wanted, said.told["digest"])
        assert filled.scan("accept", said.told["digest"]).status == 0
    clean = filled.scan()
    assert (clean.status, clean.told["rows"], clean.told["new"]) == (0, len(after), 0)
    return wanted


def insert(sandbox: Sandbox, *keys: int) -> None:
    """Insert rows with these keys."""
    values = ", ".join(f"({key}, 1, 1, 'check_in')" for key in keys)
    sandbox.query(f"INSERT INTO {AUDIT} (id, event_id, participant_id, action) VALUES {values}")


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


def lines(file: Path) -> list[str]:
    """Return a file's lines."""
    return file.read_text().splitlines()


def test_keys_beyond_what_a_double_holds(mysql: Sandbox, tmp_path: Path) -> None:
    """Neighbours among the largest keys are told apart: nothing on the way rounds them."""
    made = scanner(mysql, tmp_path, width=2)
    top = 2**64 - 10
    insert(mysql, 1, *range(top, top + 6))
    assert made.scan("baseline").status == 0
    assert made.scan().status == 0
    mysql.query(f"DELETE FROM {AUDIT} WHERE id = {top + 2}")
    mysql.query(f"UPDATE {AUDIT} SET reason = '' WHERE id = {top + 3}")
    assert made.scan().found == {("deleted", str(top + 2)), ("changed", str(top + 3))}


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
