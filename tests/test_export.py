"""Export on real servers: exact, consistent, complete or nothing."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import stat
import subprocess
import threading
import time
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
    lines,
    load,
    manifest,
)
from tests.support import MYSQL_IS_WIDE, Bench, lean

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]

SELECT = "SELECT * FROM wild ORDER BY id"


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench of the shipped change on each server in turn."""
    return lean(sandbox, tmp_path)


def attend(sandbox: Sandbox, every: int = 3) -> None:
    """Mark each so-manieth participant present, with a row of audit."""
    sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_status = 'present',"
        " attendance_marked_at = '2025-03-01 10:00:00', attendance_notes = notes"
        f" WHERE participant_id % {every} = 0"
    )
    sandbox.query(
        "INSERT INTO vaulteer.event_attendance_audit (event_id, participant_id, action, reason)"
        " SELECT event_id, participant_id, 'check_in', notes FROM vaulteer.event_participants"
        f" WHERE participant_id % {every} = 0"
    )


def numbers(sandbox: Sandbox, table: str, rows: int, expression: str) -> None:
    """Make a table of so many rows `id, said`, each said by an expression of `n`."""
    sandbox.query(f"CREATE TABLE vaulteer.{table} (id INT PRIMARY KEY, said LONGTEXT)")
    sandbox.query(
        f"INSERT INTO vaulteer.{table} WITH RECURSIVE t (n) AS (SELECT 0 UNION ALL SELECT n + 1"
        f" FROM t WHERE n < 999) SELECT a.n * 1000 + b.n + 1, {expression}"
        f" FROM t AS a JOIN t AS b WHERE a.n * 1000 + b.n < {rows}"
    )


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
    deadline=None,
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


def test_the_order_of_rows_does_not_matter(place: Bench) -> None:
    """Rows that were deleted and put back in another order are the exported ones still."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)
    assert place.run("export").document["outcome"] == "changed"
    place.sandbox.query(
        "CREATE TABLE vaulteer.kept AS SELECT * FROM vaulteer.event_attendance_audit"
    )
    place.sandbox.query("DELETE FROM vaulteer.event_attendance_audit")
    place.sandbox.query(
        "INSERT INTO vaulteer.event_attendance_audit SELECT * FROM vaulteer.kept ORDER BY id DESC"
    )
    assert place.run("export").document["outcome"] == "ok"


def test_an_export_is_private_complete_and_checked(place: Bench) -> None:
    """Folders are 0700, files 0600; the manifest says what each file holds; all is loadable."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)
    ran = place.run("export")
    assert (ran.status, ran.document["outcome"]) == (0, "changed")
    (export,) = exports(place)
    for path in (*export.parents[:3], export, *export.iterdir()):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert {path.name for path in export.iterdir()} == {
        "audit.tsv.gz",
        "participants.tsv.gz",
        "load.sql",
        "manifest.json",
    }
    said = manifest(export)
    assert {f["file"]: f["rows"] for f in said["files"]} == {
        "audit.tsv.gz": 166,
        "participants.tsv.gz": 166,
    }
    assert (said["environment"], said["database"]) == ("test", "vaulteer")
    assert [expected == actual for _, expected, actual in load(place, export)] == [True, True]


@MYSQL_IS_WIDE
def test_nothing_is_exported_twice_unless_asked(place: Bench) -> None:
    """An export of exactly the present rows is enough, until one changes or --fresh is given."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)
    assert place.run("export").outcomes == ["changed"]
    assert place.run("export").outcomes == ["ok"]
    assert place.run("export", fresh=True).outcomes == ["changed"]
    place.sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_notes = '' WHERE participant_id = 1"
    )
    assert place.run("export").outcomes == ["changed"]
    assert len(exports(place)) == 3


@MYSQL_IS_WIDE
def test_fetch_brings_the_files_here(place: Bench) -> None:
    """With --fetch every file of the newest export is here as well, byte for byte and private."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)
    assert place.run("export", fetch=True).outcomes == ["changed", "changed"]
    (export,) = exports(place)
    here = place.folder / ".runbook" / "test" / "exports" / "attendance" / export.name
    assert {p.name: p.read_bytes() for p in here.iterdir()} == {
        p.name: p.read_bytes() for p in export.iterdir()
    }
    assert {stat.S_IMODE(p.stat().st_mode) for p in here.iterdir()} == {0o600}
    (here / "audit.tsv.gz").write_bytes(b"half")
    again = place.run("export", fetch=True)
    assert again.outcomes == ["ok", "changed"]
    assert (here / "audit.tsv.gz").read_bytes() == (export / "audit.tsv.gz").read_bytes()
    assert place.run("export", fetch=True).outcomes == ["ok", "ok"]


