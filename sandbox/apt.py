"""apt-get on private folders: packages are downloaded, nothing is installed or locked.

The machine's own sources, keys and proxies are used, its hooks and its list of
installed packages are not, so that a download brings all that a program needs.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """A program can't be had here; the text is one line that says what to do."""


class Apt:
    """apt-get on private folders, with the machine's own sources and proxies."""

    def __init__(self, folder: Path, suite: str | None) -> None:
        self._archives = folder / "cache" / "archives"
        self._config = folder / "apt.conf"
        (folder / "state" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (self._archives / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        self._config.write_text(
            _apt_config(folder, folder / "sources.list" if suite else None), encoding="utf-8"
        )
        if suite:
            (folder / "sources.list").write_text(_source(suite), encoding="utf-8")

    def download(self, packages: tuple[str, ...]) -> list[Path]:
        """Download `packages` and all they depend on; return the .deb files."""
        update = self._get("update")
        self._get("autoclean")  # what an interrupted call left, if it is outdated by now
        install = self._get("install", "--download-only", "--yes", *packages)
        if install.returncode != 0:
            # An update that failed for one source of many matters only if this one fails.
            errors = [
                line
                for line in (update.stdout + install.stdout).splitlines()
                if line.startswith(("E:", "W:", "Err:"))
            ]
            raise Unavailable(
                f"apt-get can't fetch {' '.join(packages)}: {'; '.join(errors[-3:]) or 'no reason'}"
            )
        return sorted(self._archives.glob("*.deb"))

    def forget(self) -> None:
        """Delete the downloaded packages."""
        for deb in self._archives.glob("*.deb"):
            deb.unlink()

    def _get(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["apt-get", "-c", str(self._config), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )


def _apt_config(folder: Path, sources: Path | None) -> str:
    # The machine's own hooks are cleared: they touch files that are not ours.
    lines = [
        "#clear APT::Update;",
        "#clear DPkg::Pre-Invoke;",
        "#clear DPkg::Post-Invoke;",
        f'Dir::State "{folder}/state";',
        f'Dir::State::Lists "{folder}/state/lists";',
        f'Dir::State::status "{folder}/status";',
        f'Dir::Cache "{folder}/cache";',
        f'Dir::Cache::archives "{folder}/cache/archives";',
        f'Dir::Log "{folder}/log";',
        'Debug::NoLocking "1";',
        'APT::Sandbox::User "";',
        'APT::Install-Recommends "0";',
        'APT::Default-Release "";',
        'Acquire::Languages "none";',
        'Acquire::Retries "3";',
    ]
    if sources:
        lines += [
            # A mirror that is a snapshot is signed as well, only not renewed.
            'Acquire::Check-Valid-Until "false";',
            f'Dir::Etc::sourcelist "{sources}";',
            'Dir::Etc::sourceparts "-";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
        ]
    return "\n".join(lines) + "\n"


def _source(suite: str) -> str:
    """Return a line for sources.list: `suite` of the mirror that this machine uses."""
    codename = os_release().get("VERSION_CODENAME", suite)
    targets = run(
        [
            *("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"),
            "--no-release-info",  # else only what an `apt-get update` has fetched is listed
            *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),  # writes nothing
        ]
    )
    mirrors = [line.split()[1] for line in targets.splitlines() if line.split()[0] == codename]
    if not mirrors:
        raise Unavailable(f"apt's sources name no mirror of {codename} to take {suite} from")
    keyrings = sorted(Path("/usr/share/keyrings").glob("debian-archive-keyring.*"))
    signed = f"[signed-by={keyrings[0]}] " if keyrings else ""
    return f"deb {signed}{mirrors[0]} {suite} main\n"


def run(command: list[str]) -> str:
    """Run a command to its end and return its output. Raises `Unavailable`."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        raise Unavailable(f"{shlex.join(command[:3])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def os_release() -> dict[str, str]:
    """Return what /etc/os-release says, nothing where it is missing."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
