"""The inventory's health commands: whether application and workers are well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.application import Health as Command
from runbook.environment import Environment, Host
from runbook.hosts.shell import quote
from runbook.plan.plan import Finding, Level

TIMED_OUT = 124
"""The exit status by which timeout(1) says that it ended the command."""

FUNCTION = r"""
health() {
  status=0
  out=$(timeout -k 1 %d bash -eo pipefail -c "$2" </dev/null 2>&1) || status=$?
  last=$(printf '%%s\n' "$out" | tr '\t' ' ' | tr -d '\000-\011\013-\037' |
    grep '[^ ]' | tail -n 1) || last=
  printf 'health\t%%s\t%%s\t%%.300s\n' "$1" "$status" "$last"
}
"""


@dataclass(frozen=True)
class Health:
    """How one command ended: its exit status and its last line of output."""

    name: str
    status: int
    last: str


def commands(environment: Environment, host: Host) -> tuple[Command, ...]:
    """Return the commands that concern a host, by its roles."""
    return tuple(health for health in environment.health if health.role in host.roles)


def limit(environment: Environment) -> int:
    """Return the seconds that one command may take: well within those of the whole look."""
    return max(1, round(environment.timeouts.command / 2))


def script(environment: Environment, host: Host) -> str:
    """Return the bash that starts every command of the host at once."""
    wanted = commands(environment, host)
    calls = "\n".join(f"health {n} {quote(h.command)} &" for n, h in enumerate(wanted))
    return f"{(FUNCTION % limit(environment)).strip()}\n{calls}\n" if wanted else ""


def parse(fields: tuple[str, ...], wanted: tuple[Command, ...]) -> Health:
    """Read a line that the script printed."""
    number, status, last = fields
    return Health(wanted[int(number)].name, int(status), last.strip())


def findings(environment: Environment, host: str, found: tuple[Health, ...]) -> Iterator[Finding]:
    """Say of each command whether what it asks about is well."""
    texts = {health.name: health.command for health in environment.health}
    for health in found:
        if health.status == 0:
            yield Finding(f"health: {health.name}", host, Level.OK, health.last or "well")
            continue
        said = f": {health.last}" if health.last else ""
        ended = (
            f"no answer within {limit(environment)} s"
            if health.status == TIMED_OUT
            else f"exit status {health.status}"
        )
        yield Finding(
            f"health: {health.name}",
            host,
            Level.REFUSED,
            f"{ended}{said}",
            f"Make it well first, or look on {host} with: {texts[health.name]}",
        )
