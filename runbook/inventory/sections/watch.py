"""`watch`: where the scan of append-only rows runs, how often, and who hears of it."""

from __future__ import annotations

from runbook.application import INTERVALS, Watch
from runbook.inventory.common import COMMAND, HOST_REFERENCE, REMOTE_FILE, REMOTE_FOLDER
from runbook.inventory.records import Fields, Key, Record, optional, required
from runbook.inventory.words import choice, duration

HOST = required(
    "host", HOST_REFERENCE, "The host that scans and keeps the baseline; not the database's own."
)
FOLDER = required("folder", REMOTE_FOLDER, "Folder there for script and baseline; mode 0700.")
CREDENTIALS = required(
    "credentials",
    REMOTE_FILE,
    "Option file there, mode 0600, with a `[client]` that may read the watched tables.",
)
EVERY = Key("every", choice(INTERVALS), "How often it scans.", 900.0)
SETTLE = Key(
    "settle",
    duration("10m"),
    "How long a transaction may take to commit a row; later, its key counts as slipped in.",
    600.0,
)
SCHEDULER = Key(
    "scheduler",
    choice({name: name for name in ("cron", "systemd", "own")}),
    "What runs it there; `own` is a scheduler of yours that types `invoke watch --once`.",
    "cron",
)
ALERT = optional("alert", COMMAND, "Run there with what was found, as JSON, on standard input.")
HEARTBEAT = optional(
    "heartbeat", COMMAND, "Run there after each good scan, such as a call of a dead man's switch."
)
WATCH = optional(
    "watch",
    Record((HOST, FOLDER, CREDENTIALS, EVERY, SETTLE, SCHEDULER, ALERT, HEARTBEAT)),
    "A scan that finds append-only rows that were changed, deleted or slipped in.",
)


def watch(fields: Fields | None) -> Watch | None:
    """Return the section's value, or None where it is not there."""
    if fields is None:
        return None
    return Watch(
        host=fields[HOST],
        folder=fields[FOLDER],
        credentials=fields[CREDENTIALS],
        every=fields[EVERY],
        settle=fields[SETTLE],
        scheduler=fields[SCHEDULER],
        alert=fields[ALERT],
        heartbeat=fields[HEARTBEAT],
    )
