"""The scan by itself, on real servers: it finds every edit of the past, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE
from tests.watching import AUDIT, COLUMNS, Scanner, insert, scanner

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


RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=6, suppress_health_check=RELAXED)
@given(edits=st.lists(EDIT, min_size=1, max_size=6))
def test_every_edit_of_the_past_is_found_and_nothing_else(
    mariadb_filled: Scanner, edits: list[tuple[object, ...]]
) -> None:
    """What differs from the baseline, byte by byte, is found; what is appended is not."""
    finds(mariadb_filled, edits)


@pytest.mark.wide
@settings(max_examples=60, suppress_health_check=RELAXED)
@given(edits=st.lists(EDIT, min_size=1, max_size=8))
def test_the_same_many_times(filled: Scanner, edits: list[tuple[object, ...]]) -> None:
    """The same holds on both servers for many more edits."""
    finds(filled, edits)


@MYSQL_IS_WIDE
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
