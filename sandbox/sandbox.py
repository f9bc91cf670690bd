"""The sandbox as a whole: one database server and three SSH hosts in one folder."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import contents, programs, releases
from sandbox.application import Application
from sandbox.contents import Query, Statement
from sandbox.databases import DatabaseServer
from sandbox.ending import end
from sandbox.hosts import NAMES, SshHost, user
from sandbox.inventory import Value, inventory_text
from sandbox.layout import Settings, introduce, lay, save, saved
from sandbox.ports import free_port
from sandbox.processes import (
    Process,
    children,
    descendants,
    marked_processes,
    record,
    this_process,
)
from sandbox.programs import Flavour

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor


class Sandbox:
    """A running sandbox; `root` holds all its files and is deleted by `stop`."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        ports, ssh = settings.ports, programs.openssh()
        self.database = DatabaseServer(
            programs.database(settings.server), root / "database", ports["database"], root
        )
        self.hosts = {name: SshHost(name, root / name, ports[name], root, ssh) for name in NAMES}
        self.application = Application(root, self.hosts)
        self._fresh: object = None
        """What the last reset laid, and how far the binary log was then."""

    @classmethod
    def start(
        cls, root: Path, *, server: Flavour = "mariadb", rows: int = 200_000, partial: bool = False
    ) -> Sandbox:
        """Start a sandbox in `root`, which must not exist yet, and seed its database.

        With `partial`, event_participants has attendance_status already, NULL in
        every row, as where somebody had added it by hand. Raises `Unavailable`
        when a program can't be had, `StartFailed`, and FileExistsError.
        """
        root = root.absolute()
        user()  # first: what the machine lacks may take minutes to fetch
        programs.database(server)
        programs.openssh()
        root.mkdir(mode=0o700, parents=True)
        try:
            record(this_process(), root)
            ports = {name: free_port(root) for name in ("database", *NAMES)}
            sandbox = cls(root, Settings(server, rows, partial, ports))
            sandbox._begin()
        except BaseException:
            end(root)
            raise
        return sandbox

    @classmethod
    def attach(cls, root: Path) -> Sandbox:
        """Return the sandbox that was started in `root`. Raises FileNotFoundError."""
        return cls(root.absolute(), saved(root))

    @classmethod
    @contextlib.contextmanager
    def running(
        cls, root: Path, *, server: Flavour = "mariadb", rows: int = 500, partial: bool = False
    ) -> Iterator[Sandbox]:
        """Start a sandbox that ends with the block, or with this process however it ends."""
        root = root.absolute()
        if root.exists():
            raise FileExistsError(root)
        guard = subprocess.Popen(
            [sys.executable, "-m", "sandbox.guard", str(root)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield cls.start(root, server=server, rows=rows, partial=partial)
        finally:
            end(root)
            guard.communicate()

    def stop(self) -> None:
        """End every process of the sandbox and delete its folder."""
        end(self.root)

    def resume(self) -> list[str]:
        """Start again what does not run, such as after a reboot; return its names."""
        missing = [name for name, process in self.processes().items() if not process]
        for name in missing:
            if name == "database":
                self.database.start()
            else:
                self.hosts[name].start()
        return [*missing, *self.application.resume()]

    def reset(self, rows: int = 500, *, partial: bool = False) -> None:
        """Bring everything back to a fresh start: servers, accounts, data, folders, logs.

        Connections are cut and other databases dropped; the application, if it was
        started, is gone. Data and accounts are laid anew only when the server's
        binary log says that something was written. Global variables of the server
        that a test changed it must put back itself, apart from general_log,
        read_only and log_bin_trust_function_creators.
        """
        for process in self._others():
            process.end()
        self.application.clear()
        self.resume()
        for host in self.hosts.values():
            host.clear()
            shutil.rmtree(host.folder / "backups", ignore_errors=True)
            (host.folder / "backups").mkdir(mode=0o700)
            self.set_health(host.name, True)
        with self._asking() as query:
            contents.cut_sessions(query)
            query(contents.SETTLED)
            if self._fresh != (rows, partial, contents.position(query, self.server)):
                clean = contents.cleaning(query, self.server, self.root)
                self.load(f"{clean}\n{contents.seeding(rows, partial)}")
                self._fresh = (rows, partial, contents.position(query, self.server))

    def processes(self) -> dict[str, Process | None]:
        """Return the server of each part by name, None for one that does not run."""
        hosts = {name: host.process() for name, host in self.hosts.items()}
        return {"database": self.database.process(), **hosts}

    def write_inventory(self, path: Path, overrides: Mapping[str, Value] | None = None) -> Path:
        """Write an inventory whose environment `sandbox` is this one, and return `path`.

        `overrides` is merged into the environment, such as
        `{"policy": {"confirm": "plan"}, "health": None}`.
        """
        path.write_text(inventory_text(self.root, overrides or {}), encoding="utf-8")
        return path

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
        return (self.root / f"{account}.password").read_text(encoding="utf-8").strip()

    def root_connection(self, database: str | None = "vaulteer") -> Connection[Cursor]:
        """Connect as the server's root; for tests and for looking, not for the runbook."""
        return self.database.connect(database)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement as the server's root and return its rows."""
        with self._asking() as query:
            return query(sql)

    def load(self, sql: str) -> None:
        """Run a text of SQL as root with the server's own client. Raises `StartFailed`."""
        self.database.load(sql)

    def seed(self, rows: int, *, partial: bool = False) -> None:
        """Make the database `vaulteer` anew with `rows` participants."""
        self.load(contents.seeding(rows, partial))

    def definitions(self, database: str = "vaulteer") -> dict[str, str]:
        """Return SHOW CREATE of each table, view, trigger, procedure, function and event.

        Keys are like `table users` or `trigger trg_users_email`.
        """
        return contents.definitions(self.query, database)

    def general_log(self, on: bool) -> None:
        """Switch the server's general log; switching it on empties it."""
        contents.log_statements(self.query, on)

    def statements(self, account: str = "migrator") -> list[Statement]:
        """Return what `account` asked of the server while the general log was on, in order."""
        return contents.logged_statements(self.query, account)

    def kill_database(self) -> None:
        """Kill the database server as a power cut would."""
        self.database.end()

    def restart_database(self) -> None:
        """Stop the database server if it runs, and start it on its data and port."""
        self.database.end(grace=20.0)
        self.database.start()

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

    def connections(self, host: str) -> tuple[Process, ...]:
        """Return sshd's process of each open connection to `host`.

        Kill one to cut the connection; stop one (SIGSTOP) to make its peer wait forever.
        """
        listener = self.hosts[host].process()
        return children(listener.pid) if listener else ()

    def set_health(self, host: str, healthy: bool) -> None:
        """Make the application on `host` healthy or ill, as its command `app-health` says."""
        flag = self.hosts[host].folder / "healthy"
        if healthy:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    # The application

    def start_application(self, release: str = releases.FIRST) -> None:
        """Deploy a release on app1 and app2 and start it; returns when it is well.

        `sandbox.releases` says which there are. The scheduler of its worker is
        off, so that nothing in the database moves by itself. Raises
        `Unavailable` when Node or what the application needs can't be had.
        """
        settings = {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.database_port),
            "DB_NAME": "vaulteer",
            "DB_USER": "app",
            "DB_PASSWORD": self.password("app"),
            "MIGRATE_DB_USER": "migrator",
            "MIGRATE_DB_PASSWORD": self.password("migrator"),
            "SCHEDULER_SECONDS": "0",
        }
        self.application.start(release, settings)

    def _begin(self) -> None:
        lay(self.root, self.settings, self.database.programs)
        with ThreadPoolExecutor(len(NAMES)) as pool:
            hosts = [pool.submit(self._begin_host, host) for host in self.hosts.values()]
            self.database.create()
            self.seed(self.settings.rows, partial=self.settings.partial)
        for host in hosts:
            host.result()
        introduce(self.root, self.hosts.values())
        save(self.root, self.settings)

    def _begin_host(self, host: SshHost) -> None:
        (host.folder / "backups").mkdir(mode=0o700)
        self.set_health(host.name, True)
        host.create(self.root / "id_ed25519")

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Query]:
        """Yield what runs a statement as the server's root, on one connection."""
        with self.root_connection(None) as connection, connection.cursor() as cursor:

            def query(sql: str) -> list[tuple[object, ...]]:
                cursor.execute(sql)
                return [tuple(row) for row in cursor.fetchall()]

            yield query

    def _others(self) -> list[Process]:
        """Return what runs in the sandbox beside its servers: sessions and their jobs."""
        servers = [process for process in self.processes().values() if process]
        below = descendants(*(server.pid for server in servers))
        running = {*marked_processes(self.root), *below}
        return [process for process in running if process not in servers]
