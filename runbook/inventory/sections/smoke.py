"""`smoke`: the application's integration tests, where they run and how they report."""

from __future__ import annotations

from runbook.application import Smoke
from runbook.inventory.common import HOST_REFERENCE, PLAIN_FOLDER, command_with
from runbook.inventory.records import Fields, Key, Record, optional, required
from runbook.inventory.words import duration

HOST = required("host", HOST_REFERENCE, "The host that runs the tests.")
TESTS = required(
    "command",
    command_with("report"),
    "Runs the tests; they report to the file `{report}`, else on standard output, as jest's "
    "JSON or JUnit's XML.",
)
TIMEOUT = Key("timeout", duration("10m"), "How long they may take; then they are ended.", 600.0)
FOLDER = Key(
    "folder",
    PLAIN_FOLDER,
    "Folder there for their log and report; made with mode 0700.",
    ".runbook-smoke",
)
SMOKE = optional(
    "smoke",
    Record((HOST, TESTS, TIMEOUT, FOLDER)),
    "The integration tests of the application, for `smoke`; they write and delete rows.",
)


def smoke(fields: Fields | None) -> Smoke | None:
    """Return the section's value, or None where it is not there."""
    if fields is None:
        return None
    return Smoke(fields[HOST], fields[TESTS], fields[TIMEOUT], fields[FOLDER])
