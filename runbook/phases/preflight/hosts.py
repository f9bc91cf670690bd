"""The look at the hosts: one command a host, which tells everything in lines of fields."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.errors import Refusal, RunbookError
from runbook.hosts.remote import Finished, Hosts
from runbook.hosts.shell import script
from runbook.phases.preflight import disk, health, programs, snapshot
from runbook.phases.preflight.disk import Disk
from runbook.phases.preflight.health import Health
from runbook.phases.preflight.programs import Program
from runbook.phases.preflight.snapshot import Probe
from runbook.plan.plan import Finding, Level
from runbook.units import age

MAX_SKEW = 5.0
NO_SUCH_COMMAND = 127


@dataclass(frozen=True)
class HostFacts:
    """What a host told. `skew` is in seconds, above 0 where its clock is ahead of ours.

    `disk`, `programs` and `snapshot` are asked only of the host that backups go to.
    """

    name: str
    skew: float
    health: tuple[Health, ...] = ()
    disk: Disk | None = None
    programs: tuple[Program, ...] = ()
    reaches: bool | None = None
    """Whether the database answers there; not asked where the tunnel shows it."""
    snapshot: Probe | None = None


def text(environment: Environment, name: str) -> str:
    """Return the one command that looks at a host; it only reads."""
    host = environment.host(name)
    parts = ["printf 'clock\\t%s\\n' \"$(date +%s)\"", health.script(environment, host)]
    if name == environment.backup.host:
        parts += [module.script(environment) for module in (programs, disk, snapshot)]
    parts.append("wait\nprintf 'clock\\t%s\\n' \"$(date +%s)\"")
    return script("\n".join(part.strip() for part in parts if part))


def look(hosts: Hosts, environment: Environment, name: str) -> HostFacts:
    """Look at one host.

    Raises:
        Refusal: it cannot be reached, or has no bash.
        Lost: it went away, or did not answer in time.
    """
    began = time.time()
    finished = hosts.run(name, text(environment, name))
    return parse(environment, finished, began, time.time())


def parse(environment: Environment, finished: Finished, began: float, ended: float) -> HostFacts:
    """Read what the look's command printed between two moments of our own clock.

    Raises:
        Refusal: the command did not end well.
    """
    if finished.status == NO_SUCH_COMMAND:
        raise Refusal(f"{finished.host}: bash is not there", advice="Install bash on that host.")
    if not finished.ok:
        raise Refusal(
            f"{finished.host}: the look ended with status {finished.status}",
            advice="\n".join(finished.tail(5)) or "It printed nothing.",
        )
    lines = [tuple(line.split("\t")) for line in finished.out.split("\n")]

    def of(kind: str) -> list[tuple[str, ...]]:
        return [fields[1:] for fields in lines if fields[0] == kind]

    clocks = of("clock")
    if len(clocks) != 2:
        raise Refusal(
            f"{finished.host}: what the look printed there cannot be read",
            advice="\n".join(finished.tail(5)) or "It printed nothing.",
        )
    first, last = (float(fields[0]) for fields in clocks)
    wanted = health.commands(environment, environment.host(finished.host))
    return HostFacts(
        finished.host,
        _skew(first, last, began, ended),
        tuple(sorted((health.parse(f, wanted) for f in of("health")), key=lambda h: h.name)),
        next(map(disk.parse, of("disk")), None),
        tuple(map(programs.parse, of("program"))),
        next((fields[0] == "yes" for fields in of("reach")), None),
        next(map(snapshot.parse, of("snapshot")), None),
    )


def findings(
    environment: Environment, found: dict[str, HostFacts | RunbookError]
) -> Iterator[Finding]:
    """Say of every host whether it was reached, and how it is."""
    for name, facts in found.items():
        if isinstance(facts, RunbookError):
            yield Finding("SSH", name, Level.REFUSED, facts.message, facts.advice)
            continue
        yield Finding("SSH", name, Level.OK, "reached; the host key is the known one")
        yield _clock(name, facts.skew)
        yield from health.findings(environment, name, facts.health)


def _clock(name: str, skew: float) -> Finding:
    if abs(skew) <= MAX_SKEW:
        return Finding("clock", name, Level.OK, "as ours")
    way = "ahead of" if skew > 0 else "behind"
    return Finding(
        "clock",
        name,
        Level.WARNING,
        f"{age(abs(skew))} {way} this machine's",
        "Times in logs and file names will not agree; set the clock (timedatectl).",
    )


def _skew(first: float, last: float, began: float, ended: float) -> float:
    """Return how far outside our own two moments the host's clock was, in seconds."""
    if last > ended:
        return last - ended
    return min(0.0, first + 1 - began)  # its seconds are whole ones
