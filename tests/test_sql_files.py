"""The SQL files of the changes, by the plain client and by others, on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from runbook.sqltext import algorithm, leading_keywords, lock, target
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import PROJECT, Schema, schema, sql_files

ATTENDANCE = PROJECT / "sql" / "attendance"
CHANGES = PROJECT / "tests" / "changes"
LIBRARY = CHANGES / "library"

ADD = "ALTER TABLE event_participants ADD "
PARTS = {
    "column:event_participants.attendance_status": ADD
    + "attendance_status ENUM('unknown','present','late','absent') NULL DEFAULT 'unknown'",
    "column:event_participants.attendance_marked_at": ADD + "attendance_marked_at TIMESTAMP NULL",
    "column:event_participants.attendance_marked_by": ADD + "attendance_marked_by INT",
    "column:event_participants.attendance_notes": ADD + "attendance_notes TEXT",
    "column:event_participants.attendance_updated_at": ADD + "attendance_updated_at TIMESTAMP NULL",
    "index:event_participants.idx_participants_event_attendance": ADD
    + "INDEX idx_participants_event_attendance (event_id, attendance_status)",
    "table:event_attendance_audit": """\
CREATE TABLE event_attendance_audit (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  event_id INT NOT NULL, participant_id INT NOT NULL, user_id INT, marked_by INT,
  action ENUM('check_in','correction','mark_absent','finalize_attended') NOT NULL,
  previous_status ENUM('unknown','present','late','absent'),
  new_status ENUM('unknown','present','late','absent'),
  reason TEXT, dedupe_key VARCHAR(191) UNIQUE,
  performed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
}
"""Every part of the attendance change as somebody may have added it by hand."""
NAMES = tuple(PARTS)
STATUS, INDEX, TABLE = NAMES[0], NAMES[5], NAMES[6]

State = tuple[str, ...]
STATES: list[State] = [
    tuple(name for name, there in zip(NAMES, flags, strict=True) if there)
    for flags in product((False, True), repeat=len(NAMES))
]
STATES = [state for state in STATES if INDEX not in state or STATUS in state]
FEW = [
    (),
    NAMES,
    (STATUS,),
    (TABLE,),
    (STATUS, INDEX),
    NAMES[:5],
    (*NAMES[1:5], TABLE),
    (NAMES[1], NAMES[3]),
]


def base(change: Path) -> Path:
    """Return the file that lays what a change starts from."""
    return CHANGES / f"{change.name}.base.sql"


