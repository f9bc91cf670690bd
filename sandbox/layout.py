"""The files of a sandbox's folder that are not one server's own."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox import programs
from sandbox.apt import Unavailable
from sandbox.hosts import NAMES, SshHost, client_config, make_key
from sandbox.programs import DatabasePrograms, Flavour

ACCOUNTS = ("root", "migrator", "app")
BIN = Path(__file__).with_name("bin")
"""Programs of our own that the hosts have."""


@dataclass(frozen=True)
class Settings:
    """What a sandbox was started with."""

    server: Flavour
    rows: int
    partial: bool
    ports: Mapping[str, int]
    """By part: `database` and the names of the hosts."""


def lay(root: Path, settings: Settings, database: DatabasePrograms) -> None:
    """Make the folders, passwords, logins, keys and the hosts' programs."""
    for name in ("database", "bin", *NAMES):
        (root / name).mkdir(mode=0o700)
    port = settings.ports["database"]
    for account in ACCOUNTS:
        secret = secrets.token_urlsafe(18)
        _write_secret(root / f"{account}.password", f"{secret}\n")
        _write_secret(root / f"{account}.cnf", _login(account, secret, port))
    (root / "database.port").write_text(f"{port}\n", encoding="utf-8")
    for name, program in _programs(database).items():
        (root / "bin" / name).symlink_to(program)
    make_key(programs.openssh(), root / "id_ed25519")


def introduce(root: Path, hosts: Iterable[SshHost]) -> None:
    """Write how the hosts are reached and known, once they have their keys."""
    hosts = list(hosts)
    (root / "ssh_config").write_text(client_config(root, hosts), encoding="utf-8")
    (root / "known_hosts").write_text(
        "".join(f"{host.known_host()}\n" for host in hosts), encoding="utf-8"
    )


def save(root: Path, settings: Settings) -> None:
    """Write `state.json`, which says that the sandbox is complete."""
    temporary = root / "state.json.new"
    temporary.write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")
    temporary.rename(root / "state.json")


def saved(root: Path) -> Settings:
    """Return what `save` wrote. Raises FileNotFoundError where no sandbox is complete."""
    return Settings(**json.loads((root / "state.json").read_text(encoding="utf-8")))


def _programs(database: DatabasePrograms) -> Mapping[str, Path]:
    """Return the programs that the hosts have, by the names under which they find them."""
    found = {"mysql": database.client, "mysqldump": database.dump}
    found |= {program.name: program for program in BIN.iterdir()}
    if database.flavour == "mariadb":
        found |= {"mariadb": database.client, "mariadb-dump": database.dump}
    with contextlib.suppress(Unavailable):  # gzip does as well
        found["zstd"] = programs.zstd()
    return found


def _login(account: str, password: str, port: int) -> str:
    return (
        f"[client]\nuser = {account}\npassword = {password}\nhost = 127.0.0.1\nport = {port}\n"
        "protocol = tcp\ndefault-character-set = utf8mb4\n"
    )


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
