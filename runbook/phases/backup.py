"""Backup: a verified dump on the backup host, unless a fresh one is there; retention; snapshot."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

from runbook.environment import Environment
from runbook.hosts import backups, jobs
from runbook.hosts.backups import Backup
from runbook.hosts.shell import script
from runbook.options import Options
from runbook.phases import dumphost, preflight
from runbook.phases.dumphost import Facts
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Command, Fetch, Inspect, Job, Step
from runbook.site import Site
from runbook.units import age, size

PHASE = "backup"
NEEDED = {
    "dump program",
    "client program",
    "compressor",
    "tools",
    "backup folder",
    "grants: backup",
    "snapshot command",
}
"""The rows of preflight that a dump depends on."""
EXAMINE = ("plain", "manifest", "objects", "dump_objects", "examine")
"""The scripts that read a dump and compare it with a list of objects."""


class Counting(Enum):
    """How much of a fresh backup a plan counts on: what is there, or was before somebody took it.

    In this order: as things are, without its snapshot, without its dump.
    """

    ALL = "all"
    DUMP = "dump"
    NONE = "none"


def prepare(site: Site, options: Options) -> Plan:
    """Look, and return the plan of a backup."""
    environment = site.environment
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = pool.submit(preflight.look, site, guards=False)
        facts = look(site)
        found = preflight.findings(environment, ahead.result())
    planned, *instead = (
        steps(environment, facts, fetch=options.fetch, fresh=options.fresh, counting=counting)
        for counting in Counting
    )
    return Plan(
        environment.name,
        PHASE,
        "",
        planned,
        (*(row for row in found if row.what in NEEDED), *findings(environment, facts)),
        instead=tuple(instead),
    )


def look(site: Site) -> Facts:
    """Look at the backup host; read-only. Raises as `dumphost.look` does."""
    return dumphost.look(site, job_folder(site.environment))


def steps(
    environment: Environment,
    facts: Facts,
    *,
    fetch: bool = False,
    fresh: bool = False,
    newest: float = math.inf,
    counting: Counting = Counting.ALL,
) -> tuple[Step, ...]:
    """Return the steps of a backup; `fresh` asks for a new dump whatever is there.

    One that is there must be younger than the inventory's max_age and `newest`, in seconds.
    `counting` less than all, they are what they were before it was taken.

    A dump that is running already is the same step: its text finds it. A
    snapshot that failed, or that was not come to, is still to be taken.
    """
    limit = min(environment.backup.max_age, newest)
    ready = counting is not Counting.NONE and not fresh and not facts.job.running
    usable = facts.fresh(limit) if ready else None
    if usable:
        taken = counting is Counting.ALL and usable.name in facts.snapshots
        snapshot = () if taken else _snapshot(environment)
        made: tuple[Step, ...] = (verify(environment, facts, usable), *snapshot)
    else:
        attach = 0.0 if fresh or newest < environment.backup.max_age else limit
        made = (_dump(environment, facts, attach), _retention(environment), *_snapshot(environment))
    return (*made, _fetch(environment)) if fetch else made


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return how the backups stand: the newest, the defective, and the last job."""
    backup = environment.backup
    again = f"a migration takes one first; invoke backup --env={environment.name} takes one now."

    def say(level: Level, detail: str, advice: str = "") -> Finding:
        return Finding("backup", backup.host, level, detail, advice)

    rows = []
    if facts.verified:
        level = Level.OK if facts.fresh(backup.max_age) else Level.WARNING
        older = f"; {len(facts.verified) - 1} older" if facts.verified[1:] else ""
        limit = f"Older than {age(backup.max_age)}, the inventory's max_age: {again}"
        rows.append(say(level, described(facts, facts.verified[0]) + older, limit))
    else:
        rows.append(say(Level.WARNING, f"no verified one in {backup.folder}", again))
    if pending := _without_snapshot(environment, facts):
        detail = f"the snapshot that goes with {pending.name} is not taken"
        advice = f"migrate takes it first; invoke backup --env={environment.name} takes it now."
        rows.append(say(Level.WARNING, detail, advice))
    for dump in facts.dumps:
        if dump.defect:
            detail = f"{dump.name}: {dump.defect}"
            rows.append(say(Level.WARNING, detail, "It is neither used nor removed."))
    job = facts.job
    if job.running:
        done = f"{job.stage}, {size(job.done)} after {age(job.seconds)}"
        rows.append(say(Level.OK, f"a dump is running: {done}"))
    elif job.state == "died":
        stage = job.stage or "starting"
        rows.append(say(Level.WARNING, f"the last dump died while {stage}", again))
    elif job.state == "ended" and not job.succeeded:
        why = job.log[-1] if job.log else f"status {job.status}"
        rows.append(say(Level.WARNING, f"the last dump failed {age(job.ended)} ago: {why}", again))
    return tuple(rows)


