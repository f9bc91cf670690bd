"""The application on a sandbox's hosts: deployed as on real ones, under a process manager.

Each host has it in `APP_HOME`: `repository` (a mirror of the sandbox's
application.git), `releases/COMMIT`, `current` (a link to one of them), `shared`
(its settings, 0600), `run` (pid files, the worker's heartbeat) and `logs`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox import node, past, programs, releases
from sandbox.apt import run
from sandbox.hosts import APP_HOME, SYSTEM_PATH, SshHost
from sandbox.ports import free_port
from sandbox.processes import StartFailed, tail, wait_until

PROCESSES = {"app1": ("app",), "app2": ("app", "worker")}
"""What runs on which host."""
REPOSITORY = "application.git"


@dataclass(frozen=True)
class Application:
    """The application of the sandbox in `root`."""

    root: Path
    hosts: Mapping[str, SshHost]

    @property
    def deployed(self) -> bool:
        """Whether it was ever started here."""
        return (self.root / REPOSITORY).exists()

    def start(self, release: str, settings: Mapping[str, str]) -> None:
        """Deploy `release` on its hosts anew, start it, and return when it is well.

        Raises `Unavailable` when Node, git or the packages can't be had, and `StartFailed`.
        """
        modules = node.modules(releases.SOURCE)
        source = releases.repository()
        self.clear()
        self._link_programs()
        (self.root / "modules").mkdir(exist_ok=True)
        (self.root / "modules" / node.checksum(releases.SOURCE)).symlink_to(modules)
        shutil.copytree(source, self.root / REPOSITORY)
        with ThreadPoolExecutor(len(PROCESSES)) as pool:
            list(pool.map(lambda name: self._deploy(name, release, settings), PROCESSES))

    def remember(self) -> None:
        """Give its logs a past, as on hosts where it has run for long."""
        for name in PROCESSES:
            past.write(self._home(name) / "logs", name)

    def resume(self) -> list[str]:
        """Start again what does not run; return its names."""
        missing = [name for name, pid in self.processes().items() if not pid]
        for name in missing:
            host, process = name.split()
            self._control(host, "start", process)
        return missing

    def processes(self) -> dict[str, int | None]:
        """Return the processes' numbers by `app1 app`, …; None for one that does not run."""
        found: dict[str, int | None] = {}
        for host in PROCESSES if self.deployed else ():
            for line in self._control(host, "status", check=False).splitlines():
                name, _, state = line.partition(" ")
                found[f"{host} {name}"] = int(state.split()[1]) if " " in state else None
        return found

    def clear(self) -> None:
        """Delete it from its hosts; its processes have ended, or end now."""
        if self.deployed:
            for host in PROCESSES:
                with contextlib.suppress(StartFailed):
                    self._control(host, "stop")
        for host in PROCESSES:
            shutil.rmtree(self._home(host), ignore_errors=True)
        for folder in (REPOSITORY, "modules"):
            shutil.rmtree(self.root / folder, ignore_errors=True)

    def _deploy(self, name: str, release: str, settings: Mapping[str, str]) -> None:
        home = self._home(name)
        for part in ("releases", "shared", "run", "logs"):
            (home / part).mkdir(parents=True, mode=0o700)
        values = dict(settings) | {"PORT": str(free_port(self.root))}
        env = home / "shared" / ".env"
        env.touch(mode=0o600)
        env.write_text(
            "".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8"
        )
        (home / "shared" / "processes").write_text(
            " ".join(PROCESSES[name]) + "\n", encoding="utf-8"
        )
        mirror = home / "repository"
        releases.git("clone", "--quiet", "--mirror", self.root / REPOSITORY, mirror)
        commit = releases.git(f"--git-dir={mirror}", "rev-parse", f"{release}^{{commit}}").strip()
        folder = home / "releases" / commit
        folder.mkdir()
        archive = home / "release.tar"
        releases.git(f"--git-dir={mirror}", "archive", f"--output={archive}", release)
        run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"])
        archive.unlink()
        self._run(name, "app-install", str(folder))
        (home / "current").symlink_to(f"releases/{commit}")
        self._control(name, "start")
        if not wait_until(lambda: self._is_well(name), 20.0):
            last = tail(home / "logs" / "app-error.log") or tail(home / "logs" / "app.log")
            raise StartFailed(f"the application on {name} is not well:\n{last}")

    def _is_well(self, name: str) -> bool:
        checks = ["app-health", *(["worker-health"] if "worker" in PROCESSES[name] else [])]
        return all(self._start(name, check).returncode == 0 for check in checks)

    def _link_programs(self) -> None:
        """Give the hosts git and Node where they don't find them by themselves."""
        found = node.node()
        wanted = {"git": programs.git(), "node": found.node, "npm": found.npm, "npx": found.npx}
        for name, program in wanted.items():
            link = self.root / "bin" / name
            link.unlink(missing_ok=True)
            if shutil.which(name, path=SYSTEM_PATH) != str(program):
                link.symlink_to(program)

    def _home(self, name: str) -> Path:
        return Path(self.hosts[name].environment()[APP_HOME])

    def _control(self, name: str, *words: str, check: bool = True) -> str:
        return self._run(name, "app-ctl", *words, check=check)

    def _run(self, name: str, *words: str, check: bool = True) -> str:
        done = self._start(name, *words)
        if check and done.returncode != 0:
            raise StartFailed(f"{name}: {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def _start(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program as it would run on a host."""
        home = {"HOME": str(Path.home())}  # and nothing else of ours, as over SSH
        environment = home | dict(self.hosts[name].environment())
        program = self.root / "bin" / words[0]
        return subprocess.run(
            [program, *words[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            start_new_session=True,
        )
