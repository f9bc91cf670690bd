"""What the tests of rollback share: a migration with rows, and somebody who is in the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.sandbox import Sandbox
from tests.exporting import attend
from tests.support import Bench, Ran, lean

AUDIT = "vaulteer.event_attendance_audit"
PARTICIPANTS = "vaulteer.event_participants"
INSERT = f"INSERT INTO {AUDIT} (event_id, participant_id, action) VALUES (1, 1, 'correction')"
SHORT = {"lock_wait": "1s", "lock_give_up": "20s"}


def migrated(place: Bench) -> None:
    """Migrate, and give the application time to leave rows of attendance."""
    assert place.run("migrate").status == 0
    attend(place.sandbox)


def exported(sandbox: Sandbox, folder: Path) -> Bench:
    """Return a bench that was migrated, with 166 rows of each kind, which are exported."""
    made = lean(sandbox, folder, timeouts=SHORT)
    migrated(made)
    assert made.run("export").status == 0
    return made


def ended(place: Bench, before: dict[str, str]) -> None:
    """Check that a rollback brings the schema back, that it is then over, and migrate works."""
    ran = place.run("rollback")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.why
    assert place.schema() == before
    again = place.run("rollback")
    assert (again.status, again.document["outcome"]) == (0, "ok")
    assert again.document["planned"] == []
    assert place.run("migrate").document["outcome"] == "changed"
    assert place.run("verify").status == 0


@contextmanager
def open_transaction(sandbox: Sandbox, statement: str) -> Iterator[Any]:
    """Run a statement in a transaction that stays open; yields its connection."""
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(statement)
        yield connection
        connection.rollback()


def waiting(sandbox: Sandbox, text: str) -> None:
    """Wait until the program waits for a lock with a statement that begins so."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        shown = sandbox.query(
            "SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = 'migrator'"
        )
        if any(str(info).startswith(text) for (info,) in shown):
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody ever waited with {text}")


def in_background(place: Bench, command: str) -> tuple[threading.Thread, list[Ran]]:
    """Run a command in a thread; return it, and where its result will be."""
    results: list[Ran] = []
    process = place.start(command, "--env=test", "--json")

    def wait() -> None:
        out, _ = process.communicate(timeout=60)
        results.append(Ran(process.returncode, json.loads(out)))

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, results
