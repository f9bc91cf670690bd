"""Deploy: a release onto every host of the application, a batch at a time, the first one alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.application import Deploy
from runbook.database import lock
from runbook.environment import Environment
from runbook.errors import RunbookError, UsageError
from runbook.hosts import releases
from runbook.hosts.releases import NAME, Release
from runbook.options import Options
from runbook.phases import runner, turns
from runbook.phases.turns import FETCH, Turn
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Step
from runbook.site import Site

PHASE = turns.PHASE
PARTS = (Turn.switched, Turn.settled, Turn.put_back, Turn.settled_back)
EXAMPLE = """\
Name how a release gets there, such as
deploy:
  roles: [app]
  folder: /srv/shop
  fetch: git -C {folder} fetch origin {release}
  fetched: git -C {folder} rev-parse {release}
  activate: git -C {folder} checkout --detach {release}
  restart: sudo -n systemctl restart shop
  current: curl -fsS http://127.0.0.1:5000/release"""


@dataclass(frozen=True)
class Facts:
    """What a look found: the release as it is pinned, every host, and who else works here.

    `runner` refuses where the application's own runner goes on.
    """

    asked: str
    release: str
    hosts: dict[str, Release | RunbookError]
    holder: str = ""
    runner: tuple[Finding, ...] = ()


def prepare(site: Site, options: Options) -> Plan:
    """Look, and return the plan that brings the release to every host that lacks it."""
    environment = site.environment
    facts = look(site, options.release)
    pinned = replace(options, release=facts.release)
    return Plan(
        environment.name,
        PHASE,
        "",
        steps(environment, facts),
        findings(environment, facts),
        notes(facts),
        command=f"invoke {PHASE} --env={environment.name}{pinned.flags}",
    )


def look(site: Site, release: str) -> Facts:
    """Pin the release and look at all its hosts at once; read-only.

    Raises:
        UsageError: the inventory does not say how to deploy, or `release` is no name.
        Refusal: there is no such release, or the host that is asked cannot be reached.
    """
    environment, deploy = site.environment, section(site.environment)
    if not NAME.fullmatch(release):
        raise UsageError(
            f"--release={release}: expected a branch, a tag, a commit or a digest, of letters, "
            "digits and . _ / : @ + -",
            advice=f"Such as: invoke {PHASE} --env={environment.name} --release=main",
        )
    names = targets(environment, deploy)
    pinned = releases.pinned(site.hosts, releases.texts(environment, deploy, names[0], release))
    found = site.hosts.each(
        names,
        lambda name: releases.look(site.hosts, releases.texts(environment, deploy, name, pinned)),
    )
    holder = lock.holder(site.reader, environment, site.ours)
    return Facts(release, pinned, found, holder, runner.going_on(site))


def section(environment: Environment) -> Deploy:
    """Return the inventory's section.

    Raises:
        UsageError: there is none, or nothing says when a host is well.
    """
    deploy = environment.deploy
    if deploy is None:
        raise UsageError(
            f"{environment.name} has no deploy in the inventory: {environment.source}",
            advice=EXAMPLE,
        )
    for name in targets(environment, deploy):
        if not releases.texts(environment, deploy, name, "").checks:
            raise UsageError(
                f"nothing says whether {name} is well after a deploy: {environment.source}",
                advice="Give deploy.health a command, or one of its roles a check in health.",
            )
    return deploy


def targets(environment: Environment, deploy: Deploy) -> tuple[str, ...]:
    """Return the hosts that are deployed to, in the inventory's order."""
    wanted = set(deploy.roles)
    return tuple(host.name for host in environment.hosts if wanted & set(host.roles))


