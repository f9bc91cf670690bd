"""What the tests of the watch share: its script as it is installed, run by itself on a database."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook.application import Watch
from runbook.environment import Environment
from runbook.inventory import load
from runbook.sql.change import load as load_change
from runbook.watch import questions, texts
from runbook.watch.host import Facts
from sandbox.sandbox import Sandbox
from tests.support import PROJECT, Bench, bench

AUDIT = "vaulteer.event_attendance_audit"
CHANGE = PROJECT / "sql" / "attendance"
COLUMNS = (
    *("event_id", "participant_id", "user_id", "marked_by", "action", "previous_status"),
    *("new_status", "reason", "dedupe_key", "performed_at"),
)
CRONTAB = """\
#!/bin/sh
# A crontab program that keeps its table beside the host's other files; nothing fires.
table="$RUNBOOK_SANDBOX_HOST/crontab"
case $1 in
  -l) [ -f "$table" ] || { echo "no crontab for $(id -un)" >&2; exit 1; }; cat "$table" ;;
  -) cat >"$table" ;;
esac
"""


@dataclass(frozen=True)
class Said:
    """How a scan ended: its exit status and its JSON line."""

    status: int
    told: dict[str, Any]

    @property
    def found(self) -> set[tuple[str, str]]:
        """What it found: what happened, to which key."""
        return {(row["what"], row["key"]) for row in self.told["findings"]}


@dataclass(frozen=True)
class Scanner:
    """A watch's script in a folder, with its baseline beside it."""

    sandbox: Sandbox
    folder: Path

    @property
    def script(self) -> Path:
        """The script as it would be installed."""
        return self.folder / "watch.sh"

    def scan(self, *words: str) -> Said:
        """Run it, as its timetable would without any words."""
        done = self.start(*words)
        out, err = done.communicate(timeout=120)
        lines = out.splitlines()
        assert len(lines) == 2, out + err
        return Said(done.returncode, json.loads(lines[0]))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it in the environment that cron gives."""
        return subprocess.Popen(
            ["bash", str(self.script), *words],
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def scanner(
    sandbox: Sandbox, folder: Path, *, width: int = 8, settle: float = 0.0, **more: Any
) -> Scanner:
    """Migrate the sandbox's database, and put a watch of it into `folder`."""
    migrate(sandbox)
    made = Scanner(sandbox, folder / "watch")
    made.folder.mkdir(mode=0o700)
    watch = Watch(
        **{
            "host": "app2",
            "folder": str(made.folder),
            "credentials": str(sandbox.root / "app.cnf"),
            "every": 900.0,
            "settle": settle,
            "scheduler": "cron",
            **more,
        }
    )
    environment = replace(_environment(sandbox, folder), watch=watch)
    client = str(sandbox.database.programs.client)
    facts = Facts(0, 0, "", watch.folder, watch.credentials, client=client)
    asked = questions.read(load_change(CHANGE).watch)
    text = texts.body(environment, watch, facts, asked)
    made.script.write_text(text.replace(f"width={texts.WIDTH}", f"width={width}"))
    return made


def migrate(sandbox: Sandbox) -> None:
    """Lay the watched table, quickly."""
    files = sorted((CHANGE / "migrate").glob("*.sql"))
    sandbox.load("USE vaulteer;\n" + "".join(file.read_text() for file in files))


def _environment(sandbox: Sandbox, folder: Path) -> Environment:
    bench(sandbox, folder)
    return load(folder / "inventory.yaml").environment("test")


@contextmanager
def with_crontab(sandbox: Sandbox) -> Iterator[Path]:
    """Give the sandbox's hosts a crontab program; yield where app2 keeps its table."""
    program, table = sandbox.root / "bin" / "crontab", sandbox.root / "app2" / "crontab"
    program.write_text(CRONTAB)
    program.chmod(0o755)
    try:
        yield table
    finally:
        program.unlink()
        table.unlink(missing_ok=True)


def watched(sandbox: Sandbox, folder: Path, *, notify: Any = None, **more: object) -> Bench:
    """Return a bench whose inventory has a watch on app2, and whom `notify` names."""
    migrate(sandbox)
    own = folder / "with space and 100%"
    own.mkdir(parents=True)
    shutil.copy(sandbox.root / "app.cnf", own / "watch.cnf")
    watch = {
        "host": "app2",
        "folder": str(own / "watch"),
        "credentials": str(own / "watch.cnf"),
        "settle": "1s",
        "alert": f"cat >> {folder}/alerts",
        **more,
    }
    return bench(sandbox, folder, watch=watch, notify=notify or {})


def folder_of(place: Bench) -> Path:
    """Return the watch's folder."""
    return place.folder / "with space and 100%" / "watch"


def insert(sandbox: Sandbox, *keys: int) -> None:
    """Insert rows with these keys."""
    values = ", ".join(f"({key}, 1, 1, 'check_in')" for key in keys)
    sandbox.query(f"INSERT INTO {AUDIT} (id, event_id, participant_id, action) VALUES {values}")


def lines(file: Path) -> list[str]:
    """Return a file's lines."""
    return file.read_text().splitlines()
