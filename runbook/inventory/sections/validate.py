"""`validate`: the job of the application that is tried once, and where it reports."""

from __future__ import annotations

from runbook.application import Validation
from runbook.inventory.common import COMMAND, HOST_REFERENCE
from runbook.inventory.records import Fields, Key, Record, optional, required
from runbook.inventory.words import text

HOST = required("host", HOST_REFERENCE, "The host that runs the application's job.")
JOB = required("command", COMMAND, "Runs the job once; it must be safe to run at any time.")
REPORT = required(
    "report",
    text("the value that marks the job's report", longest=200),
    "Value of `report_key` in the JSON lines that are the job's report.",
)
REPORT_KEY = Key(
    "report_key", text("a key of a JSON object", longest=100), "Key that names a JSON line.", "op"
)
VALIDATE = optional(
    "validate",
    Record((HOST, JOB, REPORT, REPORT_KEY)),
    "A job of the application that `validate` tries once, and compares with the database.",
)


def validation(fields: Fields | None) -> Validation | None:
    """Return the section's value, or None where it is not there."""
    if fields is None:
        return None
    return Validation(fields[HOST], fields[JOB], fields[REPORT], fields[REPORT_KEY])
