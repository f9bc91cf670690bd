"""Releases on hosts: the texts that ask for them and bring them, and what a look found there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from runbook.application import Deploy
from runbook.environment import Environment
from runbook.errors import Refusal
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.hosts.remote import Finished, Hosts
from runbook.hosts.shell import script, typed
from runbook.placeholders import fill

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}")
"""A release's name: no shell takes any of it for anything but a word."""
WHOLE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64}")
"""A commit or a digest: it can stand for one thing only."""
TOOLS = ("bash", "date", "df", "flock", "sed", "setsid", "stat", "tail", "timeout")
"""What our own commands need."""
NO_SUCH_COMMAND = 127


@dataclass(frozen=True)
class Texts:
    """What is sent to a host about one release; `limit` is in seconds, for each question."""

    deploy: Deploy
    host: str
    folder: str
    release: str
    checks: tuple[str, ...]
    limit: float

    @property
    def resolve(self) -> str:
        """Asks what the release's name stands for; empty where nothing tells."""
        return self._asked(self.deploy.resolve) if self.deploy.resolve else ""

    @property
    def fetched(self) -> str:
        """Asks what was brought under the release's name."""
        return self._asked(self.deploy.fetched)

    @property
    def current(self) -> str:
        """Asks which release runs."""
        return self._asked(self.deploy.current)

    @property
    def healthy(self) -> tuple[str, ...]:
        """Ask whether the host is well, each by its exit status."""
        return tuple(typed(check, self.limit) for check in self.checks)

    @property
    def fetch(self) -> str:
        """What brings the release; run as a job. What was installed before counts no more."""
        return f"rm -f {self.job('install')}/status\n{self._filled(self.deploy.fetch)}"

    @property
    def install(self) -> str:
        """What makes it ready; run as a job. Empty where nothing does."""
        return self._filled(self.deploy.install or "")

    def switch(self, release: str) -> dict[str, str]:
        """Make the host run `release`, which is there already: texts by their key."""
        texts = {"activate": self.deploy.activate, "restart": self.deploy.restart}
        return {
            key: typed(self._filled(text, release=release)) for key, text in texts.items() if text
        }

    def put_back(self, previous: str) -> dict[str, str]:
        """Make the host run again what ran there before: texts by their key."""
        if self.deploy.rollback is None:
            return self.switch(previous)
        return {"rollback": typed(self._filled(self.deploy.rollback, previous=previous))}

    def begin(self, previous: str) -> str:
        """Note on the host that its turn has begun, and what ran there before."""
        folder = f"{self.folder}/.runbook"
        words = " ".join(filter(None, (self.release, previous)))
        return typed(
            f"(umask 077 && mkdir -p {folder})\necho {words} >{folder}/turn.new\n"
            f"mv -f {folder}/turn.new {folder}/turn"
        )

    @property
    def end(self) -> str:
        """Note that the turn has ended."""
        return typed(f"rm -f {self.folder}/.runbook/turn")

    @property
    def logs(self) -> str:
        """Asks what the application last said; empty where nothing tells."""
        return self._asked(self.deploy.logs) if self.deploy.logs else ""

    def job(self, name: str) -> str:
        """The folder of a job, `fetch` or `install`."""
        return f"{self.folder}/.runbook/{name}"

    def of(self, release: str) -> Texts:
        """Return the texts for another release."""
        return replace(self, release=release)

    @property
    def look(self) -> str:
        """Asks for programs, room, a turn that was cut off, and the jobs."""
        programs = tuple(dict.fromkeys((*TOOLS, *self.deploy.needs)))
        values: dict[str, jobs.Words] = {"folder": self.folder, "programs": programs}
        return script(jobs.text(values, "watch", "turn"))

    def _filled(self, text: str, **values: str) -> str:
        known = {"release": self.release, "folder": self.folder, "host": self.host}
        return fill(text, **known | values)

    def _asked(self, text: str) -> str:
        return typed(self._filled(text), self.limit)


@dataclass(frozen=True)
class Release:
    """What a look found on one host.

    `runs` is the release that runs; empty where that cannot be told, and then
    `unknown` says why. `ill` says why the host is not well, empty when it is.
    `turn` is what a run that was cut off noted: the release it was bringing,
    and the one from before. `back` is the release to go back to; empty where
    there is none, or its files are not there any more. `free` is in MiB.
    """

    name: str
    runs: str = ""
    unknown: str = ""
    ill: str = ""
    fetched: bool = False
    installed: bool = False
    turn: tuple[str, str] | None = None
    back: str = ""
    missing: tuple[str, ...] = ()
    closed: str = ""
    free: int | None = None