def steps(environment: Environment, facts: Facts) -> tuple[Step, ...]:
    """Return the whole roll; none where a host could not be looked at.

    Everything is fetched everywhere before the first host is restarted.
    """
    deploy = section(environment)
    found = [host for host in facts.hosts.values() if isinstance(host, Release)]
    if len(found) < len(facts.hosts):
        return ()
    each = [Turn(environment, deploy, host, facts.release) for host in found]
    rolled: list[Step] = [step for turn in each for step in turn.brought()]
    batches = [each[:1]]
    batches += [each[n : n + deploy.batch] for n in range(1, len(each), deploy.batch)]
    for batch in batches:
        left = [turn for turn in batch if not turn.done]
        block = f"the turn of {', '.join(turn.host.name for turn in batch)}"
        for part in PARTS:
            rolled += [step for turn in left for step in part(turn, block)]
    blocks = tuple(dict.fromkeys((FETCH, *(step.block for step in rolled if step.block))))
    asked, name = turns.survey(each), releases.short(facts.release)
    return (
        *rolled,
        replace(asked, rescues=blocks),
        replace(asked, title=f"every host runs {name}", expected=facts.release),
    )


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Say of every host what runs there, whether it is well, and what is in a release's way."""
    deploy = section(environment)
    rows: list[Finding] = []
    if facts.holder:
        where = environment.database.label
        detail = f"{environment.name} is being worked on by {facts.holder}"
        advice = "Nothing is restarted meanwhile: wait until that run has ended."
        rows.append(Finding("lock", where, Level.REFUSED, detail, advice))
    if any(step.changes and not step.done for step in steps(environment, facts)):
        rows += facts.runner
    for name, host in facts.hosts.items():
        if isinstance(host, RunbookError):
            advice = f"{host.advice} Or take it out of the inventory until it is mended."
            rows.append(Finding("SSH", name, Level.REFUSED, host.message, advice.strip()))
        else:
            rows += _of_host(deploy, facts.release, host)
    return tuple(rows)


def notes(facts: Facts) -> tuple[str, ...]:
    """Return what to know first: what the release's name stands for now."""
    if facts.asked == facts.release:
        return ()
    return (f"{facts.asked} is {facts.release} now, and that is what this plan deploys",)


def _of_host(deploy: Deploy, release: str, host: Release) -> list[Finding]:
    name = host.name
    rows = []
    if host.missing:
        detail = f"not on PATH there: {', '.join(host.missing)}"
        rows.append(Finding("tools", name, Level.REFUSED, detail, "Install them there."))
    if host.closed:
        detail = f"{host.closed} is no folder that this account may write in"
        advice = f"As root there: install -d -o USER {deploy.folder}"
        rows.append(Finding("folder", name, Level.REFUSED, detail, advice))
    elif host.free is not None and host.free < deploy.space and not host.installed:
        detail = f"{host.free} MiB free at {deploy.folder}, less than {deploy.space}"
        advice = "Remove old releases there, or lower deploy.space."
        rows.append(Finding("disk", name, Level.REFUSED, detail, advice))
    if host.ill:
        detail, advice = f"not well: {host.ill}", "The deploy goes on: it may be what mends it."
        rows.append(Finding("health", name, Level.WARNING, detail, advice))
    rows.append(_runs(release, host))
    if host.turn:
        to, before = host.turn
        detail = f"a run was cut off while it replaced {before or 'nothing known'} by {to}"
        advice = "Its turn is taken again, with a restart."
        rows.append(Finding("turn", name, Level.WARNING, detail, advice))
    return rows


def _runs(release: str, host: Release) -> Finding:
    if host.runs == release and not host.turn:
        return Finding("release", host.name, Level.OK, f"runs {release} already")
    detail = f"runs {host.runs}" if host.runs else f"what runs cannot be told: {host.unknown}"
    if host.back:
        return Finding("release", host.name, Level.PENDING, detail)
    missing = "" if host.turn or not host.runs else ", of which deploy.fetched finds nothing there"
    advice = "Should its turn fail, there is nothing to put back."
    return Finding("release", host.name, Level.WARNING, detail + missing, advice)
