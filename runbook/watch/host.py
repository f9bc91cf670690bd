"""What the watch's host has: its programs, the credentials, what is installed, the last scan."""

from __future__ import annotations

import json
from dataclasses import dataclass

from runbook.application import Watch
from runbook.environment import Environment
from runbook.errors import Refusal
from runbook.hosts import jobs
from runbook.hosts.clients import CLIENTS
from runbook.hosts.shell import script
from runbook.site import Site

RUNNING = {"running", "degraded", "starting"}
"""How systemd says that it runs."""


@dataclass(frozen=True)
class Last:
    """The last scan as it told it: how it ended and when, in seconds since 1970."""

    outcome: str
    message: str
    digest: str
    epoch: int

    @property
    def good(self) -> bool:
        """Whether it compared everything and found nothing."""
        return self.outcome in {"clean", "baseline"}


@dataclass(frozen=True)
class Facts:
    """What a look at the host found; paths are absolute there, an empty text is what is missing.

    `access` is mode and owner of the credentials, and who we are. `script` and
    `units` are SHA-256 of what is installed, `line` is our line of the crontab.
    `ran` is when a scan last ended well.
    """

    now: int
    uid: int
    home: str
    folder: str
    credentials: str
    access: tuple[str, ...] = ()
    client: str = ""
    missing: tuple[str, ...] = ()
    script: str = ""
    baseline: bool = False
    cron: bool = False
    line: str = ""
    systemd: bool = False
    linger: bool = False
    units: str = ""
    timer: bool = False
    ran: int | None = None
    last: Last | None = None

    def age(self) -> int | None:
        """Return how many seconds ago a scan last ended well."""
        return None if self.ran is None else self.now - self.ran

    def stale(self, every: float) -> bool:
        """Whether a scan that was due did not run: two intervals and a minute have gone by."""
        age = self.age()
        return age is None or age > 2 * every + 60

    @property
    def there(self) -> bool:
        """Whether anything of the watch is on the host."""
        return bool(self.script or self.baseline or self.last or self.scheduled)

    @property
    def scheduled(self) -> bool:
        """Whether something on the host runs it."""
        return bool(self.line) or self.timer


def mark(environment: Environment) -> str:
    """Return what names this environment's watch on its host."""
    return f"runbook-watch-{environment.name}"


def look(site: Site, watch: Watch) -> Facts:
    """Look at the watch's host; read-only.

    Raises:
        Refusal: it cannot be looked at.
    """
    seen = site.hosts.run(watch.host, look_text(site.environment, watch))
    if not seen.ok:
        raise Refusal(
            f"{watch.host}: the look at its watch failed: {' '.join(seen.tail(1))}",
            advice="It needs bash and the usual Unix tools.",
        )
    return read(seen.out)


def look_text(environment: Environment, watch: Watch) -> str:
    """Return the command of the look."""
    values: dict[str, jobs.Words] = {
        "folder": watch.folder,
        "credentials": watch.credentials,
        "clients": CLIENTS["MySQL"],
        "mark": mark(environment),
    }
    return script(jobs.text(values, "scan_look"))


def read(out: str) -> Facts:
    """Read what the look printed: a key and a value a line."""
    lines = [(key, value) for key, _, value in (line.partition(" ") for line in out.splitlines())]
    said = dict(lines)
    return Facts(
        now=int(said["now"]),
        uid=int(said["uid"]),
        home=said["home"],
        folder=said["folder"],
        credentials=said["credentials"],
        access=tuple(said.get("access", "").split()),
        client=said.get("client", ""),
        missing=tuple(value for key, value in lines if key == "missing"),
        script=said.get("script", ""),
        baseline="baseline" in said,
        cron="cron" in said,
        line=said.get("line", ""),
        systemd=said.get("systemd", "") in RUNNING,
        linger="linger" in said or said["uid"] == "0",
        units=said.get("units", ""),
        timer=said.get("timer", "") == "active",
        ran=int(said["ran"]) if said.get("ran", "").isdigit() else None,
        last=last(said.get("last", "")),
    )


def last(text: str) -> Last | None:
    """Read a scan's JSON line; None where it is none."""
    try:
        told = json.loads(text)
        return Last(
            str(told["outcome"]), str(told["message"]), str(told["digest"]), int(told["epoch"])
        )
    except (ValueError, KeyError, TypeError):
        return None
