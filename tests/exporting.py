"""What the tests of export share: a change of any queries, and reading an export back."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pymysql.cursors

from sandbox.sandbox import Sandbox
from tests.support import Bench

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]

import gzip
import json
import shutil
import struct
from collections.abc import Mapping
from typing import Any

from tests.support import bench

TYPES = {
    "whole": "INT",
    "tiny": "TINYINT UNSIGNED",
    "huge": "BIGINT UNSIGNED",
    "padded": "INT(8) ZEROFILL",
    "exact": "DECIMAL(65,30)",
    "single": "FLOAT",
    "twice": "DOUBLE",
    "bits": "BIT(13)",
    "day": "DATE",
    "moment": "DATETIME(6)",
    "stamp": "TIMESTAMP(6)",
    "span": "TIME(6)",
    "year": "YEAR",
    "fixed": "CHAR(20)",
    "words": "VARCHAR(200)",
    "western": "VARCHAR(200) CHARACTER SET latin1",
    "japanese": "VARCHAR(50) CHARACTER SET sjis",
    "wide": "VARCHAR(50) CHARACTER SET utf16",
    "long_text": "LONGTEXT CHARACTER SET utf8mb3",
    "choice": "ENUM('a','b','é','x\\\\y','')",
    "choices": "SET('p','q','r')",
    "raw": "BINARY(8)",
    "raws": "VARBINARY(300)",
    "long_raw": "LONGBLOB",
    "document": "JSON",
    "place": "POINT",
}
ALL = "aB'\"\\\t\n\r\0\x1a\b%éÿ€漢😀NZ0 \u2028\ufeff"
WESTERN = "aB'\"\\\t\n\r\0\x1a\b%éÿ€NZ0 "
JAPANESE = "aB\\\t\nあ漢ソ表能 N"
BYTES = bytes(range(256))
NUMBERS: dict[str, list[Any]] = {
    "whole": [0, -(2**31), 2**31 - 1],
    "tiny": [0, 255],
    "huge": [0, 2**64 - 1],
    "padded": [7, 123456789],
    "exact": ["0", "-0.000000000000000000000000000001", "12345678901234567890123456789012345.5"],
    "single": [0.0, 16777216.0, 1.1, 3.4028234e38, 1e-38, 123456789.0, 1.17549e-39],
    "twice": [0.1, 1e308, -2.2250738585072014e-308, 1 / 3, 5e-324, 123456789012345680.0],
    "bits": [0, 1, 9, 10, 92, 0x0A5C, 0x095C, 8191],
    "day": ["0000-00-00", "1000-01-01", "9999-12-31", "2024-02-00"],
    "moment": ["0000-00-00 00:00:00", "2024-03-31 02:30:00.123456", "9999-12-31 23:59:59.999999"],
    "stamp": ["0000-00-00 00:00:00", "2024-10-27 00:30:00.000001", "2038-01-19 03:14:07.999999"],
    "span": ["-838:59:59", "838:59:59", "00:00:00.000001", "-00:00:00.5"],
    "year": [0, 1901, 2155],
    "choice": ["a", "é", "x\\y", ""],
    "choices": ["", "p", "p,q,r"],
    "document": [
        '{"a": "tab\\t nl\\n é😀 \\\\ \\u0000", "b": [1, 1.0, 1e300, null, true, 0.1]}',
        "null",
        '"\\\\N"',
        "[]",
        "18446744073709551615",
    ],
}


def wild_row(chance: random.Random) -> dict[str, Any]:
    """Return a row of the table of all types; every value may be NULL, every text be `\\N`."""

    def text(longest: int, characters: str) -> str:
        return "".join(chance.choice(characters) for _ in range(chance.randint(0, longest)))

    row: dict[str, Any] = {name: chance.choice(values) for name, values in NUMBERS.items()}
    row |= {
        "fixed": text(10, ALL),
        "words": text(60, ALL),
        "western": text(60, WESTERN),
        "japanese": text(20, JAPANESE),
        "wide": text(20, ALL),
        "long_text": text(200, ALL.replace("😀", "")),
        "raw": chance.randbytes(chance.randint(0, 8)),
        "raws": bytes(chance.choices(b"\0\t\n\\N\x80\xff\xf0\x9f", k=chance.randint(0, 90))),
        "long_raw": chance.choice([BYTES, b"", BYTES[::-1] * 9]),
        "place": struct.pack("<BIdd", 1, 1, chance.choice([1.0, 92.0, 0.1]), -9.25),
    }
    for name in row:
        if chance.random() < 0.15:
            row[name] = None
        elif name in {"words", "western", "long_text"} and chance.random() < 0.1:
            row[name] = r"\N"
    return row


def lay_wild_table(sandbox: Sandbox, rows: int) -> None:
    """Make the table `wild` of every type, with random rows, and one all NULL."""
    columns = ", ".join(f"{name} {type_} NULL" for name, type_ in TYPES.items())
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'")
        cursor.execute(
            f"CREATE TABLE wild (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, {columns})"
            " CHARACTER SET utf8mb4"
        )
        cursor.execute("INSERT INTO wild () VALUES ()")
        chance = random.Random(20251217)
        for _ in range(rows):
            row = wild_row(chance)
            marks = ["ST_GeomFromWKB(%s)" if name == "place" else "%s" for name in row]
            cursor.execute(
                f"INSERT INTO wild ({', '.join(row)}) VALUES ({', '.join(marks)})",
                list(row.values()),
            )


def exporting(
    sandbox: Sandbox, folder: Path, queries: Mapping[str, str], **overrides: Any
) -> Bench:
    """Return a bench whose change exports `queries`, by the stems of their files."""
    change = folder / "change"
    for name in ("migrate", "export"):
        (change / name).mkdir(parents=True, exist_ok=True)
    (change / "migrate" / "nothing.sql").write_text("DO 0;\n")
    for stem, query in queries.items():
        (change / "export" / f"{stem}.sql").write_text(f"{query};\n")
    return bench(sandbox, folder, change=str(change), **overrides)


def exports(place: Bench) -> list[Path]:
    """Return the folders of exports on the backup host, complete or not, oldest first."""
    return sorted(place.folder.glob("backups/exports/test/*/*"))


def manifest(export: Path) -> dict[str, Any]:
    """Return what an export says of itself."""
    said: dict[str, Any] = json.loads((export / "manifest.json").read_text())
    return said


def lines(export: Path, stem: str) -> list[bytes]:
    """Return the lines of a query's file."""
    return gzip.decompress((export / f"{stem}.tsv.gz").read_bytes()).splitlines()


def load(place: Bench, export: Path, *, zone: str = "+09:30") -> list[list[str]]:
    """Load an export as its own script says to, by a client whose session is somewhere else.

    Returns the rows that its checks printed: name, expected, actual.
    """
    here = place.folder / "loading"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(export, here)
    subprocess.run(["gunzip", "-k", *here.glob("*.tsv.gz")], check=True)
    sandbox = place.sandbox
    done = subprocess.run(
        [
            sandbox.database.programs.client,
            f"--defaults-extra-file={sandbox.root / 'root.cnf'}",
            "--local-infile=1",
            "--batch",
            "--skip-column-names",
            f"--init-command=SET time_zone = '{zone}', sql_mode = ''",
            "vaulteer",
        ],
        stdin=(here / "load.sql").open(),
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


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
