"""`logs`: where the application writes what happens, and `monitor`: how that is followed."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.application import Log, Monitor
from runbook.inventory.common import ROLE_REFERENCE
from runbook.inventory.records import Fields, Key, Named, Record, names, optional, required, section
from runbook.inventory.words import choice, duration, text, whole

MEBIBYTE = 1 << 20
LEVELS = ("info", "warning", "error")

ROLE = required("role", ROLE_REFERENCE, "It is on every host with this role.")
FILE = optional(
    "file",
    text(
        "a file on the host, absolute or relative to where its sessions begin; {host} is its name",
        r"(?!~)(?:[^{}*]|\{host\})*/(?:[^{}/]|\{host\})+",
        longest=1024,
    ),
    "The file, followed through its rotations; a * in its last part is for a name with a date.",
)
UNIT = optional(
    "unit", text("a systemd unit", r"[A-Za-z0-9:_.@\\-]+", longest=255), "The unit, by its journal."
)
COMMAND = optional(
    "command",
    text(
        "a command, one line, with {since} and no other placeholder",
        r"(?=.*\{since\})(?:(?!\{(?!since\})[a-z_]+\}).)*",
        longest=4096,
    ),
    "Prints what was logged from {since} on (2025-12-17T10:00:00Z), each line with its time, "
    "and ends.",
)
LEVEL = Key(
    "level",
    choice({name: name for name in LEVELS}),
    "How grave a line is that does not say it: error for what only errors are written to.",
    Log.level,
)
LOGS = names(
    "logs",
    Named(
        Record((ROLE, FILE, UNIT, COMMAND, LEVEL), one=(FILE.name, UNIT.name, COMMAND.name)),
        "the name of a log (letters, digits and . _ -)",
        r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?",
    ),
    "The application's logs, by name, that `monitor` follows: each a file, a unit or a command.",
)

BASELINE = Key(
    "baseline",
    duration("14d"),
    "How far back a log is read to learn what is usual in it.",
    Monitor.baseline,
)
HISTORY = Key(
    "history",
    whole(1, 1 << 20, "a number of MiB"),
    "How many MiB of a log are read for that at most, the newest.",
    Monitor.history // MEBIBYTE,
)
INTERVAL = Key("interval", duration("5s"), "How often a host is asked for more.", Monitor.interval)
FACTOR = Key(
    "factor",
    whole(2, 100, "a number"),
    "How many times the usual rate is a spike.",
    Monitor.factor,
)
QUIET = Key(
    "quiet",
    duration("30d"),
    "How long, on average, no false alarm should be told.",
    Monitor.quiet,
)
COUNTED = Key(
    "level",
    choice({name: name for name in LEVELS[1:]}),
    "The least level that counts; warnings are a series of their own.",
    Monitor.level,
)
MONITOR = section(
    "monitor",
    Record((BASELINE, HISTORY, INTERVAL, FACTOR, QUIET, COUNTED)),
    "How `monitor` follows the logs, and what is a spike.",
)


def logs(fields: Mapping[str, Fields]) -> tuple[Log, ...]:
    """Return the logs, in the inventory's order."""
    return tuple(
        Log(name, each[ROLE], each[FILE], each[UNIT], each[COMMAND], each[LEVEL])
        for name, each in fields.items()
    )


def monitor(fields: Fields) -> Monitor:
    """Return how logs are followed."""
    return Monitor(
        baseline=fields[BASELINE],
        history=fields[HISTORY] * MEBIBYTE,
        interval=fields[INTERVAL],
        factor=fields[FACTOR],
        quiet=fields[QUIET],
        level=fields[COUNTED],
    )