def short(release: str) -> str:
    """Return a release as people read it: a commit or digest by its first twelve digits."""
    if not WHOLE.fullmatch(release):
        return release
    kind, colon, digits = release.rpartition(":")
    return f"{kind}{colon}{digits[:12]}"


def texts(environment: Environment, deploy: Deploy, host: str, release: str) -> Texts:
    """Return the texts for one host and release."""
    folder = fill(deploy.folder, host=host)
    roles = environment.host(host).roles
    checks = (
        (fill(deploy.health, folder=folder, host=host),)
        if deploy.health
        else tuple(health.command for health in environment.health if health.role in roles)
    )
    return Texts(deploy, host, folder, release, checks, environment.timeouts.command / 2)


def pinned(hosts: Hosts, wanted: Texts) -> str:
    """Return the commit or digest that the release's name stands for, as its host sees it.

    Raises:
        Refusal: it stands for nothing, or for more than one thing.
    """
    if not wanted.resolve or WHOLE.fullmatch(wanted.release):
        return wanted.release
    asked = hosts.run(wanted.host, wanted.resolve)
    found = {line.split()[0] for line in asked.out.splitlines() if line.strip()}
    if asked.ok and len(found) == 1 and NAME.fullmatch(one := found.pop()):
        return one
    why = f"it names {', '.join(found) or 'nothing'}" if asked.ok else f"status {asked.status}"
    raise Refusal(
        f"{wanted.host}: which release {wanted.release} is cannot be told: {why}",
        advice="Give a name that deploy.resolve of the inventory finds, or a whole commit or "
        "digest.",
        output=asked.tail(),
    )


def look(hosts: Hosts, wanted: Texts) -> Release:
    """Look at one host; read-only.

    Raises:
        Refusal: it cannot be reached, or has no bash.
        Lost: it went away, or did not answer in time.
    """
    host = wanted.host
    seen = hosts.run(host, wanted.look)
    if not seen.ok:
        bash = seen.status == NO_SUCH_COMMAND
        raise Refusal(
            f"{host}: {'bash is not there' if bash else f'the look ended with {seen.status}'}",
            advice="Install bash on that host." if bash else "\n".join(seen.tail(5)),
        )
    runs, unknown = _told(hosts.run(host, wanted.current))
    there = _told(hosts.run(host, wanted.fetched))[0] == wanted.release
    ill = next((_why(done) for c in wanted.healthy if not (done := hosts.run(host, c)).ok), "")
    found = replace(_parse(host, seen.out, wanted, there), runs=runs, unknown=unknown, ill=ill)
    return replace(found, back=_back(hosts, wanted, found))


def _back(hosts: Hosts, wanted: Texts, found: Release) -> str:
    """Return the release from before, when it can be put back."""
    before = found.turn[1] if found.turn else found.runs
    if before in {"", wanted.release}:
        return ""
    if wanted.deploy.rollback:
        return before
    return before if _told(hosts.run(wanted.host, wanted.of(before).fetched))[0] == before else ""


def _parse(host: str, out: str, wanted: Texts, there: bool) -> Release:
    """Read what the look printed; `there` says whether the release's own files are."""
    lines = [line.split(" ", 1) for line in out.splitlines()]

    def of(kind: str) -> tuple[str, ...]:
        return tuple(rest for key, *more in lines if key == kind for rest in more)

    turn = "".join(of("turn")).split()
    free = "".join(of("free"))
    fetch, install = jobs.parse(of("fetch")), jobs.parse(of("install"))
    fetched = there and not fetch.running
    return Release(
        name=host,
        fetched=fetched,
        installed=fetched and _made(install, wanted.install),
        turn=(turn[0], turn[-1] if len(turn) == 2 else "") if _names(turn) else None,
        missing=of("missing"),
        closed="".join(of("closed")),
        free=int(free) // 1024 if free.isdecimal() else None,
    )


def _names(words: list[str]) -> bool:
    return bool(words) and all(map(NAME.fullmatch, words))


def _made(install: State, command: str) -> bool:
    return not command or (install.succeeded and install.name == jobs.task_name(command))


def _told(asked: Finished) -> tuple[str, str]:
    """Return the release that a command printed, or an empty text and why there is none."""
    said = asked.out.strip()
    if not asked.ok:
        return "", _why(asked)
    if NAME.fullmatch(said):
        return said, ""
    return "", f"{said[:60]!r} is no release's name" if said else "nothing was printed"


def _why(asked: Finished) -> str:
    last = asked.tail(1)
    return f"status {asked.status}{f': {last[0][:200]}' if last else ''}"
