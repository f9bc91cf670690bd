"""What a sandbox's database holds, and what was asked of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sandbox.databases import accounts
from sandbox.layout import ACCOUNTS
from sandbox.processes import wait_until
from sandbox.programs import Flavour

SCHEMA = Path(__file__).with_name("schema.sql")
Query: TypeAlias = Callable[[str], list[tuple[object, ...]]]
"""Runs one statement as the server's root and returns its rows."""

_BEYOND_BMP = re.compile(r"\\xF[0-4](?:\\x[89AB][0-9A-F]){3}")
"""A character of four bytes as MariaDB writes it into its log table, which is utf8mb3."""


@dataclass(frozen=True)
class Statement:
    """One line of the server's general log."""

    thread: int
    user: str
    kind: str
    """What the client asked for: Query, Prepare, Execute, Connect, Init DB, Quit, …"""
    text: str


SETTLED = (
    "SET GLOBAL general_log = OFF, GLOBAL read_only = OFF,"
    " GLOBAL log_bin_trust_function_creators = ON"
)
"""Puts back the server's global variables that a reset cares for."""


@dataclass(frozen=True)
class _Kind:
    """A kind of object: what lists its names, and where SHOW CREATE has its text."""

    names: str
    column: int


_KINDS = {
    "TABLE": _Kind("table_name FROM tables WHERE table_type = 'BASE TABLE' AND table_schema", 1),
    "VIEW": _Kind("table_name FROM views WHERE table_schema", 1),
    "TRIGGER": _Kind("trigger_name FROM triggers WHERE trigger_schema", 2),
    "PROCEDURE": _Kind(
        "routine_name FROM routines WHERE routine_type = 'PROCEDURE' AND routine_schema", 2
    ),
    "FUNCTION": _Kind(
        "routine_name FROM routines WHERE routine_type = 'FUNCTION' AND routine_schema", 2
    ),
    "EVENT": _Kind("event_name FROM events WHERE event_schema", 3),
}


def definitions(query: Query, database: str) -> dict[str, str]:
    """Return SHOW CREATE of all that `database` holds, by `table users`, `trigger …`."""
    found = {}
    for kind, how in _KINDS.items():
        listing = how.names.replace(" FROM ", " FROM information_schema.")
        for (name,) in query(f"SELECT {listing} = '{database}' ORDER BY 1"):
            (row,) = query(f"SHOW CREATE {kind} `{database}`.`{name}`")
            found[f"{kind.lower()} {name}"] = str(row[how.column])
    return found


def log_statements(query: Query, on: bool) -> None:
    """Switch the general log; switching it on empties it."""
    query("SET GLOBAL general_log = OFF")
    if on:
        query("TRUNCATE mysql.general_log")
        query("SET GLOBAL general_log = ON")


def logged_statements(query: Query, account: str) -> list[Statement]:
    """Return what `account` asked of the server while the log was on, in order."""
    rows = query("SELECT thread_id, user_host, command_type, argument FROM mysql.general_log")
    log = (
        Statement(int(_text(thread)), _text(user).partition("[")[0], _text(kind), _text(argument))
        for thread, user, kind, argument in rows
    )
    return [statement for statement in log if statement.user == account]


def seeding(rows: int, partial: bool) -> str:
    """Return the SQL that lays the database `vaulteer` anew."""
    schema = SCHEMA.read_text(encoding="utf-8")
    return f"SET @participants = {rows}, @partial = {int(partial)};\n{schema}"


def cut_sessions(query: Query) -> None:
    """End every connection but the server's root's own, and what it was at."""
    import pymysql  # noqa: PLC0415

    listing = "SELECT id FROM information_schema.processlist WHERE user IN ('migrator', 'app')"

    def gone() -> bool:
        sessions = query(listing)
        for (session,) in sessions:
            with contextlib.suppress(pymysql.err.OperationalError):  # it ended by itself
                query(f"KILL {session}")
        return not sessions

    wait_until(gone, 10.0)


def position(query: Query, server: Flavour) -> object:
    """Return how far the server's binary log is: as long as it stays, no data has changed."""
    status = "BINARY LOG" if server == "mysql" else "MASTER"
    return query(f"SHOW {status} STATUS")[0][:2]


def cleaning(query: Query, server: Flavour, root: Path) -> str:
    """Return the SQL that removes what is not the sandbox's own, and renews the accounts."""
    others = query(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN"
        " ('mysql', 'sys', 'information_schema', 'performance_schema', 'vaulteer')"
    )
    names = [_text(name).replace("`", "``") for (name,) in others]
    passwords = {
        name: (root / f"{name}.password").read_text(encoding="utf-8").strip() for name in ACCOUNTS
    }
    return "\n".join(
        [
            *[f"DROP DATABASE `{name}`;" for name in names],
            *accounts(server, passwords),
        ]
    )


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return _BEYOND_BMP.sub(_character, text)


def _character(escaped: re.Match[str]) -> str:
    return bytes.fromhex(escaped[0].replace("\\x", "")).decode(errors="replace")
