"""What the tests of backup and restore share: a site on a sandbox, and performing its steps."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runbook import inventory
from runbook.command.executor import perform
from runbook.database import lock
from runbook.database.ledger import Ledger
from runbook.errors import RunbookError
from runbook.events import Event
from runbook.hosts import backups
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.perform.brake import Brake
from runbook.perform.run import Result, Run
from runbook.phases import backup
from runbook.plan.gate import Gate
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Job, Step
from runbook.site import Site, opened
from sandbox.inventory import Value
from sandbox.processes import Process, marked_processes, wait_until
from sandbox.sandbox import Sandbox

HELD = "zz_held"
"""The table whose lock holds a dump in its middle: the last one, and of no other concern."""
LONG_AGO = 1577836800
"""When copies of a dump were last changed, in seconds since 1970."""


@dataclass
class Place:
    """A sandbox, its site, and everything that was told while steps were performed."""

    sandbox: Sandbox
    site: Site
    brake: Brake = field(default_factory=Brake)
    told: list[Event] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The backup folder."""
        return Path(self.site.environment.backup.folder)

    @property
    def dumps(self) -> list[Path]:
        """The dumps in the folder, oldest first."""
        return sorted(p for p in self.folder.glob("vaulteer-*") if p.suffix in (".zst", ".gz"))

    def perform(self, *steps: Step) -> list[Result]:
        """Perform steps one by one, holding the environment's lock as a run does."""
        with self.running() as run:
            return [perform(step, run) for step in steps]

    @contextmanager
    def running(self) -> Iterator[Run]:
        """Hold the environment's lock, and hand over what performers are handed."""
        names = ("phase", "change", "plan", "operator", "host")
        with self.site.database.writer() as writer:
            lock.take(writer, self.site.environment)
            yield Run(
                id="test",
                environment=self.site.environment,
                hosts=self.site.hosts,
                database=self.site.database,
                write=lambda: writer,
                read=lambda: self.site.reader,
                ledger=Ledger(lambda: writer, {"run": "test", **dict.fromkeys(names, "")}),
                credentials=lambda: client_options(self.site.environment, self.site.password()),
                brake=self.brake,
                tell=self.told.append,
                ask=str,
                gate=Gate(self.site.environment),
            )

    def start(self, job: Job) -> str:
        """Start a job by its text alone and return what that said."""
        stdin = client_options(self.site.environment, self.site.password())
        done = self.site.hosts.run(job.where, job.text, stdin=stdin)
        assert done.ok, done.tail()
        return done.out.strip()


@contextmanager
def place(sandbox: Sandbox, tmp_path: Path, **overrides: Value) -> Iterator[Place]:
    """Open a site on a sandbox; `overrides` merge into its environment of the inventory."""
    file = sandbox.write_inventory(tmp_path / "inventory.yaml", overrides)
    with opened(inventory.load(file).environment("sandbox")) as site:
        yield Place(sandbox, site)


class Background(threading.Thread):
    """Performs steps beside the test; `join` first, then look at `error` and `results`."""

    def __init__(self, place: Place, *steps: Step) -> None:
        super().__init__()
        self.error: RunbookError | None = None
        self.results: list[Result] = []
        self._place, self._steps = place, steps
        self.start()

    def run(self) -> None:
        """Perform, and keep how it ended."""
        try:
            self.results = self._place.perform(*self._steps)
        except RunbookError as error:
            self.error = error


@contextmanager
def held(sandbox: Sandbox) -> Iterator[None]:
    """Keep every dump in its middle as long as the block lasts: a table is locked."""
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {HELD} (id INT PRIMARY KEY)")
        cursor.execute(f"LOCK TABLES {HELD} WRITE")
        yield


def dumping(sandbox: Sandbox) -> Process:
    """Wait until a dump hangs on the locked table, and return its dump program."""
    waiting = (
        "SELECT COUNT(*) FROM information_schema.processlist"
        f" WHERE user = 'migrator' AND info LIKE '%{HELD}%' AND state LIKE '%lock%'"
    )
    assert wait_until(lambda: sandbox.query(waiting)[0][0] != 0, 10.0), "no dump came so far"
    return programs(sandbox, "dump")[0]


