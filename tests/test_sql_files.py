"""The SQL files of the changes, by the plain client and by others, on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.sql.text import algorithm, leading_keywords, lock, target
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import ATTENDANCE, CHANGES, Schema, base, schema, sql_files

LIBRARY = CHANGES / "library"
ADD = "ALTER TABLE event_participants ADD"


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


def test_every_file_runs_twice_in_the_plain_client(laid: Schema, change: Path) -> None:
    """All files of a change run by the plain client; a second time changes nothing."""
    before, objects = laid.data(), laid.objects()
    once = before
    for time in range(2):
        for folder in ("verify", "export", "migrate"):
            for file in sql_files(change / folder):
                laid.apply(file)
        assert (laid.data() == once) == (time == 1)
        once = laid.data()
    laid.record(change.name, laid.added_since(objects))
    for _ in range(2):
        for file in sql_files(change / "rollback"):
            laid.apply(file)
    assert laid.data() == before


def test_a_naive_runner_does_the_same(laid: Schema, change: Path) -> None:
    """A runner that cuts at semicolons and skips what begins with `--` comes to the same end."""
    laid.apply(change / "migrate")
    expected = laid.data()
    laid.lay(base(change))
    for file in sql_files(change / "migrate"):
        pieces = (piece.strip() for piece in file.read_text().split(";"))
        laid.run(*(piece for piece in pieces if piece and not piece.startswith("--")))
    assert laid.data() == expected


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
    before, bare = attendance.data(), attendance.objects()
    attendance.apply(ATTENDANCE / "migrate")
    expected = attendance.data()
    attendance.lay(base(ATTENDANCE))
    for _ in range(2):
        for folder in ("migrate", "verify", "export"):
            attendance.apply(ATTENDANCE / folder, *options)
    assert attendance.data() == expected
    attendance.record("attendance", attendance.added_since(bare))
    attendance.apply(ATTENDANCE / "rollback", *options)
    assert attendance.data() == before


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
def test_the_databases_character_set_does_not_matter(server: Sandbox, charset: str) -> None:
    """Where the application's tables are not utf8mb4, the change still runs, and twice."""
    with schema(server, base(ATTENDANCE), charset) as old:
        for _ in range(2):
            old.apply(ATTENDANCE / "migrate")
        assert not old.wrong(ATTENDANCE / "verify")


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
    attendance.record("attendance", attendance.added_since(objects))
    attendance.apply(ATTENDANCE / "rollback")
    assert instant() == start + 6


def test_a_table_that_cannot_change_instantly_is_not_copied(attendance: Schema) -> None:
    """Where the server would have to copy the table it refuses, and nothing is changed."""
    attendance.run("ALTER TABLE event_participants ROW_FORMAT=COMPRESSED")
    before = attendance.data()
    done = attendance.client(sql_files(ATTENDANCE / "migrate")[0])
    assert done.returncode != 0
    assert "ALGORITHM=INSTANT is not supported" in done.stderr
    assert attendance.data() == before


def test_the_backfill_fills_what_is_null_and_nothing_else(attendance: Schema) -> None:
    """NULLs of a column that was there become 'unknown'; what somebody marked stays."""
    attendance.run(
        f"{ADD} attendance_status ENUM('unknown','present','late','absent') NULL DEFAULT 'unknown'",
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
        f"{ADD} attendance_notes TEXT",
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
