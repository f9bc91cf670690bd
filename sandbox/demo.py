"""`make demo`: a whole maintenance window on a sandbox, each command printed as it is typed."""

from __future__ import annotations

import difflib
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox.sandbox import Sandbox

PROJECT = Path(__file__).resolve().parent.parent
ROOT = PROJECT / ".sandbox"
LEDGER = "runbook_ledger"

ANSWER = '--answer="coordinated: ada (product), ben (on-call)"'
"""A person is asked at the terminal; who types nothing while it runs answers beforehand."""
WINDOW = f"run --env=sandbox --release=main --triggers {ANSWER}"
FOLLOWED = f"{WINDOW} --hours=0.01"
BARE = f"run --env=sandbox {ANSWER}"
"""Where Node or its packages cannot be had, there is no application to deploy and to try."""
WITHOUT = ("smoke", "validate")
UNDO = (
    ("An undo first wants the rows it destroys in files.", "export --env=sandbox"),
    ("Undo what was added, triggers too, and only that.", "rollback --env=sandbox"),
)


def main() -> int:
    """Run the tour and return an exit status; the sandbox is gone afterwards."""
    began = time.monotonic()
    if ROOT.exists():
        print("A sandbox is there already; end it with: invoke sandbox.down")
        return 2
    try:
        if not _type(
            "200,000 participants; somebody had added one column by hand.",
            "sandbox.up --partial --rows=200000",
        ):
            return 1
        sandbox = Sandbox.attach(ROOT)
        before = schema(sandbox)
        if not all(_type(*each) for each in _tour(sandbox)):
            return 1
        _use(sandbox)
        if not all(_type(*each) for each in UNDO):
            return 1
        return _prove(before, schema(sandbox), time.monotonic() - began)
    finally:
        _type("Leave nothing running.", "sandbox.down")


def _tour(sandbox: Sandbox) -> Iterator[tuple[str, str]]:
    """Yield what is typed, and why; what a preview says to type is asked for when it is due."""
    window, again = FOLLOWED, WINDOW
    if not sandbox.application.deployed:
        left_out = (f'--skip="{name}: no application here"' for name in WITHOUT)
        window = again = " ".join((BARE, *left_out))
    look = "The whole window: what would happen? To the letter, and at the end in short."
    yield f"{look}\n# Nothing can be written here.", f"{window} --dry-run"
    yield "Do exactly that, and nothing else.", _next(f"{window} --dry-run")
    yield "That run as a page, for those who slept.", "report --env=sandbox"
    yield "Where does the environment stand?", "status --env=sandbox"
    yield "Again: what is so already is left alone.", again


def schema(sandbox: Sandbox) -> str:
    """Return SHOW CREATE TABLE of every table but the program's own ledger."""
    names = [str(row[0]) for row in sandbox.query("SHOW TABLES FROM vaulteer")]
    texts = [
        str(sandbox.query(f"SHOW CREATE TABLE vaulteer.`{name}`")[0][1])
        for name in names
        if name != LEDGER
    ]
    return "\n\n".join(text.split(" AUTO_INCREMENT=")[0] for text in texts)


def _type(why: str, command: str) -> bool:
    print(f"\n# {why}\n$ invoke {command}", flush=True)
    words = [sys.executable, "-m", "invoke", *shlex.split(command)]
    return subprocess.call(words, cwd=PROJECT) == 0


def _next(preview: str) -> str:
    """Return what a preview says to type to run exactly that."""
    words = [sys.executable, "-m", "invoke", *shlex.split(preview), "--json"]
    done = subprocess.run(words, cwd=PROJECT, check=True, capture_output=True)
    return str(json.loads(done.stdout)["next"]).removeprefix("invoke ")


def _use(sandbox: Sandbox) -> None:
    """Mark some attendance, as the application would, so that there is something to lose."""
    print("\n# Meanwhile the application marks 2,000 people as present.", flush=True)
    sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_status = 'present',"
        " attendance_marked_at = NOW() WHERE participant_id <= 2000"
    )
    sandbox.query(
        "INSERT INTO vaulteer.event_attendance_audit"
        " (event_id, participant_id, action, previous_status, new_status, performed_at)"
        " SELECT event_id, participant_id, 'check_in', 'unknown', 'present', NOW()"
        " FROM vaulteer.event_participants WHERE participant_id <= 2000"
    )


def _prove(before: str, after: str, seconds: float) -> int:
    if before != after:
        print("\nThe schema is NOT the one before:")
        print("\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1)))
        return 1
    print("\n# SHOW CREATE of every table and view equals the one before, byte for byte.")
    print(f"# {seconds:.0f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
