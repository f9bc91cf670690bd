"""Preflight of the tables: what is told of them, and that what is said is so."""

from __future__ import annotations

from pathlib import Path

import pymysql
import pytest

from runbook.plan.plan import Level
from sandbox.sandbox import Sandbox
from tests.looking import Place


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    """Return each server's sandbox in turn."""
    return Place(sandbox, tmp_path)


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


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        ("ADD FULLTEXT INDEX ft_notes (notes)", "FULLTEXT index ft_notes"),
        ("ROW_FORMAT = COMPRESSED", "rows are COMPRESSED"),
    ],
)
def test_what_instant_cannot_do_is_a_warning_and_is_so(place: Place, alter: str, says: str) -> None:
    """A table that cannot take an INSTANT column is named before the server refuses it."""
    place.sandbox.query(f"ALTER TABLE vaulteer.event_participants {alter}")
    rows = place.look().of("table event_participants")
    assert [row.level for row in rows] == [Level.OK, Level.WARNING]
    assert says in rows[1].detail
    with pytest.raises(pymysql.err.Error, match="INSTANT is not supported"):
        place.sandbox.query(
            "ALTER TABLE vaulteer.event_participants ADD COLUMN c INT, ALGORITHM=INSTANT"
        )


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
