"""What the attendance change finds with another definition: migrate refuses, verify sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import ATTENDANCE, Schema, base, schema, sql_files

MIGRATE = sql_files(ATTENDANCE / "migrate")[0]

PARTICIPANTS = "ALTER TABLE event_participants "
ENUM = "ENUM('unknown','present','late','absent')"
OTHER_COLUMNS = {
    "status VARCHAR(20) NULL": "varchar(20) NULL",
    f"status {ENUM} NULL": f"{ENUM.lower()} NULL, wanted",
    f"status {ENUM} NOT NULL DEFAULT 'present'": f"{ENUM.lower()} NOT NULL DEFAULT present",
    f"status {ENUM} NOT NULL": f"{ENUM.lower()} NOT NULL, wanted",
    "status ENUM('late','unknown') NOT NULL DEFAULT 'unknown'": "enum('late','unknown') NOT",
    "status ENUM('Unknown','present','late','absent') DEFAULT 'Unknown'": "enum('Unknown','pres",
    f"status {ENUM} NOT NULL DEFAULT 'unknown' INVISIBLE": f"{ENUM.lower()} NOT NULL DEFAULT unk",
    "marked_at DATETIME NULL": "datetime NULL",
    "marked_at TIMESTAMP(6) NULL": "timestamp(6) NULL",
    "marked_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP": "timestamp NOT NULL DEFAULT",
    "marked_at TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP": "timestamp NULL on update",
    "marked_by BIGINT NULL": "bigint",
    "marked_by INT UNSIGNED NULL": "int unsigned NULL",
    "marked_by INT NOT NULL DEFAULT 0": "int NOT NULL DEFAULT 0",
    "marked_by INT NULL DEFAULT 1": "int NULL DEFAULT 1",
    "notes VARCHAR(255) NULL": "varchar(255) NULL",
    "notes TEXT CHARACTER SET latin1 NULL": "text CHARACTER SET latin1 NULL",
    "notes TEXT NOT NULL": "text NOT NULL",
    "updated_at TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP": "timestamp NULL on update",
    "updated_at BIGINT NULL": "bigint",
}
IGNORED = {"mariadb": "IGNORED", "mysql": "INVISIBLE"}
INDEX = "idx_participants_event_attendance"
OTHER_INDEXES = {
    f"INDEX {INDEX} (event_id)": "(event_id)",
    f"INDEX {INDEX} (attendance_status, event_id)": "(attendance_status, event_id)",
    f"INDEX {INDEX} (event_id, attendance_status, user_id)": "(event_id, attendance_status, us",
    f"UNIQUE INDEX {INDEX} (event_id, attendance_status, user_id)": "UNIQUE (event_id,",
    f"INDEX {INDEX} (event_id, attendance_status DESC)": "(event_id, attendance_status DESC)",
    f"INDEX {INDEX} (event_id, notes(10))": "(event_id, notes(10))",
    f"FULLTEXT INDEX {INDEX} (notes)": "FULLTEXT (notes)",
    f"INDEX {INDEX} (event_id, attendance_status) {{ignored}}": (
        "(event_id, attendance_status) which the optimizer ignores"
    ),
}
AUDIT = "ALTER TABLE event_attendance_audit "
OTHER_TABLES = {
    f"{AUDIT}DROP COLUMN reason": "reason is absent (wanted text NULL)",
    f"{AUDIT}ADD COLUMN more INT": "more is int NULL (wanted absent)",
    f"{AUDIT}MODIFY reason VARCHAR(80)": "reason is varchar(80) NULL (wanted text NULL)",
    f"{AUDIT}MODIFY reason TEXT CHARACTER SET latin1": "reason is text CHARACTER SET latin1 N",
    f"{AUDIT}MODIFY event_id INT NULL": "event_id is int NULL (wanted int NOT NULL)",
    f"{AUDIT}MODIFY id BIGINT UNSIGNED NOT NULL": "id is bigint unsigned NOT NULL (wanted",
    f"{AUDIT}MODIFY action VARCHAR(20) NOT NULL": "action is varchar(20) NOT NULL (wanted enum(",
    f"{AUDIT}MODIFY performed_at TIMESTAMP NULL": "performed_at is timestamp NULL (wanted",
    f"{AUDIT}DROP INDEX uq_attendance_audit_dedupe_key": "the key UNIQUE (dedupe_key) is absent",
    f"{AUDIT}ADD UNIQUE KEY more (event_id)": "the key UNIQUE (event_id) is there (wanted absent)",
    f"{AUDIT}DROP INDEX uq_attendance_audit_dedupe_key, ADD UNIQUE KEY u (dedupe_key(10))": (
        "the key UNIQUE (dedupe_key(10)) is there (wanted absent)"
    ),
    f"{AUDIT}ADD CONSTRAINT fk_audit_event FOREIGN KEY (event_id) REFERENCES events (event_id)"
    " ON DELETE CASCADE": "the foreign key fk_audit_event is there (wanted absent)",
    f"{AUDIT}ENGINE=MyISAM": "the engine is MyISAM (wanted InnoDB)",
    f"{AUDIT}DEFAULT CHARACTER SET latin1": "the character set is latin1 (wanted utf8mb4)",
    "RENAME TABLE event_attendance_audit TO old": "",
}


@pytest.fixture(scope="module", params=FLAVOURS)
def laid(request: pytest.FixtureRequest) -> Iterator[Schema]:
    """Return one database a server, for tests that lay their own tables in it."""
    server: Sandbox = request.getfixturevalue(f"{request.param}_server")
    with schema(server, base(ATTENDANCE)) as made:
        yield made


def refused(of: Schema) -> str:
    """Return the one refusal that a plan of migrate has."""
    texts = [choice.text for choice in of.chosen(MIGRATE) if choice.text.startswith("refused: ")]
    assert len(texts) == 1
    return texts[0]


def reset(of: Schema) -> None:
    """Bring both tables back to what they are before the change."""
    columns = of.run(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = 'event_participants' AND COLUMN_NAME LIKE 'attendance%'"
    )
    indexes = of.run(f"SHOW INDEX FROM event_participants WHERE Key_name = '{INDEX}'")
    of.run(
        "DROP TABLE IF EXISTS event_attendance_audit, old",
        "DROP VIEW IF EXISTS event_attendance_audit",
    )
    if indexes:
        of.run(f"{PARTICIPANTS}DROP INDEX {INDEX}")
    if columns:
        of.run(PARTICIPANTS + ", ".join(f"DROP COLUMN {name}" for (name,) in columns))


@pytest.mark.parametrize(("other", "actual"), OTHER_COLUMNS.items())
def test_a_column_with_another_definition_is_refused(laid: Schema, other: str, actual: str) -> None:
    """The refusal shows what the column is and what is wanted, and verify sees it too."""
    reset(laid)
    laid.run(f"{PARTICIPANTS}ADD attendance_{other}")
    name = f"attendance_{other.partition(' ')[0]}"
    wanted = {
        "attendance_status": f"{ENUM.lower()} NOT NULL DEFAULT unknown",
        "attendance_marked_by": "int NULL",
        "attendance_notes": "text NULL",
    }.get(name, "timestamp NULL")
    text = refused(laid)
    assert text.startswith(f"refused: event_participants.{name} is {actual}")
    assert text.endswith(f", wanted {wanted}")
    assert f"column {name}" in laid.wrong(ATTENDANCE / "verify")


@pytest.mark.parametrize(("other", "actual"), OTHER_INDEXES.items())
def test_an_index_with_another_definition_is_refused(laid: Schema, other: str, actual: str) -> None:
    """An index of that name with other columns, or one that is unique or ignored, is refused."""
    reset(laid)
    laid.run(f"{PARTICIPANTS}ADD attendance_status {ENUM} NOT NULL DEFAULT 'unknown'")
    laid.run(PARTICIPANTS + "ADD " + other.format(ignored=IGNORED[laid.server.server]))
    text = refused(laid)
    assert text.startswith(f"refused: {INDEX} is {actual}")
    assert text.endswith(", wanted (event_id, attendance_status)")
    assert f"index {INDEX}" in laid.wrong(ATTENDANCE / "verify")


@pytest.mark.parametrize(("other", "actual"), OTHER_TABLES.items())
def test_an_audit_table_with_another_definition_is_refused(
    laid: Schema, other: str, actual: str
) -> None:
    """Columns, keys, foreign keys, engine and character set of the table are all compared."""
    reset(laid)
    (create,) = (c.text for c in laid.chosen(MIGRATE) if c.text.startswith("CREATE TABLE"))
    laid.run(create, other)
    if other.startswith("RENAME"):
        laid.run("CREATE VIEW event_attendance_audit AS SELECT * FROM old")
        actual = "the engine is VIEW (wanted InnoDB)"
    text = refused(laid)
    assert text.startswith("refused: event_attendance_audit: ")
    assert actual in text
    wrong = laid.wrong(ATTENDANCE / "verify")
    assert any(name.startswith("event_attendance_audit ") for name in wrong)


STOPS = {
    f"{PARTICIPANTS}ADD attendance_marked_by VARCHAR(10)": (
        "refused: event_participants.attendance_marked_by is varchar(10) NULL, wanted"
    ),
    f"{PARTICIPANTS}ADD INDEX {INDEX} (event_id)": f"refused: {INDEX} is (event_id), wanted (event",
    "CREATE TABLE event_attendance_audit (id BIGINT UNSIGNED PRIMARY KEY)": (
        "refused: event_attendance_audit: action is absent (wanted enum("
    ),
}


@pytest.mark.parametrize(("other", "message"), STOPS.items())
def test_the_plain_client_stops_at_a_refusal(laid: Schema, other: str, message: str) -> None:
    """The server's error quotes what is there, and that object stays as it is."""
    reset(laid)
    laid.run(other)
    for _ in range(2):
        done = laid.client(MIGRATE)
        assert done.returncode != 0
        assert f"near '{message}" in done.stderr
    assert len(refused(laid)) > len(message)