def programs(sandbox: Sandbox, word: str) -> list[Process]:
    """Return the processes of the sandbox's hosts whose program's name ends in `word`."""
    return [
        process
        for process in marked_processes(sandbox.root)
        if any(
            argument.endswith(word.encode())
            for argument in read(process, "cmdline").split(b"\0")[:6]
        )
    ]


def jobs_of(sandbox: Sandbox) -> list[Process]:
    """Return every process of the sandbox's detached jobs."""
    return [p for p in marked_processes(sandbox.root) if _is_of_job(p)]


def run_here(text: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run a step's text as a host's login shell would, with `path` as its PATH."""
    return subprocess.run(
        ["/bin/sh", "-c", text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )


def refused(plan: Plan) -> list[Finding]:
    """Return the findings that forbid a plan."""
    return [finding for finding in plan.findings if finding.level is Level.REFUSED]


def _is_of_job(process: Process) -> bool:
    try:
        target = Path(f"/proc/{process.pid}/fd/9").readlink()
    except OSError:
        return False
    return target.name == "lock"


def read(process: Process, name: str) -> bytes:
    """Return a file of a process in /proc, nothing when it has ended meanwhile."""
    try:
        return Path(f"/proc/{process.pid}/{name}").read_bytes()
    except OSError:
        return b""


def the_job(place: Place) -> Job:
    """Return the step that dumps, as a plan has it now."""
    (job,) = (s for s in backup.prepare(place.site, Options()).steps if isinstance(s, Job))
    return job


def mode(path: Path) -> str:
    """Return a file's permissions in octal."""
    return oct(path.stat().st_mode & 0o777)


class Dump:
    """A verified dump in a folder of its own, and ways to spoil it."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path, self.text = path, text

    @property
    def manifest(self) -> Path:
        """Its manifest."""
        return self.path.with_name(self.path.name + backups.ENDING)

    def copy(self, path: Path, **changes: object) -> Dump:
        """Copy dump and manifest to `path`, the manifest sealed with `changes`."""
        path.write_bytes(self.path.read_bytes())
        os.utime(path, (LONG_AGO, LONG_AGO))
        made = Dump(path)
        made.manifest.write_text(self.manifest.read_text())
        made.seal(file=path.name, modified=LONG_AGO, **changes)
        return made

    def flip(self) -> None:
        """Flip one byte in the middle; size and time of change stay."""
        stat, data = self.path.stat(), bytearray(self.path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        self.path.write_bytes(data)
        os.utime(self.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def sql(self) -> str:
        """Return the dump's SQL."""
        return subprocess.run(
            ["zstd", "-dcq", self.path], capture_output=True, check=True
        ).stdout.decode()

    def rewrite(self, sql: str) -> None:
        """Put other SQL into the dump, compressed as it should be."""
        self.path.write_bytes(compressed("zstd", sql))

    def cut(self, start: str, end: str) -> None:
        """Take what stands from `start` to `end` out of the SQL."""
        sql = self.sql()
        at = sql.index(start)
        self.rewrite(sql[:at] + sql[sql.index(end, at) + len(end) :])

    def seal(self, **changes: object) -> None:
        """Write the manifest anew with a good seal, as somebody who knows how would."""
        body, _, _ = self.manifest.read_text().partition('  "seal":')
        for key, value in changes.items():
            lines = [
                f'  "{key}": {json.dumps(value)},' if line.startswith(f'  "{key}":') else line
                for line in body.splitlines()
            ]
            body = "\n".join(lines) + "\n"
        seal = hashlib.sha256(body.encode()).hexdigest()
        self.manifest.write_text(f'{body}  "seal": "{seal}"\n}}\n')


def compressed(program: str, sql: str) -> bytes:
    """Return SQL as a compressor writes it."""
    return subprocess.run(
        [program, "-c"], input=sql.encode(), capture_output=True, check=True
    ).stdout
