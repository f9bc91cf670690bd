"""What the tests of triggers share: a migrated bench, its audit rows and its triggers."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.sandbox import Sandbox
from tests.support import PROJECT, Bench, Ran, lean

AUDIT = "vaulteer.event_attendance_audit"
NAMES = ("trg_event_attendance_audit_no_update", "trg_event_attendance_audit_no_delete")
FILES = PROJECT / "sql" / "attendance"
SHORT = {"lock_wait": "1s", "lock_give_up": "20s"}


def migrated(sandbox: Sandbox, folder: Path) -> Bench:
    """Return a bench on which the change was migrated."""
    made = lean(sandbox, folder, timeouts=SHORT)
    assert made.run("migrate").status == 0
    return made


def insert(place: Bench, rows: int = 3) -> None:
    """Let the application write some audit rows."""
    for n in range(rows):
        place.sandbox.query(
            f"INSERT INTO {AUDIT} (event_id, participant_id, action) VALUES (1, {n}, 'check_in')"
        )


def standing(place: Bench) -> list[str]:
    """Return the names of the triggers of the audit table."""
    rows = place.sandbox.query(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
        " WHERE EVENT_OBJECT_TABLE = 'event_attendance_audit' ORDER BY 1 DESC"
    )
    return [str(name) for (name,) in rows]


def everything(place: Bench) -> object:
    """Return what a proof must leave as it was: rows, open transactions, the table."""
    shown = str(place.sandbox.query(f"SHOW CREATE TABLE {AUDIT}")[0][1])
    return (
        place.sandbox.query(f"SELECT * FROM {AUDIT} ORDER BY id"),
        place.sandbox.query("SELECT * FROM information_schema.INNODB_TRX"),
        re.sub(r" AUTO_INCREMENT=\d+", "", shown),
    )


def refused(ran: Ran) -> str:
    """Return what a refused run refused, all in one."""
    assert (ran.status, ran.document["outcome"]) == (3, "refused"), ran.why
    rows = [f for f in ran.document["findings"] if f["level"] == "refused"]
    return " ".join(f"{f['what']}: {f['detail']} → {f['advice']}" for f in rows)
