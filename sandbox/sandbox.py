"""The sandbox as a whole: one database server and three SSH hosts in one folder."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import privilege, programs
from sandbox.databases import DatabaseServer, accounts
from sandbox.hosts import HOST, NAMES, SshHost, client_config, make_key, user
from sandbox.packages import Unavailable
from sandbox.processes import (
    Process,
    StartFailed,
    children,
    free_port,
    marked_processes,
    record,
    recorded,
    this_process,
    wait_until,
)
from sandbox.programs import Flavour

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

SCHEMA = Path(__file__).with_name("schema.sql")
ACCOUNTS = ("root", "migrator", "app")

APP_HEALTH = f"""\
#!/bin/sh
# The application's health on this host: not declared ill, and it reaches its database.
if ! [ -e "${HOST}/healthy" ]; then
    echo "the application on ${{{HOST}##*/}} is ill" >&2
    exit 1
fi
exec mysql --defaults-extra-file="$RUNBOOK_SANDBOX/app.cnf" --execute "SELECT 1" vaulteer >/dev/null
"""


@dataclass(frozen=True)
class Statement:
    """One line of the server's general log."""

    thread: int
    user: str
    kind: str
    """What the client asked for: Query, Prepare, Execute, Connect, Init DB, Quit, …"""
    text: str


@dataclass(frozen=True)
class Settings:
    """What a sandbox was started with; kept in `state.json`."""

    server: Flavour
    rows: int
    partial: bool
    ports: Mapping[str, int]


