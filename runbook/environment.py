"""What the inventory says, as frozen values.

`inventory` reads YAML into these; everything else only reads them. Durations
are seconds, sizes bytes. Paths of the operator's machine are absolute
`pathlib.Path`s; paths on a host stay strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runbook.application import (
    Deploy,
    Health,
    Log,
    Manual,
    Monitor,
    Runner,
    Smoke,
    Validation,
    Watch,
)
from runbook.window import Window


class Confirm(StrEnum):
    """How an environment wants a changing run to be confirmed."""

    NONE = "none"
    PROMPT = "prompt"
    PLAN = "plan"


@dataclass(frozen=True)
class Secret:
    """Where a password comes from; it is read only when it is needed.

    Exactly one of the three is set: the name of an environment variable, a
    file, or a command of the operator's machine (its one line of output).
    `source` is where the inventory says so, as `inventory.yaml:12`, and `what`
    it is, for messages.
    """

    env: str | None = None
    file: Path | None = None
    command: str | None = None
    source: str = ""
    what: str = "password"


@dataclass(frozen=True)
class Host:
    """An SSH host. What is None is left to the SSH configuration."""

    name: str
    roles: tuple[str, ...]
    address: str | None = None
    port: int | None = None
    user: str | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    jump: str | None = None
    ssh_config: Path | None = None


@dataclass(frozen=True)
class Tls:
    """TLS to the database: verified against `ca` (or the system's), or not used."""

    ca: Path | None = None
    hostname: str | None = None


@dataclass(frozen=True)
class Address:
    """A TCP address as seen from the SSH host it is reached through."""

    host: str
    port: int


@dataclass(frozen=True)
class Replica:
    """A replica whose lag is watched; reached through the SSH host `via`."""

    name: str
    via: str
    address: Address


@dataclass(frozen=True)
class Database:
    """The database to migrate, reached through the SSH host `via`."""

    name: str
    via: str
    address: Address
    user: str
    password: Secret
    tls: Tls | None = None
    replicas: tuple[Replica, ...] = ()

    @property
    def label(self) -> str:
        """How steps and findings call it, such as `shop@db1`."""
        return f"{self.name}@{self.via}"


@dataclass(frozen=True)
class Backup:
    """Where dumps go, how many are kept, and how old a usable one may be."""

    host: str
    folder: str
    keep: int
    max_age: float
    snapshot: str | None = None


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, for one remote command, for a look's query, for a
    metadata lock, until a statement gives up on its lock, for one statement,
    for a detached job, until a silent connection is given up."""

    connect: float = 10.0
    command: float = 60.0
    query: float = 30.0
    lock_wait: float = 3.0
    lock_give_up: float = 60.0
    statement: float = 3600.0
    job: float = 14400.0
    silence: float = 20.0


@dataclass(frozen=True)
class Policy:
    """What a run here must respect."""

    confirm: Confirm = Confirm.PROMPT
    max_transaction_age: float = 60.0
    max_replica_lag: float = 10.0
    chunk_time: float = 0.1
    never: tuple[str, ...] = ()


class Occasion(StrEnum):
    """What somebody wants to be told of a run: an end is any, a failure only one that is none."""

    START = "start"
    END = "end"
    FAILURE = "failure"
    ALERT = "alert"


@dataclass(frozen=True)
class Recipient:
    """Who is told, by an URL of apprise, and of what."""

    name: str
    url: Secret
    on: tuple[Occasion, ...]


@dataclass(frozen=True)
class Environment:
    """One environment of the inventory, complete."""

    name: str
    about: str
    change: Path
    hosts: tuple[Host, ...]
    database: Database
    backup: Backup
    health: tuple[Health, ...]
    timeouts: Timeouts
    policy: Policy
    state: Path
    source: str
    """Where it stands, as `inventory.yaml:12`, for messages."""
    validation: Validation | None = None
    manual: tuple[Manual, ...] = ()
    smoke: Smoke | None = None
    deploy: Deploy | None = None
    logs: tuple[Log, ...] = ()
    monitor: Monitor = field(default_factory=Monitor)
    notify: tuple[Recipient, ...] = ()
    runner: Runner | None = None
    windows: tuple[Window, ...] = ()
    watch: Watch | None = None
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where each key's value stands, as `source`, by its path, such as `deploy.fetch`."""

    def at(self, path: str) -> str:
        """Return where the value of a key stands; of one that is not written, what it is in."""
        above = path.rpartition(".")[0]
        return self.places.get(path) or (self.at(above) if above else self.source)

    def host(self, name: str) -> Host:
        """Return the host called `name`; the inventory guarantees it is there."""
        return next(host for host in self.hosts if host.name == name)
