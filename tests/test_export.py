"""Export on real servers: consistent, private, complete, and not twice."""

from __future__ import annotations

import contextlib
import re
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pymysql.cursors
import pytest

from sandbox.sandbox import Sandbox
from tests.exporting import (
    exporting,
    exports,
    lines,
    load,
    manifest,
)
from tests.support import MYSQL_IS_WIDE, Bench, lean

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]
from tests.exporting import attend, numbers


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench of the shipped change on each server in turn."""
    return lean(sandbox, tmp_path)


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


@MYSQL_IS_WIDE
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
    assert ran.status == 0, ran.why
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
