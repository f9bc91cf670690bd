"""`invoke sandbox.up`, `sandbox.down` and `sandbox.status`.

Imports what it needs when a task runs: `invoke --list` must not wait for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from sandbox.telling import telling

if TYPE_CHECKING:
    from sandbox.programs import Flavour
    from sandbox.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent / ".sandbox"
command = {"positional": (), "auto_shortflags": False}
JSON = "one JSON document on standard output, and nothing else there"


@task(
    **command,
    help={
        "server": "mariadb or mysql",
        "rows": "how many rows event_participants gets",
        "partial": "the column attendance_status is there already, NULL in every row",
        "application": "run the application on app1 and app2; it needs Node.js",
        "json": JSON,
    },
)
def up(
    _c: Context,
    server: str = "mariadb",
    rows: str = "200000",
    partial: bool = False,
    application: bool = True,
    json: bool = False,
) -> None:
    """Start a database server and the SSH hosts db1, app1 and app2 on loopback."""
    from sandbox.sandbox import Sandbox  # noqa: PLC0415

    with telling("sandbox.up", as_json=json) as told, _errors():
        wanted, count = _flavour(server), _count(rows)
        if (ROOT / "state.json").exists():
            sandbox = Sandbox.attach(ROOT)
            _refuse_another(sandbox, wanted)
            again = sandbox.resume()
            said = f"started again: {', '.join(again)}" if again else "the sandbox is up already"
        else:
            _clear_leftovers()
            sandbox = Sandbox.start(ROOT, server=wanted, rows=count, partial=partial)
            said = "the sandbox is up"
            if application and (missing := _start_application(sandbox)):
                said = f"without the application: {missing}\n{said}"
        told.sandbox = sandbox
        told.end(said, "invoke preflight --env=sandbox")
        told.say(_describe(sandbox))
        told.say(
            "\n".join(
                [
                    f"next  {told.next}",
                    "      invoke migrate --env=sandbox --dry-run",
                    f"look  {_ssh(sandbox)} -F .sandbox/ssh_config db1",
                    "      .sandbox/bin/mysql --defaults-extra-file=.sandbox/root.cnf vaulteer",
                    "stop  invoke sandbox.down",
                ]
            )
        )


@task(**command, help={"json": JSON})
def down(_c: Context, json: bool = False) -> None:
    """End every process of the sandbox and delete its folder, data and backups included."""
    from sandbox.ending import end  # noqa: PLC0415

    with telling("sandbox.down", as_json=json) as told, _errors():
        if not ROOT.exists():
            told.end("no sandbox is up")
            return
        end(ROOT)
        told.end("the sandbox is down, and .sandbox is deleted")


@task(**command, help={"json": JSON})
def status(_c: Context, json: bool = False) -> None:
    """Say which parts of the sandbox run, and where; exit 1 unless all do."""
    from sandbox.sandbox import Sandbox  # noqa: PLC0415

    with telling("sandbox.status", as_json=json) as told, _errors():
        told.next = "invoke sandbox.up"
        if not (ROOT / "state.json").exists():
            raise Exit(f"no sandbox is up; start it with: {told.next}", code=1)
        told.sandbox = sandbox = Sandbox.attach(ROOT)
        told.say(_describe(sandbox))
        if None in (*sandbox.processes().values(), *sandbox.application.processes().values()):
            raise Exit(f"bring back what does not run with: {told.next}", code=1)
        told.message, told.next = "all of it runs", "invoke status --env=sandbox"


def _describe(sandbox: Sandbox) -> str:
    ports = sandbox.settings.ports
    kind = "MariaDB" if sandbox.server == "mariadb" else "MySQL"
    about = f"{kind}, {sandbox.settings.rows:,} participants"
    lines = []
    for name, process in sandbox.processes().items():
        where = f"127.0.0.1:{ports[name]}" if process else "does not run"
        lines.append(f"  {name:9}{where:17}{about if name == 'database' else 'sshd'}")
    for name, pid in sandbox.application.processes().items():
        host, part = name.split()
        where = f"process {pid}" if pid else "does not run"
        lines.append(f"  {host:9}{where:17}{part}")
    return "\n".join(lines)


def _start_application(sandbox: Sandbox) -> str:
    """Start it, or return why it can't be had; without it most commands work all the same."""
    from sandbox.apt import Unavailable  # noqa: PLC0415

    try:
        sandbox.start_application()
        sandbox.application.remember()
    except Unavailable as reason:
        return str(reason)
    return ""


def _ssh(sandbox: Sandbox) -> str:
    from sandbox.packages import on_path  # noqa: PLC0415

    return "ssh" if on_path("ssh") else str(sandbox.hosts["db1"].programs.ssh)


def _refuse_another(sandbox: Sandbox, wanted: Flavour) -> None:
    if sandbox.server != wanted:
        raise Exit(
            f"a sandbox with {sandbox.server} is up; first type: invoke sandbox.down", code=1
        )


def _clear_leftovers() -> None:
    """Delete what an `up` left that was cut off; leave one alone that is at work."""
    from sandbox.ending import end  # noqa: PLC0415
    from sandbox.processes import recorded  # noqa: PLC0415

    starter = recorded(ROOT)
    if starter and starter.alive():
        raise Exit(f"process {starter.pid} is starting the sandbox right now", code=1)
    if ROOT.exists():
        end(ROOT)


def _flavour(text: str) -> Flavour:
    if text == "mariadb":
        return "mariadb"
    if text == "mysql":
        return "mysql"
    raise Exit(f"--server={text}: it is mariadb or mysql", code=2)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000_000:
        raise Exit(f"--rows={text}: it is a whole number from 1 to 100000000", code=2)
    return int(text)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    from sandbox.apt import Unavailable  # noqa: PLC0415
    from sandbox.processes import StartFailed  # noqa: PLC0415

    try:
        yield
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Unavailable, StartFailed, OSError) as error:
        raise Exit(f"sandbox: {error}", code=1) from error


sandbox = Collection("sandbox", up, down, status)
