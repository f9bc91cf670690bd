"""Which programs the sandbox runs: the machine's own where it has them, else unpacked ones."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from sandbox.apt import Unavailable
from sandbox.packages import GIT, MYSQL, SERVERS, on_path, unpacked

Flavour = Literal["mariadb", "mysql"]


@dataclass(frozen=True)
class DatabasePrograms:
    """A database server of one flavour with the clients that belong to it."""

    flavour: Flavour
    version: str
    server: Path
    client: Path
    dump: Path
    install: Path | None
    """mariadb-install-db; MySQL's server makes its first files itself."""
    basedir: Path | None
    """Where the server's files are, or None for where it was built to find them."""


@dataclass(frozen=True)
class SshPrograms:
    """OpenSSH's server and clients."""

    sshd: Path
    sftp_server: Path
    ssh: Path
    ssh_keygen: Path
    session: Path | None = None
    """sshd's per-connection helper (OpenSSH 9.8 and later), where it isn't in its usual place."""
    auth: Path | None = None
    """sshd's authentication helper (OpenSSH 10 and later), likewise."""
    accounts: Path | None = None
    """nss_wrapper, which lets a sshd run as root where the account `sshd` is missing."""


@cache
def database(flavour: Flavour) -> DatabasePrograms:
    """Return the programs of `flavour`. Raises `Unavailable` with the reason."""
    unpack = _unpacked_mariadb if flavour == "mariadb" else _unpacked_mysql
    return installed(flavour) or unpack()


def installed(flavour: Flavour) -> DatabasePrograms | None:
    """Return the programs of `flavour` on PATH, if all are there and are really its own."""
    return _installed_mariadb() if flavour == "mariadb" else _installed_mysql()


@cache
def why_not(flavour: Flavour) -> str | None:
    """Return why `flavour` can't be had here, in one line, or None when it can."""
    try:
        database(flavour)
    except Unavailable as reason:
        return str(reason)
    return None


@cache
def openssh() -> SshPrograms:
    """Return OpenSSH's programs. Raises `Unavailable` with the reason."""
    return _installed_openssh() or _unpacked_openssh()


@cache
def zstd() -> Path:
    """Return the program zstd. Raises `Unavailable` with the reason."""
    return on_path("zstd") or unpacked(SERVERS) / "bin" / "zstd"


@cache
def git() -> Path:
    """Return the program git. Raises `Unavailable` with the reason."""
    return on_path("git") or _unpacked_git()


def _installed_mariadb() -> DatabasePrograms | None:
    server, install = on_path("mariadbd"), on_path("mariadb-install-db")
    client, dump = on_path("mariadb"), on_path("mariadb-dump")
    if not (server and install and client and dump):
        return None
    return DatabasePrograms("mariadb", _version(server), server, client, dump, install, None)


def _unpacked_mariadb() -> DatabasePrograms:
    base = unpacked(SERVERS)
    server = base / "sbin" / "mariadbd"
    client, dump = base / "bin" / "mariadb", base / "bin" / "mariadb-dump"
    install = base / "root" / "usr" / "bin" / "mariadb-install-db"
    return DatabasePrograms("mariadb", _version(server), server, client, dump, install, base)


def _installed_mysql() -> DatabasePrograms | None:
    server, client, dump = on_path("mysqld"), on_path("mysql"), on_path("mysqldump")
    if not (server and client and dump):
        return None
    # MariaDB installs its own programs under these names too.
    if any("MariaDB" in _version(program) for program in (server, client, dump)):
        return None
    return DatabasePrograms("mysql", _version(server), server, client, dump, None, None)


def _unpacked_mysql() -> DatabasePrograms:
    base = unpacked(MYSQL)
    server = base / "sbin" / "mysqld"
    client, dump = base / "bin" / "mysql", base / "bin" / "mysqldump"
    return DatabasePrograms("mysql", _version(server), server, client, dump, None, base)


def _unpacked_git() -> Path:
    base = unpacked(GIT)
    script, new = base / "git", base / f"git.{os.getpid()}"
    if not script.exists():
        new.write_text(
            "#!/bin/sh\n"
            f"export GIT_EXEC_PATH={shlex.quote(str(base / 'lib' / 'git-core'))}\n"
            f"export GIT_TEMPLATE_DIR={shlex.quote(str(base / 'share' / 'git-core/templates'))}\n"
            f'exec {shlex.quote(str(base / "bin" / "git"))} "$@"\n',
            encoding="utf-8",
        )
        new.chmod(0o755)
        new.rename(script)
    return script


def _installed_openssh() -> SshPrograms | None:
    sshd, ssh, ssh_keygen = on_path("sshd"), on_path("ssh"), on_path("ssh-keygen")
    places = ("lib/openssh", "libexec", "libexec/openssh", "lib/ssh", "libexec/ssh")
    servers = [Path("/usr") / place / "sftp-server" for place in places]
    sftp_server = next((path for path in servers if path.exists()), None)
    if not (sshd and ssh and ssh_keygen and sftp_server):
        return None
    if os.getuid() == 0 and not _has_account("sshd") and not _has_account("_sshd"):
        return None
    return SshPrograms(sshd, sftp_server, ssh, ssh_keygen)


def _unpacked_openssh() -> SshPrograms:
    base = unpacked(SERVERS)
    helpers = base / "lib" / "openssh"
    wrappers = sorted((base / "root" / "usr" / "lib").glob("*/libnss_wrapper.so"))
    return SshPrograms(
        sshd=base / "sbin" / "sshd",
        sftp_server=helpers / "sftp-server",
        ssh=on_path("ssh") or base / "bin" / "ssh",
        ssh_keygen=on_path("ssh-keygen") or base / "bin" / "ssh-keygen",
        session=_if_there(helpers / "sshd-session"),
        auth=_if_there(helpers / "sshd-auth"),
        accounts=wrappers[0] if wrappers and not _has_account("sshd") else None,
    )


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None


def _has_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _version(program: Path) -> str:
    done = subprocess.run(
        [program, "--no-defaults", "--version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"{program} does not run here: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()
