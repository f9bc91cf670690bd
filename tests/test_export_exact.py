"""An export is exact: every type and character, any bytes, whatever the order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pymysql.cursors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.database.fields import Kind
from runbook.exports import tsv
from runbook.exports.queries import Column, Query, Tally
from sandbox.sandbox import Sandbox
from tests.exporting import (
    TYPES,
    exporting,
    exports,
    lay_wild_table,
    load,
    manifest,
)

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]

SELECT = "SELECT * FROM wild ORDER BY id"


def test_every_type_and_character_is_read_back_exactly(sandbox: Sandbox, tmp_path: Path) -> None:
    """The script of an export of wild rows of every type makes a table with those very rows."""
    lay_wild_table(sandbox, 300)
    place = exporting(sandbox, tmp_path, {"wild": SELECT})
    assert place.run("export").document["outcome"] == "changed"
    (export,) = exports(place)
    ((name, expected, actual),) = load(place, export)
    assert (name, expected) == ("wild", actual)
    assert expected.startswith("301 rows")
    same = {name: f"HEX(a.{name}) <=> HEX(b.{name})" for name in TYPES}
    same["single"] = "CONCAT(a.single + 0e0) <=> CONCAT(b.single + 0e0)"
    same |= {
        name: f"CONCAT(a.{name}) <=> CONCAT(b.{name})"
        for name in ("twice", "exact", "moment", "stamp", "span", "document")
    }
    for name, equal in same.items():
        wrong = sandbox.query(
            f"SELECT a.{name}, b.{name} FROM vaulteer.wild AS a"
            f" JOIN vaulteer.exported_wild AS b USING (id) WHERE NOT ({equal}) LIMIT 1"
        )
        assert wrong == [], name


def test_columns_keep_their_types(sandbox: Sandbox, tmp_path: Path) -> None:
    """The table that a file is loaded into has the columns' own types; FLOAT is held as DOUBLE."""
    lay_wild_table(sandbox, 1)
    place = exporting(
        sandbox, tmp_path, {"wild": SELECT, "plain": "SELECT id, words, choice FROM wild"}
    )
    assert place.run("export").status == 0
    files = {file["file"]: file for file in manifest(exports(place)[0])["files"]}
    types = {c["name"]: c["type"] for c in files["plain.tsv.gz"]["columns"]}
    assert types["words"].startswith("varchar(200) CHARACTER SET utf8mb4")
    assert types["choice"].startswith("enum('a','b','é'")
    exact = {c["name"]: c["type"] for c in files["wild.tsv.gz"]["columns"]}
    assert exact["single"] == "double"


FIELDS = st.none() | st.binary(max_size=30) | st.sampled_from([b"\\N", b"\\", b"\t", b"\n", b""])
COLUMNS = tuple(Column(name, Kind.BINARY, "longblob") for name in "abc")
TEXTS = tuple(Column(name, Kind.TEXT, "text") for name in "ab")
OTHERS = (
    "(NULL, '')",
    "('', NULL)",
    "(NULL, NULL)",
    "('', '')",
    "('N', '')",
    "('1', '23')",
    "('12', '3')",
    "('1', '23'), ('1', '23')",
    "('1', '23'), ('1', '23'), ('1', '23')",
    "('é', '')",
    "('e', '')",
    "('E', '')",
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=12))
def test_any_bytes_survive_load_data_and_sum_up_alike(
    loader: Connection,
    tmp_path: Path,
    rows: list[tuple[bytes | None, ...]],
) -> None:
    """LOAD DATA with its defaults reads any rows back, and the server's checksum is ours."""
    file = tmp_path / "any.tsv"
    file.write_bytes(b"".join(map(tsv.line, rows)))
    tally = Tally(COLUMNS)
    for row in rows:
        tally.add(row)
    with loader.cursor() as cursor:
        cursor.execute("TRUNCATE any_bytes")
        cursor.execute(
            f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE any_bytes CHARACTER SET binary (a, b, c)"
        )
        cursor.execute("SELECT a, b, c FROM any_bytes ORDER BY id")
        assert list(cursor.fetchall()) == rows
        query = Query("any", "", "SELECT a, b, c FROM any_bytes", COLUMNS)
        cursor.execute(query.check(tally.identity))
        ((_, expected, actual),) = cursor.fetchall()
        assert expected == actual


@pytest.fixture
def loader(sandbox: Sandbox) -> Iterator[Connection]:
    """Return a session of root that may load local files, with a table of any bytes."""
    connection = pymysql.connect(
        host="127.0.0.1",
        port=sandbox.database_port,
        user="root",
        password=sandbox.password("root"),
        database="vaulteer",
        local_infile=True,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE any_bytes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
            " a LONGBLOB, b LONGBLOB, c LONGBLOB)"
        )
        yield connection


def test_the_checksum_knows_any_other_rows(loader: Connection) -> None:
    """NULL for empty, a value in the next column, a row twice: each is another checksum."""
    query = Query("t", "", "SELECT a, b FROM t", (TEXTS[0], TEXTS[1]))
    seen = set()
    with loader.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a TEXT, b TEXT) CHARACTER SET utf8mb4")
        for rows in OTHERS:
            cursor.execute("TRUNCATE t")
            cursor.execute(f"INSERT INTO t VALUES {rows}")
            cursor.execute(query.check(""))
            seen.add(cursor.fetchall()[0][2])
    assert len(seen) == len(OTHERS)


def test_two_columns_of_one_name_are_refused(mariadb: Sandbox, tmp_path: Path) -> None:
    """A query whose columns cannot be told apart is an error that names its file."""
    place = exporting(mariadb, tmp_path, {"twice": "SELECT 1 AS a, 2 AS A FROM users"})
    ran = place.run("export")
    assert ran.status == 3
    assert "export/twice.sql:1: two columns are called a" in ran.document["message"]


def test_a_query_that_does_not_run_is_named(mariadb: Sandbox, tmp_path: Path) -> None:
    """A query with a mistake is an error with its file, line and the server's words."""
    place = exporting(mariadb, tmp_path, {"wrong": "SELECT nothing FROM users"})
    ran = place.run("export")
    assert ran.status == 3
    assert "export/wrong.sql:1" in ran.document["message"]
    assert "Unknown column" in ran.document["message"]


def test_row_sums_do_not_depend_on_order() -> None:
    """A tally of shuffled rows is the same; of any row changed, another."""
    rows = [(str(n).encode(), None if n % 3 else b"x") for n in range(50)]
    columns = (Column("n", Kind.PLAIN, "int"), Column("t", Kind.TEXT, "text"))

    def tally(of: list[tuple[bytes, bytes | None]]) -> str:
        made = Tally(columns)
        for row in of:
            made.add(row)
        return made.identity

    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)
    assert tally(shuffled) == tally(rows)
    assert len({tally([*rows[:n], (b"-1", None), *rows[n + 1 :]]) for n in range(50)}) == 50
