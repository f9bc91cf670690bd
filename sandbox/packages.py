"""Programs that this machine lacks, unpacked from its distribution's packages.

Nothing is installed: apt runs on private folders of ours, the packages are
unpacked under `~/.cache/runbook-sandbox`, and each wanted program becomes a
small script that starts it through the unpacked loader and libraries. That
works as root and as an ordinary user alike, also without an `apt-get update`
before it. Only the standard library is used: this runs before any venv exists.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox.apt import Apt, Unavailable, os_release, run

LAYOUT = 2
"""Raised when what is unpacked changes shape, so that old folders are left aside."""


@dataclass(frozen=True)
class Bundle:
    """Packages that are unpacked together, and the programs wanted of them."""

    name: str
    about: str
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()
    suite: str | None = None
    """Another suite of the same mirror than the machine's own."""


SERVERS = Bundle(
    name="servers",
    about="MariaDB, OpenSSH and zstd (about 40 MB)",
    packages=(
        "mariadb-server-core",
        "mariadb-client",
        "openssh-server",
        "openssh-client",
        "zstd",
        "libnss-wrapper",
    ),
    programs=(
        "usr/sbin/mariadbd",
        "usr/bin/mariadb",
        "usr/bin/mariadb-dump",
        "usr/bin/my_print_defaults",
        "usr/bin/resolveip",
        "usr/sbin/sshd",
        "usr/lib/openssh/sshd-session",
        "usr/lib/openssh/sshd-auth",
        "usr/lib/openssh/sftp-server",
        "usr/bin/ssh",
        "usr/bin/ssh-keygen",
        "usr/bin/zstd",
    ),
)
MYSQL = Bundle(
    name="mysql",
    about="MySQL from Debian unstable (about 65 MB)",
    packages=("mysql-server-core", "mysql-client-core"),
    programs=("usr/sbin/mysqld", "usr/bin/mysql", "usr/bin/mysqldump"),
    suite="sid",
)
GIT = Bundle(
    name="git",
    about="git (about 10 MB)",
    packages=("git",),
    programs=(
        "usr/bin/git",
        "usr/lib/git-core/git",
        "usr/lib/git-core/git-upload-pack",
        "usr/lib/git-core/git-receive-pack",
    ),
)
PIP = Bundle(
    name="pip",
    about="pip and the certificate authorities",
    packages=("python3-pip-whl", "ca-certificates"),
)


def say(text: str) -> None:
    """Write one line of progress to standard error."""
    print(f"sandbox: {text}", file=sys.stderr, flush=True)


def cache() -> Path:
    """Return the folder that keeps what was unpacked; it can be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "runbook-sandbox"


def on_path(program: str) -> Path | None:
    """Return the path of an installed program, also from the system folders of PATH."""
    places = [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    found = shutil.which(program, path=os.pathsep.join(places))
    return Path(found) if found else None


def unpacked(bundle: Bundle) -> Path:
    """Return the folder of `bundle`, fetching and unpacking it the first time.

    It holds `root` (the packages' files), and beside it `bin`, `sbin` and
    `lib/openssh` with the programs' start scripts, and links `share` and
    `lib/mysql`. Safe to call from several processes at once, and after an
    interruption. Raises `Unavailable`.
    """
    folder = cache() / f"{_system()}-{bundle.name}-{_fingerprint(bundle)}"
    if not folder.is_dir():
        _require_apt(bundle)
    return made_once(folder, bundle.about, lambda temporary: _fetch(bundle, temporary, folder))


def made_once(folder: Path, about: str, make: Callable[[Path], None]) -> Path:
    """Return `folder`, of which `make` fills a temporary one the first time.

    Safe to call from several processes at once, and after an interruption.
    Raises `Unavailable`, which names `about` where the folder can't be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f"{folder.name}.lock"), about):
            if not folder.is_dir():
                for left in folder.parent.glob(f"{folder.name}.tmp-*"):
                    _clear(left)
                temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
                temporary.mkdir()
                try:
                    make(temporary)
                    temporary.rename(folder)
                except BaseException:
                    shutil.rmtree(temporary, ignore_errors=True)
                    raise
    except OSError as error:
        raise Unavailable(f"{about}: {error}") from error
    return folder


def _clear(left: Path) -> None:
    """Delete what an interrupted call left, also while a program of its still writes there."""
    deadline = time.monotonic() + 10.0
    while left.exists() and time.monotonic() < deadline:
        shutil.rmtree(left, ignore_errors=True)
        time.sleep(0.01)


def _require_apt(bundle: Bundle) -> None:
    names = " ".join(sorted({Path(program).name for program in bundle.programs}))
    if on_path("apt-get") is None or on_path("dpkg-deb") is None:
        raise Unavailable(
            f"{bundle.about}: not on PATH, and there is no apt-get here to unpack them with;"
            f" install these programs with your system's package manager: {names}"
        )
    if bundle.suite and os_release().get("ID") != "debian":
        raise Unavailable(
            f"{bundle.about}: taken only on Debian; elsewhere put these on PATH: {names}"
        )


def _fetch(bundle: Bundle, temporary: Path, folder: Path) -> None:
    started = time.monotonic()
    say(f"unpacking {bundle.about}; once, nothing is installed …")
    apt = Apt(folder.with_name(f"{folder.name}.apt"), bundle.suite)
    debs = apt.download(bundle.packages)
    root = temporary / "root"
    root.mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda deb: run(["dpkg-deb", "-x", str(deb), str(root)]), debs))
    _write_programs(bundle, temporary, folder)
    apt.forget()
    say(f"unpacked into {folder} in {time.monotonic() - started:.1f} s")


def _write_programs(bundle: Bundle, temporary: Path, folder: Path) -> None:
    root = temporary / "root"
    loaders = [*root.glob("lib/*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    final = folder / "root"
    libraries = ":".join(
        str(final / path.relative_to(root))
        for path in (*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*"))
    )
    # MariaDB's clients look for the ways to log in where they would be installed.
    found = [final / path.relative_to(root) for path in root.glob("usr/lib/*/libmariadb3/plugin")]
    plugins = "".join(f"export MARIADB_PLUGIN_DIR={shlex.quote(str(path))}\n" for path in found)
    for program in bundle.programs:
        if not (root / program).exists():
            continue
        script = temporary / Path(program).relative_to("usr")
        script.parent.mkdir(parents=True, exist_ok=True)
        loader = final / loaders[0].relative_to(root)
        script.write_text(
            f"#!/bin/sh\n{plugins}"
            f'exec {shlex.quote(str(loader))} --argv0 "$0"'
            f" --library-path {shlex.quote(libraries)}"
            f' {shlex.quote(str(final / program))} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
    for link in ("share", "lib/mysql"):
        if (root / "usr" / link).is_dir():
            (temporary / link).parent.mkdir(exist_ok=True)
            (temporary / link).symlink_to(final / "usr" / link)


@contextlib.contextmanager
def _locked(path: Path, about: str) -> Iterator[None]:
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that prepares {about} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _system() -> str:
    release = os_release()
    name = f"{release.get('ID', platform.system().lower())}{release.get('VERSION_ID', '')}"
    return f"{name}-{platform.machine()}"


def _fingerprint(bundle: Bundle) -> str:
    return hashlib.sha256(f"{LAYOUT} {bundle}".encode()).hexdigest()[:8]