class Sandbox:
    """A running sandbox; `root` holds all its files and is deleted by `stop`."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        ssh = programs.openssh()
        self.database = DatabaseServer(
            programs.database(settings.server), root / "database", settings.ports["database"], root
        )
        self.hosts = {
            name: SshHost(name, root / name, settings.ports[name], root, ssh) for name in NAMES
        }

    @classmethod
    def start(
        cls,
        root: Path,
        *,
        server: Flavour = "mariadb",
        rows: int = 200_000,
        partial: bool = False,
    ) -> Sandbox:
        """Start a sandbox in `root`, which must not exist yet, and seed its database.

        With `partial`, event_participants has attendance_status already, NULL in
        every row, as where somebody had added it by hand. Raises `Unavailable`
        when a program can't be had, `StartFailed`, and FileExistsError.
        """
        root = root.absolute()
        programs.database(server)
        programs.openssh()
        user()
        root.mkdir(mode=0o700, parents=True)
        try:
            record(this_process(), root)
            ports = {name: free_port() for name in ("database", *NAMES)}
            sandbox = cls(root, Settings(server, rows, partial, ports))
            sandbox._lay()
            with ThreadPoolExecutor(4) as pool:
                tasks = [pool.submit(sandbox._start_database)]
                tasks += [pool.submit(sandbox._start_host, name) for name in NAMES]
            for task in tasks:
                task.result()
            (root / "state.json").write_text(json.dumps(asdict(sandbox.settings), indent=2) + "\n")
        except BaseException:
            end(root)
            raise
        return sandbox

    @classmethod
    def attach(cls, root: Path) -> Sandbox:
        """Return the sandbox that was started in `root`. Raises FileNotFoundError."""
        root = root.absolute()
        return cls(root, Settings(**json.loads((root / "state.json").read_text())))

    @classmethod
    @contextlib.contextmanager
    def running(
        cls, root: Path, *, server: Flavour = "mariadb", rows: int = 500
    ) -> Iterator[Sandbox]:
        """Start a sandbox that ends with the block, or with this process however it ends."""
        guard = subprocess.Popen(
            [sys.executable, "-m", "sandbox.guard", str(root.absolute())],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield cls.start(root, server=server, rows=rows)
        finally:
            end(root.absolute())
            guard.communicate()

    def stop(self) -> None:
        """End every process of the sandbox and delete its folder."""
        end(self.root)

    def resume(self) -> list[str]:
        """Start again what does not run, such as after a reboot; return its names."""
        missing = [name for name, process in self.processes().items() if not process]
        for name in missing:
            if name == "database":
                self.database.start(self.password("root"))
            else:
                self.hosts[name].start()
        return missing

    def processes(self) -> dict[str, Process | None]:
        """Return the server of each part by name, None for one that does not run."""
        hosts = {name: host.process() for name, host in self.hosts.items()}
        return {"database": self.database.process(), **hosts}

    def __enter__(self) -> Sandbox:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    # The database

    @property
    def server(self) -> Flavour:
        """Which server it is."""
        return self.settings.server

    @property
    def database_port(self) -> int:
        """The database's port on 127.0.0.1."""
        return self.database.port

    def password(self, account: str) -> str:
        """Return the password of `root`, `migrator` or `app`."""
        return (self.root / f"{account}.password").read_text().strip()

    def root_connection(self, database: str | None = "vaulteer") -> Connection[Cursor]:
        """Connect as the server's root; for tests and for looking, not for the runbook."""
        return self.database.connect(self.password("root"), database)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement as the server's root and return its rows."""
        with self.root_connection(None) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def load(self, sql: str) -> None:
        """Run a text of SQL with the server's own command-line client as root."""
        client = self.database.programs.client
        done = subprocess.run(
            [client, f"--defaults-extra-file={self.root / 'root.cnf'}"],
            input=sql,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"{client}: {done.stderr.strip()}")

    def seed(self, rows: int, *, partial: bool = False) -> None:
        """Make the database `vaulteer` anew with `rows` participants."""
        head = f"SET @participants = {rows}, @partial = {int(partial)};\n"
        self.load(head + SCHEMA.read_text())

    def reset(self, rows: int = 500, *, partial: bool = False) -> None:
        """Bring everything back to a fresh start: servers, accounts, data, folders, logs.

        What a test changed of the server's global variables, other than those
        named here, it must put back itself.
        """
        servers = {process.pid for process in self.processes().values() if process}
        _kill(tuple(p for p in marked_processes(self.root) if p.pid not in servers))
        self.resume()
        for host in self.hosts.values():
            host.clear()
            shutil.rmtree(host.folder / "backups", ignore_errors=True)
            (host.folder / "backups").mkdir(mode=0o700)
            self.set_health(host.name, True)
        for (session,) in self.query(
            "SELECT id FROM information_schema.processlist WHERE user IN ('migrator', 'app')"
        ):
            with contextlib.suppress(Exception):  # it may have ended by itself
                self.query(f"KILL {session}")
        old = self.query(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN"
            " ('mysql', 'sys', 'information_schema', 'performance_schema', 'vaulteer')"
        )
        names = [str(name).replace("`", "``") for (name,) in old]
        passwords = {name: self.password(name) for name in ACCOUNTS}
        statements = [
            "SET GLOBAL general_log = OFF;",
            "SET GLOBAL read_only = OFF;",
            "SET GLOBAL log_bin_trust_function_creators = ON;",
            *[f"DROP DATABASE `{name}`;" for name in names],
            *accounts(self.server, passwords),
        ]
        self.load("\n".join(statements))
        self.seed(rows, partial=partial)

    def kill_database(self) -> None:
        """Kill the database server as a power cut would."""
        process = recorded(self.database.folder)
        if process:
            process.end()

    def restart_database(self) -> None:
        """Stop the database server if it runs, and start it on its data and port."""
        process = recorded(self.database.folder)
        if process:
            process.end(grace=20.0)
        self.database.start(self.password("root"))

    def general_log(self, on: bool) -> None:
        """Switch the general log; switching it on empties it."""
        self.query("SET GLOBAL general_log = OFF")
        if on:
            self.query("TRUNCATE mysql.general_log")
            self.query("SET GLOBAL general_log = ON")

    def statements(self, account: str = "migrator") -> list[Statement]:
        """Return what `account` asked of the server while the general log was on, in order."""
        rows = self.query(
            "SELECT thread_id, user_host, command_type, argument FROM mysql.general_log"
        )
        log = (
            Statement(int(str(row[0])), _user(row[1]), str(row[2]), _text(row[3])) for row in rows
        )
        return [statement for statement in log if statement.user == account]

    # The hosts

    def ssh_port(self, host: str) -> int:
        """Return the port of a host's sshd on 127.0.0.1."""
        return self.hosts[host].port

    def commands(self, host: str) -> list[str]:
        """Return the commands that `host` was asked to run, whole and in order."""
        return self.hosts[host].commands()

    def clear_commands(self) -> None:
        """Forget the commands of every host."""
        for host in self.hosts.values():
            host.clear()

    def set_health(self, host: str, healthy: bool) -> None:
        """Make the application on `host` healthy or ill, as its command `app-health` says."""
        flag = self.hosts[host].folder / "healthy"
        flag.touch() if healthy else flag.unlink(missing_ok=True)

    def connections(self, host: str) -> tuple[Process, ...]:
        """Return sshd's process of each open connection: kill one to cut it, stop one to
        make its peer wait forever."""
        listener = self.hosts[host].process()
        return children(listener.pid) if listener else ()

    # Starting

    def _lay(self) -> None:
        for name in ("database", "bin", *NAMES):
            (self.root / name).mkdir(mode=0o700)
        for account in ACCOUNTS:
            _write_secret(self.root / f"{account}.password", secrets.token_urlsafe(18) + "\n")
        for account in ("root", "app"):
            _write_secret(self.root / f"{account}.cnf", self._login(account))
        (self.root / "database.port").write_text(f"{self.database.port}\n")
        for name, program in self._programs_of_hosts().items():
            (self.root / "bin" / name).symlink_to(program)
        health = self.root / "bin" / "app-health"
        health.write_text(APP_HEALTH)
        health.chmod(0o755)
        make_key(programs.openssh(), self.root / "id_ed25519")
        (self.root / "ssh_config").write_text(client_config(self.root, self.hosts.values()))

    def _login(self, account: str) -> str:
        login = f"user = {account}\npassword = {self.password(account)}\n"
        address = f"host = 127.0.0.1\nport = {self.database.port}\nprotocol = tcp\n"
        return f"[client]\n{login}{address}default-character-set = utf8mb4\n"

    def _programs_of_hosts(self) -> Mapping[str, Path]:
        database = self.database.programs
        found = {"mysql": database.client, "mysqldump": database.dump}
        if self.server == "mariadb":
            found |= {"mariadb": database.client, "mariadb-dump": database.dump}
        with contextlib.suppress(Unavailable):
            found["zstd"] = programs.zstd()
        return found

    def _start_database(self) -> None:
        self.database.create({name: self.password(name) for name in ACCOUNTS})
        self.seed(self.settings.rows, partial=self.settings.partial)

    def _start_host(self, name: str) -> None:
        host = self.hosts[name]
        (host.folder / "backups").mkdir(mode=0o700)
        self.set_health(name, True)
        host.create(self.root / "id_ed25519")
        with (self.root / "known_hosts").open("a") as file:
            file.write(host.known_host() + "\n")


def end(root: Path) -> None:
    """End every process of the sandbox in `root`, also a half-started one, and delete it."""
    folders = [root / name for name in ("database", *NAMES)]
    for process in filter(None, map(recorded, folders)):
        process.end()
    # What a host was asked to run may live on by itself, and may start more.
    wait_until(lambda: not _kill(marked_processes(root)), 10.0)
    for folder in folders:
        privilege.release(folder)
    shutil.rmtree(root, ignore_errors=True)


def _kill(processes: tuple[Process, ...]) -> tuple[Process, ...]:
    for process in processes:
        process.send(signal.SIGKILL)
    return processes


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _user(user_host: object) -> str:
    return _text(user_host).partition("[")[0]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