def test_before_migrate_there_is_nothing_to_export(place: Bench) -> None:
    """Where neither table nor columns are, export says so and makes nothing."""
    ran = place.run("export")
    assert (ran.status, ran.outcomes) == (0, ["ok"])
    assert "nothing" in ran.document["steps"][0]["detail"]
    assert exports(place) == []


@MYSQL_IS_WIDE
def test_what_is_sent_is_what_was_previewed(place: Bench) -> None:
    """Every statement of the snapshot's session stands in the preview, and a preview makes none."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)
    preview = place.run("export", dry_run=True)
    assert exports(place) == []
    place.sandbox.general_log(True)
    assert place.run("export").status == 0
    place.sandbox.general_log(False)
    threads: dict[int, list[str]] = {}
    for said in place.sandbox.statements():
        if said.kind == "Query":
            threads.setdefault(said.thread, []).append(said.text)
    (sent,) = [texts for texts in threads.values() if "COMMIT" in texts]
    text = preview.document["planned"][0]["text"]
    connecting = {"SET NAMES utf8mb4", "SET AUTOCOMMIT = 1"}
    assert [t for t in sent if t not in connecting] == [t.removesuffix(";") for t in said_in(text)]


def said_in(text: str) -> list[str]:
    """Return the statements of an export's text, in order."""
    sql = text[: text.index("-- by SFTP")]
    return [f"{piece}" for piece in sql.split(";\n")[:-1]]


def test_queries_are_of_one_moment(sandbox: Sandbox, tmp_path: Path) -> None:
    """While somebody writes the same key to two tables at once, both files have the same keys."""
    for table in ("a", "b"):
        sandbox.query(f"CREATE TABLE vaulteer.{table} (id INT PRIMARY KEY)")
    place = exporting(
        sandbox,
        tmp_path,
        {"a": "SELECT id FROM a", "between": "SELECT SLEEP(0.3) AS slept", "c": "SELECT id FROM b"},
    )
    stop = threading.Event()

    def write() -> None:
        with sandbox.root_connection() as connection, connection.cursor() as cursor:
            for key in range(1_000_000):
                cursor.execute("BEGIN")
                cursor.execute("INSERT INTO a VALUES (%s)", (key,))
                cursor.execute("INSERT INTO b VALUES (%s)", (key,))
                cursor.execute("COMMIT")
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.2)
    ran = place.run("export")
    stop.set()
    writer.join()
    assert ran.status == 0, ran.said
    (export,) = exports(place)
    exported = lines(export, "a")
    assert exported == lines(export, "c")
    ((count,),) = sandbox.query("SELECT COUNT(*) FROM vaulteer.b")
    assert 0 < len(exported) < int(str(count))


def peak(process: subprocess.Popen[str]) -> int:
    """Wait for a process, and return the most memory that it ever took, in KiB.

    What wait4 tells is not less than what its parent had when it was forked.
    """
    most = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max([most, *(int(kib) for kib in re.findall(r"VmHWM:\s+(\d+)", status))])
        time.sleep(0.01)
    return most


def test_memory_does_not_grow_with_the_rows(mariadb: Sandbox, tmp_path: Path) -> None:
    """50,000 rows of 20 MB take hardly more memory than none."""
    mariadb.query("CREATE TABLE vaulteer.none (id INT PRIMARY KEY, said LONGTEXT)")
    numbers(mariadb, "many", 50_000, "CONCAT(SHA2(a.n, 512), SHA2(b.n, 512), REPEAT(a.n, 90))")
    peaks = {}
    for table in ("none", "many"):
        folder = tmp_path / table
        folder.mkdir()
        place = exporting(mariadb, folder, {table: f"SELECT id, said FROM {table} ORDER BY id"})
        process = place.start("export", "--env=test")
        peaks[table] = peak(process)
        assert process.wait() == 0
        (export,) = exports(place)
    assert manifest(export)["files"][0]["bytes"] > 20_000_000
    assert peaks["many"] - peaks["none"] < 8_000  # KiB


