"""`runner`: the application's own command that migrates, in place of this program's statements."""

from __future__ import annotations

from runbook.application import Runner
from runbook.inventory.common import HOST_REFERENCE, PLAIN_FOLDER, command_with
from runbook.inventory.records import Fields, Record, optional, required
from runbook.inventory.words import text

HOST = required("host", HOST_REFERENCE, "The host that runs it.")
FOLDER = required(
    "folder", PLAIN_FOLDER, "The application's folder there; `.runbook` in it keeps our jobs."
)
MIGRATES = required(
    "command", command_with("folder", "host"), "Migrates; with the application's own settings."
)
FILES = optional(
    "files",
    text(
        "a folder on the host, {folder} in it if you like",
        r"(?!.*(?:^|/)\.\.?(?:/|$))(?:[A-Za-z0-9._@+/-]|\{(?:host|folder)\})+",
        longest=500,
    ),
    "Folder there with the change's migration files; they must be the same as those here.",
)
RUNNER = optional(
    "runner",
    Record((HOST, FOLDER, MIGRATES, FILES)),
    "The application's own command that migrates, in place of this program's statements.",
)


def runner(fields: Fields | None) -> Runner | None:
    """Return the section's value, or None where it is not there."""
    if fields is None:
        return None
    return Runner(fields[HOST], fields[FOLDER].rstrip("/") or "/", fields[MIGRATES], fields[FILES])