def test_further_indexes_of_the_audit_table_are_accepted(laid: Schema) -> None:
    """Non-unique indexes are tuning: other ones are not another definition."""
    reset(laid)
    laid.apply(ATTENDANCE / "migrate")
    laid.run(f"{AUDIT}DROP INDEX idx_attendance_audit_event, ADD INDEX mine (user_id, action)")
    before = laid.definitions()
    laid.apply(ATTENDANCE / "migrate")
    assert laid.definitions() == before
    assert laid.wrong(ATTENDANCE / "verify") == {}


def test_a_wholly_different_audit_table_is_refused(laid: Schema) -> None:
    """However long the differences are, they make a refusal and not an error."""
    reset(laid)
    columns = ", ".join(f"a_column_with_a_rather_long_name_{n} VARCHAR(10) NULL" for n in range(60))
    laid.run(f"CREATE TABLE event_attendance_audit ({columns})")
    assert refused(laid).startswith(
        "refused: event_attendance_audit: a_column_with_a_rather_long_name"
    )


def test_a_database_without_the_table_is_refused(laid: Schema) -> None:
    """Run in the wrong database, migrate says so at once; verify and export still run."""
    reset(laid)
    laid.run("RENAME TABLE event_participants TO elsewhere")
    try:
        text = refused(laid)
        wrong = laid.wrong(ATTENDANCE / "verify")
        exported = laid.apply(ATTENDANCE / "export")
    finally:
        laid.run("RENAME TABLE elsewhere TO event_participants")
    assert text.startswith(
        "refused: event_participants is absent in sql-files `1`, wanted BASE TABLE"
    )
    assert wrong["participants without attendance_status"] == ("0", "absent")
    assert exported == ""