@pytest.fixture
def slow(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose export takes a second or more."""
    numbers(mariadb, "many", 50_000, "SHA2(a.n * 1000 + b.n, 512)")
    return exporting(
        mariadb,
        tmp_path,
        {"many": "SELECT id, said FROM many"},
        timeouts={"silence": "2s", "connect": "3s"},
    )


def streaming(place: Bench) -> Path:
    """Wait until an export has written some of its file; return its unfinished folder."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for part in exports(place):
            if any(file.stat().st_size > 100_000 for file in part.glob("*.tsv.gz")):
                return part
        time.sleep(0.005)
    raise AssertionError("the export never began")


def test_killed_half_way_it_is_no_export(slow: Bench) -> None:
    """What a killed export leaves is not taken for one, and goes with the next."""
    with slow.start("export", "--env=test", "--json") as process:
        part = streaming(slow)
        process.kill()
    assert part.name.endswith(".part")
    assert "no export is there" in slow.run("export", dry_run=True).said
    assert slow.run("export").outcomes == ["changed"]
    (export,) = exports(slow)
    assert not export.name.endswith(".part")
    assert slow.run("export").outcomes == ["ok"]


def test_ctrl_c_leaves_nothing_behind(slow: Bench) -> None:
    """Stopped by its operator an export ends at once, with 130, and removes what it wrote."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert exports(slow) == []


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_connection_is_told_as_such(slow: Bench, fault: signal.Signals) -> None:
    """SSH cut or black-holed under it: the outcome is unknown, and the next export is whole."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        cut = slow.sandbox.connections("db1")
        for connection in cut:
            connection.send(fault)
        out, _ = process.communicate(timeout=60)
    for connection in cut:
        connection.send(signal.SIGKILL)
    assert process.returncode == 4, out
    assert "connection was lost" in out
    ran = slow.run("export")
    assert ran.outcomes == ["changed"], ran.said
    assert len(exports(slow)) == 1


def test_a_database_that_dies_under_it_is_told_as_such(slow: Bench) -> None:
    """When the server dies the outcome is unknown; once it is back the export is whole."""
    with slow.start("export", "--env=test", "--json") as process:
        streaming(slow)
        slow.sandbox.kill_database()
        out, _ = process.communicate(timeout=60)
    slow.sandbox.restart_database()
    assert process.returncode == 4, out
    assert "database connection was lost" in out
    assert slow.run("export").outcomes == ["changed"]


def test_a_folder_that_cannot_be_written_is_named(mariadb: Sandbox, tmp_path: Path) -> None:
    """A backup folder that is a file, or below one, fails with its path and what to do."""
    (tmp_path / "file").write_text("")
    place = exporting(
        mariadb, tmp_path, {"u": "SELECT * FROM users"}, backup={"folder": str(tmp_path / "file")}
    )
    ran = place.run("export")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert str(tmp_path / "file") in ran.document["message"]
    assert "room" in ran.document["advice"]


def test_a_full_disk_fails_and_leaves_no_export(mariadb: Sandbox, tmp_path: Path) -> None:
    """Where the disk runs full the export fails, and what was written is removed again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.system(f"mount -t tmpfs -o size=256k,mode=700 tmpfs '{disk}' 2>/dev/null")
    if mounted:
        pytest.skip("no tmpfs can be mounted here")
    try:
        numbers(mariadb, "many", 20_000, "SHA2(a.n * 1000 + b.n, 512)")
        place = exporting(
            mariadb, tmp_path, {"many": "SELECT * FROM many"}, backup={"folder": str(disk)}
        )
        ran = place.run("export")
        assert (ran.status, ran.document["outcome"]) == (1, "failed")
        assert list(disk.rglob("*.gz")) == []
        assert list(disk.rglob("*.part")) == []
    finally:
        os.system(f"umount '{disk}'")


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