@pytest.fixture(scope="module", params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> Sandbox:
    """Return each server in turn."""
    found: Sandbox = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def attendance(server: Sandbox) -> Iterator[Schema]:
    """Return a database as it is before the attendance change."""
    with schema(server, base(ATTENDANCE)) as made:
        yield made


@pytest.fixture(params=[ATTENDANCE, LIBRARY], ids=lambda change: change.name)
def change(request: pytest.FixtureRequest) -> Path:
    """Return the folder of each change in turn."""
    folder: Path = request.param
    return folder


@pytest.fixture
def laid(server: Sandbox, change: Path) -> Iterator[Schema]:
    """Return a database as it is before the change."""
    with schema(server, base(change)) as made:
        yield made


def data(of: Schema) -> dict[str, object]:
    """Return all definitions and rows."""
    return {name: (ddl, of.run(f"SELECT * FROM {name}")) for name, ddl in of.definitions().items()}


def added_since(of: Schema, before: frozenset[str]) -> list[str]:
    """Return what is new, as the ledger says it: a new table without its columns and indexes."""
    new = of.objects() - before
    tables = {name.removeprefix("table:") for name in new if name.startswith("table:")}
    return [
        name
        for name in new
        if name.partition(":")[2].partition(".")[0] not in tables or "table:" in name
    ]


def test_every_file_runs_twice_in_the_plain_client(laid: Schema, change: Path) -> None:
    """All files of a change run by the plain client; a second time changes nothing."""
    before, objects = data(laid), laid.objects()
    once = before
    for time in range(2):
        for folder in ("verify", "export", "migrate"):
            for file in sql_files(change / folder):
                laid.apply(file)
        assert (data(laid) == once) == (time == 1)
        once = data(laid)
    laid.record(change.name, added_since(laid, objects))
    for _ in range(2):
        for file in sql_files(change / "rollback"):
            laid.apply(file)
    assert data(laid) == before


def test_a_naive_runner_does_the_same(laid: Schema, change: Path) -> None:
    """A runner that cuts at semicolons and skips what begins with `--` comes to the same end."""
    laid.apply(change / "migrate")
    expected = data(laid)
    laid.lay(base(change))
    for file in sql_files(change / "migrate"):
        pieces = (piece.strip() for piece in file.read_text().split(";"))
        laid.run(*(piece for piece in pieces if piece and not piece.startswith("--")))
    assert data(laid) == expected


SESSIONS = [
    ["--default-character-set=latin1", "--comments"],
    ["--init-command=SET NAMES utf8mb4 COLLATE utf8mb4_bin, sql_mode = ''"],
    [
        "--init-command=SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci,"
        " sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'"
    ],
]


@pytest.mark.parametrize("options", SESSIONS, ids=["latin1", "bin", "ansi"])
def test_the_session_does_not_matter(attendance: Schema, options: list[str]) -> None:
    """Character set, collation and SQL mode of the session make no difference."""
    before, bare = data(attendance), attendance.objects()
    attendance.apply(ATTENDANCE / "migrate")
    expected = data(attendance)
    attendance.lay(base(ATTENDANCE))
    for _ in range(2):
        for folder in ("migrate", "verify", "export"):
            attendance.apply(ATTENDANCE / folder, *options)
    assert data(attendance) == expected
    attendance.record("attendance", added_since(attendance, bare))
    attendance.apply(ATTENDANCE / "rollback", *options)
    assert data(attendance) == before


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
def test_the_databases_character_set_does_not_matter(server: Sandbox, charset: str) -> None:
    """Where the application's tables are not utf8mb4, the change still runs, and twice."""
    with schema(server, base(ATTENDANCE), charset) as old:
        for _ in range(2):
            old.apply(ATTENDANCE / "migrate")
        assert not old.wrong(ATTENDANCE / "verify")


def round_trip(of: Schema, state: State) -> None:
    """Check that migrate brings `state` to its end, and rollback back to the very same."""
    of.run(*(PARTS[name] for name in state))
    before, objects = of.definitions(), of.objects()
    file, backfill = sql_files(ATTENDANCE / "migrate")
    chosen = of.chosen(file)
    assert of.chosen(backfill) == []
    assert [choice.text == "DO 0" for choice in chosen] == [
        True,  # event_participants itself
        *(name in state for name in NAMES),
    ]
    assert [choice.found == "absent" for choice in chosen[1:]] == [n not in state for n in NAMES]
    for folder in ("verify", "export"):
        of.apply(ATTENDANCE / folder)
    of.apply(ATTENDANCE / "migrate")
    migrated = of.definitions()
    of.apply(ATTENDANCE / "migrate")
    assert of.definitions() == migrated
    assert of.wrong(ATTENDANCE / "verify") == {}
    added = added_since(of, objects)
    assert sorted(added) == sorted(set(NAMES) - set(state))
    of.record("attendance", added)
    of.apply(ATTENDANCE / "rollback")
    assert of.definitions() == before


@pytest.mark.parametrize("state", FEW, ids=lambda state: str(len(state)))
def test_there_and_back_from_some_partial_states(attendance: Schema, state: State) -> None:
    """From a partial state only what is missing is added, and only that goes again."""
    round_trip(attendance, state)


@pytest.mark.wide
@pytest.mark.parametrize("part", range(8))
def test_there_and_back_from_every_partial_state(server: Sandbox, part: int) -> None:
    """From each of the 96 possible partial states, migrate and rollback come out right."""
    assert len(STATES) == 96
    for state in STATES[part::8]:
        with schema(server, base(ATTENDANCE)) as made:
            round_trip(made, state)


def test_ddl_names_its_algorithm(laid: Schema, change: Path) -> None:
    """Every ALTER and index names an algorithm that does not copy, and is about one table."""
    names = []
    for folder in ("migrate", "rollback"):
        laid.record(change.name, sorted(laid.objects()))
        for file in sql_files(change / folder):
            names += [choice.text for choice in laid.chosen(file)]
        laid.apply(change / "migrate")
    ddl = [text for text in names if not text.startswith("DO ")]
    assert len(ddl) == {"attendance": 10, "library": 6}[change.name]
    for text in ddl:
        assert target(text)
        if leading_keywords(text) not in {("CREATE", "TABLE"), ("DROP", "TABLE")}:
            named = (algorithm(text), lock(text))
            assert named == (("INPLACE", "NONE") if "INDEX" in text else ("INSTANT", None))


@pytest.mark.parametrize("row_format", ["DYNAMIC", "COMPACT", "REDUNDANT"])
def test_columns_are_added_instantly(attendance: Schema, row_format: str) -> None:
    """By the server's own count, five columns are added instantly and dropped instantly at once."""
    attendance.run(f"ALTER TABLE event_participants ROW_FORMAT={row_format}")
    objects = attendance.objects()

    def instant() -> int:
        if attendance.server.server == "mariadb":
            return int(
                str(attendance.run("SHOW GLOBAL STATUS LIKE 'Innodb_instant_alter_column'")[0][1])
            )
        row = attendance.run(
            "SELECT TOTAL_ROW_VERSIONS FROM information_schema.INNODB_TABLES"
            " WHERE NAME LIKE 'sql@002dfiles%/event@005fparticipants'"
            " OR NAME LIKE 'sql@002dfiles%/event_participants'"
        )
        return int(str(row[0][0]))

    start = instant()
    attendance.apply(ATTENDANCE / "migrate")
    assert instant() == start + 5
    attendance.record("attendance", added_since(attendance, objects))
    attendance.apply(ATTENDANCE / "rollback")
    assert instant() == start + 6


def test_a_table_that_cannot_change_instantly_is_not_copied(attendance: Schema) -> None:
    """Where the server would have to copy the table it refuses, and nothing is changed."""
    attendance.run("ALTER TABLE event_participants ROW_FORMAT=COMPRESSED")
    before = data(attendance)
    done = attendance.client(sql_files(ATTENDANCE / "migrate")[0])
    assert done.returncode != 0
    assert "ALGORITHM=INSTANT is not supported" in done.stderr
    assert data(attendance) == before


def test_the_backfill_fills_what_is_null_and_nothing_else(attendance: Schema) -> None:
    """NULLs of a column that was there become 'unknown'; what somebody marked stays."""
    attendance.run(
        PARTS[STATUS],
        "UPDATE event_participants SET attendance_status = NULL WHERE participant_id <> 3",
        "UPDATE event_participants SET attendance_status = 'late' WHERE participant_id = 3",
    )
    wrong = attendance.wrong(ATTENDANCE / "verify")
    assert wrong["participants without attendance_status"] == ("0", "4")
    assert wrong["registered participants without attendance_status"] == ("0", "2")
    attendance.apply(ATTENDANCE / "migrate")
    query = "SELECT attendance_status FROM event_participants ORDER BY participant_id"
    assert [row[0] for row in attendance.run(query)] == [
        *("unknown", "unknown", "late", "unknown", "unknown")
    ]


def test_the_backfill_of_an_empty_table_does_nothing(attendance: Schema) -> None:
    """An empty table has the range 0 to 0."""
    attendance.run("DELETE FROM event_participants")
    attendance.apply(ATTENDANCE / "migrate")
    assert not attendance.wrong(ATTENDANCE / "verify")


def test_the_export_has_what_rollback_would_destroy(attendance: Schema) -> None:
    """Participants come with the columns that are there, if any says more than its default."""
    participants, audit = (
        ATTENDANCE / "export" / name for name in ("participants.sql", "audit.sql")
    )
    assert (attendance.apply(participants), attendance.apply(audit)) == ("", "")
    attendance.run(
        PARTS["column:event_participants.attendance_notes"],
        "UPDATE event_participants SET attendance_notes = '' WHERE participant_id = 2",
    )
    assert attendance.apply(participants).splitlines() == [
        "participant_id\tevent_id\tuser_id\tattendance_notes",
        "2\t1\t2\t",
    ]
    attendance.apply(ATTENDANCE / "migrate")
    attendance.run(
        "UPDATE event_participants SET attendance_status = 'absent', attendance_marked_by = 1"
        " WHERE participant_id = 4",
        "INSERT INTO event_attendance_audit (id, event_id, participant_id, action, performed_at)"
        " VALUES (7, 2, 4, 'mark_absent', '2025-01-01'), (5, 1, 2, 'check_in', '2025-01-02')",
    )
    assert attendance.apply(participants).splitlines()[1:] == [
        "2\t1\t2\tunknown\tNULL\tNULL\t\tNULL",
        "4\t2\t1\tabsent\tNULL\t1\tNULL\tNULL",
    ]
    assert [line.split("\t")[0] for line in attendance.apply(audit).splitlines()] == [
        "id",
        "5",
        "7",
    ]
