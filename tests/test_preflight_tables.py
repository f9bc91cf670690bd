"""Preflight of the tables: what is told of them, and that what is said is so."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pymysql
import pytest

from runbook.phases.preflight.online import impossible
from runbook.phases.preflight.tables import Table, Tables, findings, work_of
from runbook.plan.plan import Level
from sandbox.sandbox import Sandbox
from tests.looking import Place
from tests.support import MYSQL_IS_WIDE


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    """Return each server's sandbox in turn."""
    return Place(sandbox, tmp_path)


@MYSQL_IS_WIDE
def test_the_tables_are_told_with_what_the_change_wants_of_them(place: Place) -> None:
    """Rows and sizes, the algorithms that are left, and on MySQL what else DDL waits for."""
    place.sandbox.load(
        "CREATE TABLE vaulteer.badges (id INT PRIMARY KEY, participant_id INT NOT NULL,"
        " FOREIGN KEY (participant_id) REFERENCES vaulteer.event_participants (participant_id));"
        "ANALYZE TABLE vaulteer.event_participants;"
    )
    detail = place.look().one("table event_participants").detail
    assert "about 500 rows" in detail
    assert "INSTANT (5): milliseconds" in detail
    assert "INPLACE (1): about 1 s, writers go on" in detail
    assert ("transactions on badges" in detail) is (place.sandbox.server == "mysql")


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    ("alter", "says"),
    [
        ("ADD FULLTEXT INDEX ft_notes (notes)", "FULLTEXT index ft_notes; {} INSTANT (5)"),
        ("ROW_FORMAT = COMPRESSED", "rows are COMPRESSED; {} INSTANT (5)"),
        ("KEY_BLOCK_SIZE = 8", "rows are COMPRESSED; {} INSTANT (5)"),
        ("ENGINE = MyISAM", "cannot undo; {} INSTANT (5) and ALGORITHM=INPLACE (1)"),
    ],
)
def test_what_a_table_cannot_do_is_refused_until_it_is_mended(
    place: Place, alter: str, says: str
) -> None:
    """What the server would refuse after the backup is refused before; what is advised mends it."""
    keys = place.sandbox.query(
        "SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS"
        " WHERE CONSTRAINT_SCHEMA = 'vaulteer'"
    )
    for table, name in keys:  # other engines have none
        place.sandbox.query(f"ALTER TABLE vaulteer.{table} DROP FOREIGN KEY {name}")
    place.sandbox.query(f"ALTER TABLE vaulteer.event_participants {alter}")
    rows = place.look().of("table event_participants")
    assert [row.level for row in rows] == [Level.OK, Level.REFUSED]
    assert says.replace("{} ", "the server will refuse ALGORITHM=") in rows[1].detail
    with pytest.raises(pymysql.err.Error, match="INSTANT is not supported"):
        place.sandbox.query(
            "ALTER TABLE vaulteer.event_participants ADD COLUMN c INT, ALGORITHM=INSTANT"
        )
    place.sandbox.load(f"USE vaulteer; {rows[1].advice.partition(',')[0]}")
    assert place.look().at(Level.REFUSED) == []


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    ("kind", "text", "refused"),
    [
        ("InnoDB Compressed", "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT", True),
        (
            "InnoDB Compressed",
            "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INPLACE, LOCK=NONE",
            False,
        ),
        ("InnoDB Compressed", "ALTER TABLE t RENAME COLUMN a TO b, ALGORITHM=INSTANT", False),
        (
            "InnoDB Compressed",
            "ALTER TABLE t ADD COLUMN c INT GENERATED ALWAYS AS (a + 1) VIRTUAL, ALGORITHM=INSTANT",
            False,
        ),
        ("InnoDB Dynamic", "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT", False),
        ("InnoDB Redundant", "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT", False),
        ("MyISAM Fixed", "ALTER TABLE t ADD INDEX i (a), ALGORITHM=INPLACE, LOCK=NONE", True),
        ("MyISAM Fixed", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 5, ALGORITHM=INSTANT", False),
        ("MyISAM Fixed", "ALTER TABLE t ADD COLUMN c INT", False),
    ],
)
def test_only_what_the_server_surely_refuses_is_refused(
    place: Place, kind: str, text: str, refused: bool
) -> None:
    """By engine, row format and statement, as the server itself has it."""
    engine, row_format = kind.split()
    assert bool([*impossible(engine, row_format, (text,), fulltext=False)]) is refused
    place.sandbox.load(
        "USE vaulteer; CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL)"
        f" ENGINE = {engine} ROW_FORMAT = {row_format}"
    )
    with pytest.raises(pymysql.err.Error) if refused else nullcontext():
        place.sandbox.query(text.replace("ALTER TABLE t", "ALTER TABLE vaulteer.t"))


def test_what_the_change_itself_mends_is_not_refused() -> None:
    """Behind a statement that makes it another kind of table, nothing is judged."""
    add = "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT"
    for mending in ("ALTER TABLE t ENGINE=InnoDB", "ALTER TABLE t DROP INDEX ft"):
        assert [*impossible("MyISAM", "Fixed", (mending, add), fulltext=False)] == []
    assert [*impossible("InnoDB", "Dynamic", (add,), fulltext=True)] == ["ALGORITHM=INSTANT"]
    assert [*impossible("ROCKSDB", "Fixed", (add,), fulltext=False)] == []


def test_what_a_runner_of_the_application_sends_is_only_warned_of() -> None:
    """Nobody knows with what algorithm it will add that column."""
    found = Tables((Table("t", row_format="Compressed"),))
    work = work_of(("ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT",))
    levels = [
        [row.level for row in findings("shop@db1", False, found, work, ours=ours)]
        for ours in (True, False)
    ]
    assert levels == [[Level.OK, Level.OK, Level.REFUSED], [Level.OK, Level.OK, Level.WARNING]]


@MYSQL_IS_WIDE
def test_other_engines_and_other_tools_are_told(place: Place) -> None:
    """A table without transactions, and the copy that another tool makes of ours, are warned of."""
    place.sandbox.load(
        "CREATE TABLE vaulteer.log (a INT) ENGINE = MyISAM;"
        "CREATE TABLE vaulteer._event_participants_gho LIKE vaulteer.users;"
    )
    found = place.look()
    assert found.at(Level.WARNING) == [
        "tables@vaulteer@db1",
        "table event_participants@vaulteer@db1",
    ]
    assert "not InnoDB: log" in found.of("tables")[1].detail
    assert "_event_participants_gho" in found.of("table event_participants")[1].detail
