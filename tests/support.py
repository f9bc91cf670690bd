"""What tests of whole commands share: an inventory for a sandbox, and running a command on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runbook.command.commands import COMMANDS
from runbook.command.session import main
from runbook.options import Options
from sandbox.sandbox import Sandbox

MYSQL_IS_WIDE = pytest.mark.parametrize(
    "sandbox", ["mariadb", pytest.param("mysql", marks=pytest.mark.wide)], indirect=True
)
"""For tests to which the server hardly matters: the fast suite runs them on MariaDB alone."""
PROJECT = Path(__file__).resolve().parent.parent
SCHEMA: dict[str, Any] = json.loads((PROJECT / "document.schema.json").read_text())
DOCUMENT = Draft202012Validator(SCHEMA)
"""What `--json` prints, as README.md and this schema promise it."""


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit status and its JSON document."""

    status: int
    document: dict[str, Any]

    def __repr__(self) -> str:
        return f"Ran({self.status}, {self.document.get('message', '')[:200]!r})"

    @property
    def outcomes(self) -> list[str]:
        """The outcome of every step, in order."""
        return [step["outcome"] for step in self.document["steps"]]

    @property
    def said(self) -> str:
        """Everything the document says, for looking up a word in it."""
        return json.dumps(self.document, ensure_ascii=False)

    @property
    def why(self) -> str:
        """How it ended, for people: what a failing test shows."""
        rows = (row for step in self.document["steps"] for row in step["checks"])
        wrong = [f"{row['name']}: {row['actual']}" for row in rows if not row["holds"]]
        refused = [f["detail"] for f in self.document["findings"] if f["level"] == "refused"]
        said = (self.document["message"], self.document["advice"], *wrong, *refused)
        return "\n".join((f"exit status {self.status}", *filter(None, said)))[:4000]


class Started(subprocess.Popen[str]):
    """A process that ends with its `with` block where that fails: a test that gave up ends.

    Else leaving the block would wait for it, and it for what the test did not come to.
    """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it when an error leaves the block; wait for it in any case."""
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, trace)


@dataclass(frozen=True)
class Bench:
    """A folder with an inventory whose environment `test` is a sandbox."""

    sandbox: Sandbox
    folder: Path

    def run(self, command: str, **options: Any) -> Ran:
        """Run a command in this process and return its document."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = main(COMMANDS[command], "test", Options(as_json=True, **options), self.folder)
        said = out.getvalue()
        document = json.loads(said.splitlines()[-1] if COMMANDS[command].lines else said)
        DOCUMENT.validate(document)
        # Shown where a test fails; standard output may be another thread's document.
        print(f"{command} ended with {status}: {document['message']}", file=sys.stderr)
        return Ran(status, document)

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Started:
        """Start `invoke …` as a process of its own, on this folder's inventory."""
        return Started(
            [sys.executable, "-m", "invoke", "--search-root", str(self.folder), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT), **(env or {})},
        )

    def schema(self) -> dict[str, str]:
        """Return SHOW CREATE of every table of the database but the ledger, by name."""
        names = [str(row[0]) for row in self.sandbox.query("SHOW TABLES FROM vaulteer")]
        with self.sandbox.root_connection() as connection, connection.cursor() as cursor:
            shown = {}
            for name in names:
                cursor.execute(f"SHOW CREATE TABLE `{name}`")
                row = cursor.fetchone()
                assert row is not None
                shown[name] = str(row[1]).split(" AUTO_INCREMENT=")[0]
        shown.pop("runbook_ledger", None)
        return shown


def bench(sandbox: Sandbox, folder: Path, **overrides: Any) -> Bench:
    """Write an inventory for `sandbox` into `folder`; `overrides` merge into the environment.

    The folder also gets the project's tasks.py, so that `invoke` runs there.
    """
    apps = {name: {"roles": ["app"]} for name in ("app1", "app2")}
    return _written(sandbox, folder, _merged({"hosts": apps}, overrides))


def lean(sandbox: Sandbox, folder: Path, **overrides: Any) -> Bench:
    """Write an inventory as `bench` does, for tests of what comes after the backup.

    There is a fresh one already, which migrate then only checks, and there are
    no hosts but the database's and those of `overrides`: migrate takes half of
    the time.
    """
    if not (folder / "backups").exists():
        made = sandbox.root.with_name("backed-up")
        if not made.exists():
            made.mkdir()
            assert bench(sandbox, made).run("backup").status == 0
        shutil.copytree(made / "backups", folder / "backups")
    return _written(sandbox, folder, overrides)


def backfilling(sandbox: Sandbox) -> bool:
    """Wait until a backfill has done its first range; return whether it ever did."""
    end = time.monotonic() + 30
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SHOW TABLES LIKE 'runbook_ledger'")
            if cursor.fetchone():
                cursor.execute("SELECT MAX(position) FROM runbook_ledger")
                row = cursor.fetchone()
                if row and row[0]:
                    return True
            time.sleep(0.005)
    return False


def _written(sandbox: Sandbox, folder: Path, overrides: Mapping[str, Any]) -> Bench:
    root = sandbox.root
    environment: dict[str, Any] = {
        "about": "a sandbox of the tests",
        "change": str(PROJECT / "sql" / "attendance"),
        "ssh": {
            "ssh_config": str(root / "ssh_config"),
            "known_hosts": str(root / "known_hosts"),
            "key": str(root / "id_ed25519"),
        },
        "hosts": {"db1": {"roles": ["db"]}},
        "database": {
            "name": "vaulteer",
            "via": "db1",
            "port": {"file": str(root / "database.port")},
            "user": "migrator",
            "password": {"file": str(root / "migrator.password")},
        },
        "backup": {"host": "db1", "folder": str(folder / "backups"), "keep": 3},
        "policy": {"confirm": "none"},
    }
    merged = {"environments": {"test": _merged(environment, overrides)}}
    (folder / "inventory.yaml").write_text(yaml.safe_dump(merged))
    (folder / "tasks.py").write_text(
        "from pathlib import Path\nimport sys\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "source = Path(sys.path[0], 'tasks.py').read_text()\n"
        "exec(compile(source, 'tasks.py', 'exec'))\n"
        "HERE = Path(__file__).resolve().parent\n"
    )
    return Bench(sandbox, folder)


def _merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        old = merged.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
        )
    return merged
