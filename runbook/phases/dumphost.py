"""What the backup host has: client programs, dumps with their manifests, and the job in hand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.errors import Refusal, UsageError
from runbook.hosts import backups, jobs
from runbook.hosts.backups import Backup
from runbook.hosts.clients import CLIENTS, DUMPS, PROBED, Clients
from runbook.hosts.jobs import State
from runbook.hosts.shell import script
from runbook.site import Site

ODD = "is no plain file that can be read"
"""Why something that bears a dump's name is not opened: it might be read for ever."""


@dataclass(frozen=True)
class Facts:
    """What a look at the backup host found.

    `mariadb` is the server's flavour, `now` the host's clock in seconds since
    1970, `job` the state of the job that was asked about, `dumps` are newest
    first. `authority` is the text of the inventory's certificate authority,
    `snapshots` the names of the dumps whose snapshot was taken as well.
    """

    clients: Clients
    mariadb: bool
    now: float
    job: State
    dumps: tuple[Backup, ...]
    authority: str = ""
    snapshots: tuple[str, ...] = ()

    @property
    def verified(self) -> tuple[Backup, ...]:
        """The dumps that are backups, newest first."""
        return tuple(dump for dump in self.dumps if not dump.defect)

    def age(self, dump: Backup) -> float:
        """Return how many seconds ago a dump was begun: what it holds is that old."""
        return self.now - (dump.manifest.started if dump.manifest else 0.0)

    def fresh(self, limit: float) -> Backup | None:
        """Return the newest backup if it is younger than `limit` seconds."""
        newest = self.verified[0] if self.verified else None
        return newest if newest and self.age(newest) < limit else None


def look(site: Site, job: str) -> Facts:
    """Look at the backup host and at the job in the folder `job`; read-only.

    Opens a reading session of its own, so that it may run beside other looks.

    Raises:
        Refusal: the host cannot be looked at.
        UsageError: the inventory's certificate authority cannot be read.
    """
    environment = site.environment
    authority = _authority(environment)
    with site.database.reader() as session:
        mariadb = session.server.is_mariadb
    where = environment.backup.host
    seen = site.hosts.run(where, look_text(environment, job, mariadb=mariadb))
    if not seen.ok:
        raise Refusal(
            f"{where}: the look at its backups failed: {' '.join(seen.tail(1))}",
            advice="It needs bash, flock, setsid and the usual Unix tools.",
        )
    return read(environment, seen.out, mariadb=mariadb, authority=authority)


def look_text(environment: Environment, job: str, *, mariadb: bool) -> str:
    """Return the command of the look."""
    flavour = "MariaDB" if mariadb else "MySQL"
    values: dict[str, jobs.Words] = {
        **names(environment),
        "job": job,
        "dumps": DUMPS[flavour],
        "clients": CLIENTS[flavour],
        "optional": tuple(PROBED),
    }
    return script(jobs.text(values, "watch", "plain", "look"))


def read(environment: Environment, out: str, *, mariadb: bool, authority: str = "") -> Facts:
    """Read what the look's command printed: a key and a value a line."""
    lines = [(key, value) for key, _, value in (line.partition(" ") for line in out.splitlines())]
    said = dict(lines)

    def every(wanted: str) -> tuple[str, ...]:
        return tuple(value for key, value in lines if key == wanted)

    manifests: dict[str, list[str]] = {}
    for key, value in lines:
        if key == "backup":
            manifests[value] = manifest = []
        elif key == "=":
            manifest.append(value + "\n")
    odd = every("odd")
    dumps = [_dump(environment, at, "".join(text), odd) for at, text in manifests.items()]
    dumps += [Backup(name, None, f"it {ODD}") for name in every("foreign")]
    return Facts(
        clients=Clients(
            said.get("dump", ""),
            said.get("client", ""),
            said.get("compressor", ""),
            said.get("version", ""),
            every("option"),
        ),
        mariadb=mariadb,
        now=float(said.get("now", 0)),
        job=jobs.parse(every("job")),
        dumps=tuple(sorted(dumps, key=lambda dump: dump.name, reverse=True)),
        authority=authority,
        snapshots=every("snapshot"),
    )


def names(environment: Environment) -> dict[str, jobs.Words]:
    """Return the variables of every script on the backup host: the folder, the database, a bound.

    No manifest is longer than `longest`.
    """
    name = environment.database.name
    return {
        "folder": environment.backup.folder,
        "stem": backups.stem(name),
        "database": name,
        "database_json": json.dumps(name, ensure_ascii=False),
        "longest": backups.LONGEST,
    }


def account(environment: Environment, facts: Facts, job: str) -> dict[str, jobs.Words]:
    """Return the variables of a job that talks to the database, in the folder `job`."""
    return {
        "job": job,
        "client": facts.clients.client,
        "transport": facts.clients.transport(
            environment, f"{job}/ca.pem" if facts.authority else ""
        ),
        "ca": facts.authority,
    }


def _dump(environment: Environment, at: str, manifest: str, odd: tuple[str, ...]) -> Backup:
    name, size, modified = at.split(" ")
    if name in odd:
        return Backup(name, None, f"its manifest {ODD}")
    return backups.inspect(name, int(size), int(modified), manifest, environment.database.name)


CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
"""A certificate in a PEM file. What else may stand there is left out: MySQL ends its with a NUL."""


def _authority(environment: Environment) -> str:
    tls = environment.database.tls
    if tls is None or tls.ca is None:
        return ""
    try:
        blocks = CERTIFICATE.findall(tls.ca.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{tls.ca}: the certificate authority cannot be read ({error})",
            advice=f"Its path is in the inventory: {environment.at('database.tls.ca')}.",
        ) from error
    if not blocks:
        raise UsageError(
            f"{tls.ca}: holds no certificate",
            advice="database.tls.ca names a file of PEM certificates, -----BEGIN CERTIFICATE-----.",
        )
    return "\n".join(blocks) + "\n"
