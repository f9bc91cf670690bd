"""A MariaDB or MySQL server of the sandbox: its files, its options, its accounts."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.packages import cache, say
from sandbox.processes import Process, StartFailed, recorded, spawn, tail
from sandbox.programs import DatabasePrograms

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

SMALL = {
    "mariadb": ("--innodb-log-file-size=32M",),
    "mysql": ("--innodb-redo-log-capacity=64M",),
}
"""Options that the first files of a server must be made with."""

MIGRATOR = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER,"
    " LOCK TABLES, CREATE VIEW, SHOW VIEW, EVENT, CREATE ROUTINE, ALTER ROUTINE, EXECUTE"
)
GLOBAL = {
    "mariadb": "PROCESS, BINLOG MONITOR, SLAVE MONITOR",
    "mysql": "PROCESS, REPLICATION CLIENT, SHOW_ROUTINE",
}
"""What the migrating account may do beyond its databases: see other sessions, and replication."""


@dataclass(frozen=True)
class DatabaseServer:
    """A server with its data in `folder`, listening on 127.0.0.1:`port`."""

    programs: DatabasePrograms
    folder: Path
    port: int
    sandbox: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def create(self) -> Process:
        """Lay the first files and start with the accounts root, migrator and app."""
        passwords = {name: self._password(name) for name in ("root", "migrator", "app")}
        shutil.copytree(template(self.programs), self.data)
        (self.folder / "tmp").mkdir()
        first = self.folder / "accounts.sql"
        first.touch(mode=0o600)
        first.write_text(
            "\n".join(_first_accounts(self.programs.flavour, passwords)) + "\n", encoding="utf-8"
        )
        try:
            return self.start(f"--init-file={first}")
        finally:
            first.unlink()

    def start(self, *options: str) -> Process:
        """Start the server and return when it answers. Raises `StartFailed`."""
        for left in self.data.glob("server.*"):
            left.unlink()  # a killed server's lock, whose number another process may bear by now
        process = spawn([*self._command(), *options], self.folder, self.sandbox)
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline and process.alive():
            if self._answers():
                return process
            time.sleep(0.01)
        process.end()
        raise StartFailed(
            f"{self.programs.server} did not start:\n{tail(self.folder / 'output.log')}"
        )

    def process(self) -> Process | None:
        """Return the running server, or None."""
        process = recorded(self.folder)
        return process if process and process.alive() else None

    def end(self, grace: float = 0.0) -> None:
        """End the server if it runs: after `grace` seconds as a power cut would."""
        if process := recorded(self.folder):
            process.end(grace=grace)

    def connect(self, database: str | None = None) -> Connection[Cursor]:
        """Connect as the server's root."""
        import pymysql  # noqa: PLC0415 - `invoke --list` must not wait for it

        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=self._password("root"),
            database=database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            ssl_disabled=True,  # loading the certificate authorities takes longer than the rest
        )

    def load(self, sql: str) -> None:
        """Run a text of SQL as root with the server's own client. Raises `StartFailed`."""
        login = f"--defaults-extra-file={self.sandbox / 'root.cnf'}"
        done = subprocess.run(
            [self.programs.client, login],
            input=sql,
            encoding="utf-8",
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"{self.programs.client}: {done.stderr.strip()}")

    def _password(self, account: str) -> str:
        return (self.sandbox / f"{account}.password").read_text(encoding="utf-8").strip()

    def _answers(self) -> bool:
        import pymysql  # noqa: PLC0415

        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def _command(self) -> list[str | Path]:
        return [
            self.programs.server,
            "--no-defaults",
            *_places(self.programs),
            f"--datadir={self.data}",
            f"--tmpdir={self.folder / 'tmp'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--socket=server.sock",
            "--pid-file=server.pid",
            "--skip-name-resolve",
            "--server-id=1",
            "--log-bin=binlog",
            "--log-bin-trust-function-creators=1",
            "--log-output=TABLE",
            "--local-infile=1",
            "--performance-schema=ON",
            "--innodb-buffer-pool-size=64M",
            "--innodb-flush-log-at-trx-commit=2",
            "--sync-binlog=0",
            *SMALL[self.programs.flavour],
            *_of_flavour(self.programs.flavour),
        ]


def template(programs: DatabasePrograms) -> Path:
    """Return a fresh data directory of this server, made once and then only copied."""
    flavour = programs.flavour
    key = hashlib.sha256(f"{programs} {SMALL[flavour]}".encode()).hexdigest()[:8]
    folder = cache() / f"data-{flavour}-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            say(f"making the first files of a {flavour} server (once) …")
            temporary = folder.with_suffix(".tmp")
            shutil.rmtree(temporary, ignore_errors=True)
            _initialise(programs, temporary)
            temporary.rename(folder)
    return folder


def _initialise(programs: DatabasePrograms, data: Path) -> None:
    options = [*_places(programs), f"--datadir={data}", *SMALL[programs.flavour]]
    if programs.install:
        kind = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        command = [programs.install, "--no-defaults", *options, *kind]
    else:
        command = [programs.server, "--no-defaults", *options, "--initialize-insecure"]
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise StartFailed(f"{command[0]} failed:\n{done.stdout[-2000:]}")
    for left in data.glob("auto.cnf"):
        left.unlink()  # two servers must not share this identity


def _places(programs: DatabasePrograms) -> list[str]:
    options = ["--user=root"] if os.getuid() == 0 else []
    if programs.basedir:
        options += [f"--basedir={programs.basedir}"]
        options += [f"--lc-messages-dir={programs.basedir / 'share' / 'mysql'}"]
        options += [f"--plugin-dir={programs.basedir / 'lib' / 'mysql' / 'plugin'}"]
    return options


def _of_flavour(flavour: str) -> tuple[str, ...]:
    if flavour == "mariadb":
        locks = "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"
        return ("--binlog-format=ROW", locks)
    return ("--mysqlx=OFF", "--secure-file-priv=NULL")


def accounts(flavour: str, passwords: Mapping[str, str]) -> list[str]:
    """Return the statements that make the accounts `migrator` and `app` anew.

    The first may do what the runbook needs and no more; the second is the application's.
    """
    lines = [
        "DROP USER IF EXISTS 'migrator'@'%', 'app'@'%';",
        f"CREATE USER 'migrator'@'%' IDENTIFIED BY '{passwords['migrator']}';",
        f"GRANT {GLOBAL[flavour]} ON *.* TO 'migrator'@'%';",
        f"GRANT {MIGRATOR} ON `vaulteer`.* TO 'migrator'@'%';",
        f"GRANT {MIGRATOR} ON `vaulteer\\_restore%`.* TO 'migrator'@'%';",
        "GRANT SELECT ON performance_schema.* TO 'migrator'@'%';",
        f"CREATE USER 'app'@'%' IDENTIFIED BY '{passwords['app']}';",
        "GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON `vaulteer`.* TO 'app'@'%';",
    ]
    if flavour == "mariadb":
        # MySQL's SHOW_ROUTINE is this here: to see the text of others' routines.
        lines.append("GRANT SELECT ON mysql.proc TO 'migrator'@'%';")
    return lines


def _first_accounts(flavour: str, passwords: Mapping[str, str]) -> list[str]:
    return [
        "SET sql_log_bin = 0;",
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{passwords['root']}';",
        "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';",
        f"CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '{passwords['root']}';",
        "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
        *accounts(flavour, passwords),
    ]
