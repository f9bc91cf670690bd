"""The programs a backup needs on its host, and which options the dump program has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database.sessions import Server
from runbook.environment import Environment
from runbook.hosts.clients import CLIENTS, DUMPS, PROBED
from runbook.hosts.shell import quote
from runbook.plan.plan import Finding, Level

COMPRESSORS = ("zstd", "gzip")
TOOLS = ("awk", "flock", "setsid", "sha256sum")

SCRIPT = f"""\
program() {{
  path=$(command -v "$1") || return 0
  version=$("$path" --no-defaults --version 2>/dev/null | sed -n 1p) || version=
  options=$("$path" --no-defaults --help 2>/dev/null |
    grep -owE -e '{"|".join(PROBED)}' | sort -u | tr -d '\\n') || options=
  printf 'program\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$path" "$version" "$options"
}}
for name in {" ".join((*CLIENTS["MySQL"], *COMPRESSORS, *TOOLS))}; do
  ! path=$(command -v "$name") || printf 'program\\t%s\\t%s\\t\\t\\n' "$name" "$path"
done
for name in {" ".join(DUMPS["MySQL"])}; do program "$name" & done
"""
REACH = """\
reach() {{
  timeout 5 bash -c "</dev/tcp/{host}/{port}" 2>/dev/null && echo yes || echo no
}}
printf 'reach\\t%s\\n' "$(reach)"
"""


@dataclass(frozen=True)
class Program:
    """A program on a host; only of dump programs version and options are asked."""

    name: str
    path: str
    version: str = ""
    options: tuple[str, ...] = ()

    @property
    def flavour(self) -> str:
        """Whose dump program this is: MariaDB or MySQL."""
        return "MariaDB" if "mariadb" in self.version.lower() else "MySQL"

    @property
    def number(self) -> tuple[int, ...]:
        """The version of the server it came with, such as (10, 11, 6).

        Older programs name their own first: `Ver 10.13 Distrib 5.7.44`.
        """
        found = re.findall(r"(?:Ver|Distrib|from) (\d+(?:\.\d+)+)", self.version)
        return tuple(int(n) for n in found[-1].split(".")) if found else ()


def script(environment: Environment) -> str:
    """Return the bash that looks for the programs, and from elsewhere for the database."""
    target = environment.database
    if environment.backup.host == target.via:
        return SCRIPT
    return SCRIPT + REACH.format(host=quote(target.address.host), port=target.address.port)


def reach(environment: Environment, reaches: bool) -> Finding:
    """Say whether the database answers where the dump will run."""
    host, target = environment.backup.host, environment.database
    address = f"{target.address.host}:{target.address.port}"
    if reaches:
        return Finding("database from here", host, Level.OK, f"{address} answers")
    return Finding(
        "database from here",
        host,
        Level.REFUSED,
        f"nothing answers at {address}; the dump runs here and connects to that address",
        f"Give the database an address that {target.via} and {host} both see, or name "
        f"{target.via} as backup.host.",
    )


def parse(fields: tuple[str, ...]) -> Program:
    """Read a line that the script printed."""
    name, path, version, options = fields
    return Program(name, path, version, tuple(f"--{o}" for o in options.split("--")[1:]))


def findings(where: str, found: tuple[Program, ...], server: Server | None) -> Iterator[Finding]:
    """Say whether the host can dump, compress and keep a job running (server None: unknown)."""
    here = {program.name: program for program in found}
    flavour = server.flavour if server else "MySQL"
    yield _dump(where, next((here[n] for n in DUMPS[flavour] if n in here), None), server)
    client = next((here[name] for name in CLIENTS[flavour] if name in here), None)
    yield Finding(
        "client program",
        where,
        Level.OK if client else Level.REFUSED,
        client.path if client else "neither mysql nor mariadb is on PATH",
        "" if client else "Install the database's client there: the backup compares with it.",
    )
    compressor = next((here[name] for name in COMPRESSORS if name in here), None)
    yield Finding(
        "compressor",
        where,
        Level.OK if compressor else Level.REFUSED,
        f"{compressor.name}{'' if compressor.name == 'zstd' else ' (zstd is not on PATH)'}"
        if compressor
        else "neither zstd nor gzip is on PATH",
        "" if compressor else "Install zstd there.",
    )
    if missing := tuple(name for name in TOOLS if name not in here):
        yield Finding(
            "tools",
            where,
            Level.REFUSED,
            f"not on PATH: {', '.join(missing)}",
            "The backup's job needs them: install util-linux, coreutils and awk there.",
        )


def _dump(where: str, dump: Program | None, server: Server | None) -> Finding:
    if dump is None:
        return Finding(
            "dump program",
            where,
            Level.REFUSED,
            "neither mysqldump nor mariadb-dump is on PATH",
            "Install the database's client programs there.",
        )
    version = ".".join(map(str, dump.number)) or "of unknown version"
    options = f", with {' '.join(dump.options)}" if dump.options else ""
    detail = f"{dump.path}, {dump.flavour} {version}{options}"
    if server is None or dump.flavour == server.flavour:
        return Finding("dump program", where, Level.OK, detail)
    level, consequence = _mismatch(dump)
    return Finding(
        "dump program",
        where,
        level,
        f"{dump.path} is {dump.flavour}'s, the server is {server.flavour}: {consequence}",
        f"Install {server.flavour}'s client programs there.",
    )


def _mismatch(dump: Program) -> tuple[Level, str]:
    """Say what the other flavour's dump program does (measured: MariaDB 10.11, MySQL 9.7)."""
    if dump.flavour == "MariaDB":
        return (
            Level.WARNING,
            "its dump writes the values of generated columns, and MySQL refuses to load them "
            "(error 3105)",
        )
    if dump.number >= (9,):
        return (
            Level.REFUSED,
            "it cannot log in, since MySQL 9 has no mysql_native_password any more (error 2059)",
        )
    return Level.WARNING, "options and the dump's syntax are not made for it"
