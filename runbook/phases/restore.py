"""Restore: a backup loaded into a new database on the same server, and compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook import dumphost, jobs
from runbook.backups import Backup, Manifest
from runbook.dumphost import Facts
from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.options import Options
from runbook.phases.backup import EXAMINE, described
from runbook.phases.preflight.units import age
from runbook.site import Site
from runbook.sqltext import quote_name
from runbook.steps import Finding, Job, Level, Plan

PHASE = "restore"
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
SYSTEM = {"mysql", "sys", "information_schema", "performance_schema"}
EXISTS = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE LOWER(SCHEMA_NAME) = LOWER(%s)"


@dataclass(frozen=True)
class Found:
    """What a look found: the backup host with the restore's own job; whether `into` `exists`."""

    host: Facts
    into: str
    exists: bool


def prepare(site: Site, options: Options) -> Plan:
    """Look, and return the plan of a restore.

    Raises:
        UsageError: the new name or the backup's name is none.
    """
    environment = site.environment
    _check_name(environment, options.into)
    found = look(site, options.into)
    dump = choose(environment, found.host, options.backup)
    steps = (_load(environment, found, dump, dump.manifest),) if dump.manifest else ()
    return Plan(
        environment.name, PHASE, "", steps, findings(environment, found, dump), _notes(dump)
    )


def look(site: Site, into: str) -> Found:
    """Look at the backup host and for a database called `into`; read-only."""
    facts = dumphost.look(site, _job_folder(site.environment, into))
    return Found(facts, into, bool(site.reader.value(EXISTS, (into,))))


def choose(environment: Environment, facts: Facts, wanted: str) -> Backup:
    """Return the dump called `wanted`, or the newest backup for `latest`.

    Raises:
        UsageError: there is none.
    """
    candidates = facts.verified if wanted == "latest" else facts.dumps
    for dump in candidates:
        if wanted in ("latest", dump.name):
            return dump
    there = ", ".join(dump.name for dump in facts.verified) or "none"
    raise UsageError(
        f"{environment.backup.host} has no backup called {wanted}",
        advice=f"Verified ones in {environment.backup.folder}: {there}.",
    )


def findings(environment: Environment, found: Found, dump: Backup) -> tuple[Finding, ...]:
    """Return what forbids the restore, or what to know of it."""
    server, host, job = environment.database.label, environment.backup.host, found.host.job
    drop = f"DROP DATABASE {quote_name(found.into)};"
    rows = []
    if dump.defect:
        again = f"invoke backup --env={environment.name} makes a new one."
        rows.append(Finding("backup", host, Level.REFUSED, f"{dump.name}: {dump.defect}", again))
    else:
        rows.append(Finding("backup", host, Level.OK, described(found.host, dump)))
    if found.exists and not job.running and not _loaded(found, dump):
        detail = f"the database {found.into} is there already; a restore only makes new ones"
        if job.state in ("ended", "died") and job.name:
            detail += f" (a restore of {job.name} into it began {age(job.seconds)} ago and failed)"
        advice = f"Choose another name. If it may go: {drop}"
        rows.append(Finding("database", server, Level.REFUSED, detail, advice))
    if job.running and job.name not in ("", dump.name):
        detail = f"a restore of {job.name} into {found.into} is running"
        rows.append(Finding("database", server, Level.REFUSED, detail, "Wait until it has ended."))
    if dump.manifest and dump.manifest.bound:
        detail = (
            f"{', '.join(map(_said, dump.manifest.bound))}: created under the name of its "
            f"database, so that loading it would touch {dump.manifest.database} itself"
        )
        advice = "Create it again without the database's name, then take a new backup."
        rows.append(Finding("backup", host, Level.REFUSED, detail, advice))
    if dump.manifest and dump.manifest.mentions:
        detail = (
            f"{', '.join(map(_said, dump.manifest.mentions))}: its text names "
            f"{dump.manifest.database}; in {found.into} it still uses that one"
        )
        rows.append(
            Finding("backup", host, Level.WARNING, detail, "Mind it when you use the copy.")
        )
    return tuple(rows)


def _load(environment: Environment, found: Found, dump: Backup, manifest: Manifest) -> Job:
    folder = environment.backup.folder
    job = _job_folder(environment, found.into)
    into = quote_name(found.into)
    values = {
        **dumphost.names(environment),
        **dumphost.account(environment, found.host, job),
        "file": dump.name,
        "ending": dump.name.rpartition(".")[2],
        "into": found.into,
        "create": f"CREATE DATABASE {into} CHARACTER SET {manifest.character_set} "
        f"COLLATE {manifest.collation}",
        "drop": f"DROP DATABASE {into};",
    }
    done = _loaded(found, dump)
    return Job(
        phase=PHASE,
        title=f"load {dump.name} into the new database {found.into} and compare",
        where=environment.backup.host,
        text=jobs.start(folder, job, jobs.text(values, "job", *EXAMINE, "check", "load")),
        watch=jobs.watch(job),
        found=_state(found, done=done),
        done=done,
        credentials=True,
        timeout=environment.timeouts.job,
    )


def _loaded(found: Found, dump: Backup) -> bool:
    """Whether the last job has already done what is asked, as its folder says."""
    job = found.host.job
    return found.exists and job.succeeded and job.name == dump.name


def _state(found: Found, *, done: bool) -> str:
    job = found.host.job
    if done:
        return f"loaded {age(job.ended)} ago; {job.log[-1] if job.log else ''}"
    if job.running:
        return f"one is running for {age(job.seconds)}, {job.stage}: attaches to it"
    return f"no database {found.into}"


def _notes(dump: Backup) -> tuple[str, ...]:
    events = (
        [name for name in dump.manifest.objects if name.startswith("event:")]
        if dump.manifest
        else []
    )
    return (f"{len(events)} events come along; they are disabled in the copy",) if events else ()


def _said(named: str) -> str:
    return named.replace(":", " ", 1)


def _job_folder(environment: Environment, into: str) -> str:
    return f"{environment.backup.folder}/.restore-{into}"


def _check_name(environment: Environment, into: str) -> None:
    if not into:
        raise UsageError(
            "restore needs the name of a new database",
            advice=f"invoke restore --env={environment.name} --into=NAME",
        )
    if not NAME.fullmatch(into) or into.isdecimal() or into.lower() in SYSTEM:
        raise UsageError(
            f"--into={into}: not a name for a new database",
            advice="Letters, digits and underscores, at most 64, and none of the server's own.",
        )
    if into.lower() == environment.database.name.lower():
        raise UsageError(
            f"--into={into}: that is the database of {environment.name} itself",
            advice="A restore only makes new databases: choose another name.",
        )
