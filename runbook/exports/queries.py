"""The queries of an export: what the server is asked about each, and the SQL that reads one back.

Every row has a checksum that does not depend on the order of rows, nor on
anything but the values: the server sums it up in one statement (`census`), the
export does the same over the bytes it writes (`Tally`), and so can the table
that a file was loaded into. The two sums agree exactly when the rows do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from runbook.database.fields import Kind
from runbook.sql.text import quote_name, quote_string

LOADING = (
    "SET NAMES utf8mb4",
    "SET SESSION autocommit = 1, time_zone = '+00:00'",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
)
"""What a session must be like for LOAD DATA to take every value as it was."""


@dataclass(frozen=True)
class Column:
    """A column of a query; `type` is as CREATE TABLE wants it.

    `source` is the `table.column` it comes from, `alias` what the query calls
    that table; both are empty for an expression.
    """

    name: str
    kind: Kind
    type: str
    source: str = ""
    alias: str = ""
    temporal: bool = False

    @property
    def table(self) -> str:
        """The table it comes from, empty for an expression."""
        return self.source.partition(".")[0]


@dataclass(frozen=True)
class Query:
    """One query of an export: its file's stem, the SELECT exactly as sent, its columns."""

    stem: str
    origin: str
    select: str
    columns: tuple[Column, ...]

    @property
    def file(self) -> str:
        """The name of its file, which is compressed."""
        return f"{self.stem}.tsv.gz"

    @property
    def tables(self) -> frozenset[str]:
        """The tables that its columns come from."""
        return frozenset(column.table for column in self.columns if column.table)

    @property
    def locks(self) -> frozenset[str]:
        """The tables as LOCK TABLES must name them for the query to be allowed."""
        return frozenset(
            quote_name(column.table)
            + (f" AS {quote_name(column.alias)}" if column.alias != column.table else "")
            for column in self.columns
            if column.table
        )

    @property
    def census(self) -> str:
        """The statement that counts and sums up the rows; `survey` reads its answer."""
        asked = ["COUNT(*)", checksum(self.columns)]
        asked += [f"COUNT({quote_name(column.name)})" for column in self.columns]
        for column in self.columns:
            if column.temporal:
                name = quote_name(column.name)
                asked += [f"CAST(MIN({name}) AS CHAR)", f"CAST(MAX({name}) AS CHAR)"]
        return f"SELECT {', '.join(asked)}\n FROM (\n{self.select}\n) AS exported"

    def check(self, expected: str) -> str:
        """Return the statement that compares the present rows with `identity` of earlier ones."""
        return _check(self, expected, self.select)

    @property
    def load(self) -> tuple[str, ...]:
        """The statements that read the uncompressed file into a new table.

        Fields come in as bytes; text says that it is UTF-8, and the server
        converts it to the character set of its column.
        """
        table = quote_name(f"exported_{self.stem}"[:64])
        columns = [f"{quote_name(column.name)} {column.type} NULL" for column in self.columns]
        texts = {n: c for n, c in enumerate(self.columns) if c.kind is Kind.TEXT}
        targets = [
            f"@text{n}" if n in texts else quote_name(column.name)
            for n, column in enumerate(self.columns)
        ]
        sets = [
            f"{quote_name(column.name)} = CONVERT(@text{n} USING utf8mb4)"
            for n, column in texts.items()
        ]
        ending = "\n SET " + ",\n  ".join(sets) if sets else ""
        return (
            f"CREATE TABLE {table} (\n  " + ",\n  ".join(columns) + "\n)",
            f"LOAD DATA LOCAL INFILE {quote_string(self.stem + '.tsv')} INTO TABLE {table}"
            f" CHARACTER SET binary\n ({', '.join(targets)}){ending}",
        )

    def check_loaded(self, expected: str) -> str:
        """Return the statement that compares the loaded table with what was exported."""
        return _check(self, expected, f"SELECT * FROM {quote_name(f'exported_{self.stem}'[:64])}")


@dataclass(frozen=True)
class Census:
    """A query's rows at one moment: how many, their checksum, and what is in each column.

    `filled` counts the values that are not NULL; `spans` are the earliest and
    the latest of a temporal column, in UTC. Both follow the query's columns.
    """

    rows: int
    checksum: str
    filled: tuple[int, ...]
    spans: tuple[tuple[str, str] | None, ...]

    @property
    def identity(self) -> str:
        """What tells these rows from any others."""
        return identity(self.rows, self.checksum)


class Tally:
    """The count and checksum of rows, from the bytes that the server sent."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.rows = 0
        self.sum = 0
        self._plain = [column.kind is Kind.PLAIN for column in columns]

    def add(self, row: Sequence[bytes | None]) -> None:
        """Count one row in."""
        said = b",".join(
            [
                b"N" if value is None else value if plain else _digest(value)
                for plain, value in zip(self._plain, row, strict=True)
            ]
        )
        self.rows += 1
        self.sum += int.from_bytes(hashlib.sha256(said).digest()[:8], "big")

    @property
    def identity(self) -> str:
        """What tells these rows from any others."""
        return identity(self.rows, str(self.sum))


def identity(rows: int, sum_: str) -> str:
    """Return how many rows and their checksum, as checks compare them."""
    return f"{rows} rows, checksum {sum_}"


def checksum(columns: Sequence[Column]) -> str:
    """Return the SQL expression that sums up rows.

    Values are joined by commas, NULL as N; text and binary as their SHA-256,
    so the joined text is short, unambiguous and of one character set whatever
    the columns are. The sum is over 64 bits of each row's SHA-256: unlike an
    exclusive or it tells a pair of equal rows from none.
    """
    joined = ", ".join(_said(column) for column in columns)
    return (
        f"COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', {joined}), 256), 16), 16, 10)"
        " AS UNSIGNED)), 0)"
    )


def _check(query: Query, expected: str, select: str) -> str:
    return (
        f"SELECT {quote_string(query.stem)} AS check_name, {quote_string(expected)} AS expected,\n"
        f" CONCAT(COUNT(*), ' rows, checksum ', {checksum(query.columns)}) AS actual\n"
        f" FROM (\n{select}\n) AS exported"
    )


def _said(column: Column) -> str:
    name = quote_name(column.name)
    if column.kind is Kind.TEXT:
        name = f"SHA2(CONVERT({name} USING utf8mb4), 256)"
    elif column.kind is Kind.BINARY:
        name = f"SHA2({name}, 256)"
    return f"COALESCE({name}, 'N')"


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).hexdigest().encode()