def verify(environment: Environment, facts: Facts, dump: Backup) -> Inspect:
    """Return the step that proves, byte by byte, that the newest dump is as it was verified.

    Its text does not name `dump`: a newer one does as well, and changes no approved plan.
    """
    limit = environment.backup.max_age
    values: dict[str, jobs.Words] = {**dumphost.names(environment), "max_age": math.ceil(limit)}
    return Inspect(
        phase=PHASE,
        title=f"verify the newest dump, at most {age(limit)} old",
        where=environment.backup.host,
        text=script(jobs.text(values, *EXAMINE, "check", "verified", "verify")),
        found=described(facts, dump),
        timeout=environment.timeouts.job,
    )


def described(facts: Facts, dump: Backup) -> str:
    """Say of a backup its name, age and size."""
    bytes_ = dump.manifest.bytes if dump.manifest else 0
    return f"{dump.name}, {age(facts.age(dump))} old, {size(bytes_)}"


def job_folder(environment: Environment) -> str:
    """Return the folder of the dump's job on the backup host."""
    return f"{environment.backup.folder}/.dump-{backups.stem(environment.database.name)}"


def _dump(environment: Environment, facts: Facts, attach: float) -> Job:
    folder, job = environment.backup.folder, job_folder(environment)
    options = facts.clients.options(mariadb=facts.mariadb)
    values = {
        **dumphost.names(environment),
        **dumphost.account(environment, facts, job),
        "compressor": facts.clients.compressor,
        "ending": facts.clients.ending,
        "dump": facts.clients.dump,
        "dump_options": options,
        "options_json": json.dumps(options),
    }
    last = facts.verified[0].manifest if facts.verified else None
    return Job(
        phase=PHASE,
        title=f"dump {environment.database.name} into {folder} and verify it",
        where=environment.backup.host,
        text=jobs.start(folder, job, jobs.text(values, "job", *EXAMINE, "dump"), attach=attach),
        watch=jobs.watch(job),
        found=_found(facts),
        cost=f"last time {size(last.bytes)} in {age(last.seconds)}" if last else "",
        credentials=True,
        timeout=environment.timeouts.job,
        estimate=float(last.seconds) if last else None,
    )


def _found(facts: Facts) -> str:
    if facts.job.running:
        return f"one is running for {age(facts.job.seconds)}, {facts.job.stage}: attaches to it"
    if facts.verified:
        return f"the newest is {described(facts, facts.verified[0])}"
    return "no verified dump is there"


def _retention(environment: Environment) -> Command:
    keep = environment.backup.keep
    values: dict[str, jobs.Words] = {**dumphost.names(environment), "keep": keep}
    return Command(
        phase=PHASE,
        title=f"keep the {keep} newest verified dumps and remove older ones",
        where=environment.backup.host,
        text=script(jobs.text(values, "plain", "manifest", "verified", "prune")),
        timeout=environment.timeouts.job,
    )


def _without_snapshot(environment: Environment, facts: Facts) -> Backup | None:
    """Return the fresh backup whose snapshot was not taken, if there is one."""
    if not environment.backup.snapshot or facts.job.running:
        return None
    fresh = facts.fresh(environment.backup.max_age)
    return fresh if fresh and fresh.name not in facts.snapshots else None


def _snapshot(environment: Environment) -> tuple[Command, ...]:
    """Return the step that takes the snapshot; its text does not name the dump it goes with."""
    if not environment.backup.snapshot:
        return ()
    values: dict[str, jobs.Words] = {
        **dumphost.names(environment),
        "snapshot": environment.backup.snapshot,
    }
    snapshot = Command(
        phase=PHASE,
        title="take the snapshot that goes with the newest dump",
        where=environment.backup.host,
        text=script(jobs.text(values, "plain", "manifest", "verified", "snapshot")),
        origin=environment.at("backup.snapshot"),
        timeout=environment.timeouts.job,
    )
    return (snapshot,)


def _fetch(environment: Environment) -> Fetch:
    local = str(environment.state / environment.name / "backups")
    remote = f"{environment.backup.folder}/{backups.stem(environment.database.name)}"
    return Fetch(
        phase=PHASE,
        title=f"copy the newest verified dump to {local}",
        where=environment.backup.host,
        text=f"sftp: get {remote}-<newest>.sql.* with its manifest; compare the checksum",
        remote=remote,
        local=local,
        timeout=environment.timeouts.job,
    )
