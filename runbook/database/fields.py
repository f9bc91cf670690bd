"""What the server says of a result's columns, and how each kind of value is treated.

Type numbers and the character set number 63 (binary) are those of the MySQL
protocol, which MariaDB shares:
https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymysql.protocol import FieldDescriptorPacket

RawRow = tuple[bytes | None, ...]
NULL = 251
WIDER = {252: 2, 253: 3, 254: 8}
"""By a length's first byte, how many bytes the length has after it."""
BINARY_CHARSET = 63
UNSIGNED = 32
FLOAT, JSON, GEOMETRY = 4, 245, 255
INTEGERS = {1, 2, 3, 8, 9}
DECIMALS = {0, 246}
SQL_TYPES = {4: "double", 5: "double", 10: "date", 13: "year", 14: "date"}
WITH_FRACTION = {7: "timestamp", 11: "time", 12: "datetime"}
PLAIN_TYPES = INTEGERS | DECIMALS | SQL_TYPES.keys() | WITH_FRACTION.keys()


class Kind(StrEnum):
    """How a column's values are written and read back.

    `plain`: numbers, dates and times, in ASCII without a comma. `text`: UTF-8.
    `binary`: bytes as they are.
    """

    PLAIN = "plain"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True)
class Field:
    """A column of a result: its name, its type, and the column of a table it comes from.

    `length` is in bytes as displayed, `scale` in digits after the point; `alias`
    is what the query calls the `table`. These are empty for an expression.
    """

    name: str
    type: int
    charset: int
    length: int
    flags: int
    scale: int
    table: str
    alias: str
    column: str

    @property
    def kind(self) -> Kind:
        """How its values are treated; MySQL sends JSON as if it were binary."""
        if self.type in PLAIN_TYPES:
            return Kind.PLAIN
        return Kind.BINARY if self.charset == BINARY_CHARSET and self.type != JSON else Kind.TEXT

    @property
    def temporal(self) -> bool:
        """Whether it says when something was."""
        return self.type in {7, 10, 12, 14}

    @property
    def sql_type(self) -> str:
        """A type that holds every value of it, for where its table's own is not known."""
        unsigned = " unsigned" if self.flags & UNSIGNED else ""
        if self.type in INTEGERS:
            return f"bigint{unsigned}"
        if self.type in DECIMALS:
            digits = min(65, self.length - (self.scale > 0) - (not unsigned))
            return f"decimal({digits},{self.scale}){unsigned}"
        if self.type in WITH_FRACTION:
            return f"{WITH_FRACTION[self.type]}({self.scale})"
        if self.type in SQL_TYPES:
            return SQL_TYPES[self.type]
        if self.type == GEOMETRY:
            return "geometry"
        return "longblob" if self.kind is Kind.BINARY else "longtext CHARACTER SET utf8mb4"


def field(sent: FieldDescriptorPacket) -> Field:
    """Return a column as the server described it."""
    said = vars(sent)
    return Field(
        name=str(said["name"]),
        type=int(said["type_code"]),
        charset=int(said["charsetnr"]),
        length=int(said["length"]),
        flags=int(said["flags"]),
        scale=int(said["scale"]),
        table=str(said["org_table"]),
        alias=str(said["table_name"]),
        column=str(said["org_name"]),
    )


def raw_row(packet: bytes) -> RawRow:
    """Return the values of a row from its packet, as bytes: each has its length in front.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
    """
    values: list[bytes | None] = []
    at, end = 0, len(packet)
    while at < end:
        length = packet[at]
        at += 1
        if length == NULL:
            values.append(None)
            continue
        if length > NULL:
            width = WIDER[length]
            length = int.from_bytes(packet[at : at + width], "little")
            at += width
        values.append(packet[at : at + length])
        at += length
    return tuple(values)
