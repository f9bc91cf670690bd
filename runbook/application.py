"""What the inventory says of the application, as frozen values; see `environment`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Health:
    """A command that exits 0 on every host with `role` when `name` is healthy."""

    name: str
    role: str
    command: str


@dataclass(frozen=True)
class Validation:
    """A job of the application on `host`, tried once to see what it really does.

    Its report are the JSON lines of its output in which `report_key` is `report`.
    """

    host: str
    command: str
    report: str
    report_key: str = "op"


@dataclass(frozen=True)
class Smoke:
    """The application's integration tests: the host that runs them, and how.

    `{report}` in `command` is the file they report to; without it they report
    on standard output. `timeout` is in seconds.
    """

    host: str
    command: str
    timeout: float
    folder: str


@dataclass(frozen=True)
class Manual:
    """What a person does or decides before a phase of the maintenance window, and is asked."""

    name: str
    before: str
    ask: str


@dataclass(frozen=True)
class Deploy:
    """How a release gets onto every host that has one of `roles`, `batch` hosts at a time.

    In the commands `{release}`, `{folder}`, `{host}` and `{previous}` stand for
    values of a host's turn; `{host}` may stand in the folder as well. A release
    must be well within `healthy_within` seconds, and for `steady` seconds
    without a break; it is asked `every` so many seconds.
    """

    roles: tuple[str, ...]
    folder: str
    fetch: str
    fetched: str
    restart: str
    current: str
    resolve: str | None = None
    install: str | None = None
    activate: str | None = None
    health: str | None = None
    logs: str | None = None
    rollback: str | None = None
    batch: int = 1
    healthy_within: float = 60.0
    steady: float = 5.0
    every: float = 1.0
    needs: tuple[str, ...] = ()
    space: int = 500
    """MiB that must be free in the folder."""


@dataclass(frozen=True)
class Log:
    """A log of the application on every host with `role`: a file, a systemd unit, or a command.

    `level` is how grave a line is that does not say it: info, warning or error.
    """

    name: str
    role: str
    file: str | None = None
    unit: str | None = None
    command: str | None = None
    level: str = "info"


@dataclass(frozen=True)
class Monitor:
    """How logs are followed, and what is a spike in them.

    `baseline`, `interval` and `quiet` are seconds, `history` is bytes: how far
    back and how much of a log is read for its baseline, how often a host is
    asked, and how long no false alarm should be told. `factor` is what a spike
    is to the usual rate, `level` the least level that counts.
    """

    baseline: float = 14 * 86400.0
    history: int = 1 << 30
    interval: float = 5.0
    factor: int = 2
    quiet: float = 30 * 86400.0
    level: str = "error"


@dataclass(frozen=True)
class Runner:
    """The application's own command that migrates, on `host`.

    `{folder}` and `{host}` may stand in it, and in `files`, the folder there
    that must hold the very migration files of the change.
    """

    host: str
    folder: str
    command: str
    files: str | None = None


MINUTE, HOUR, DAY = 60, 3600, 86400
INTERVALS = {
    **{f"{n}m": float(n * MINUTE) for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{f"{n}h": float(n * HOUR) for n in (1, 2, 3, 4, 6, 8, 12)},
    "1d": float(DAY),
}
"""How often a watch may run: divisors of an hour and of a day, since timetables hold only these."""


@dataclass(frozen=True)
class Watch:
    """The scan of append-only rows: the host that runs it, `folder` and `credentials` there.

    It runs `every` so many seconds, one of `INTERVALS`; a row whose key is older than `settle`
    seconds may not come into being any more. `alert` and `heartbeat` are
    commands of that host.
    """

    host: str
    folder: str
    credentials: str
    every: float
    settle: float
    scheduler: str
    alert: str | None = None
    heartbeat: str | None = None
