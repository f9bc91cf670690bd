"""Restore: a backup loaded into a new database on the same server, and compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database.sessions import Session, as_text
from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.hosts import jobs
from runbook.hosts.backups import Backup, Manifest
from runbook.options import Options
from runbook.phases import dumphost
from runbook.phases.backup import EXAMINE, described
from runbook.phases.dumphost import Facts
from runbook.phases.preflight import grants, server
from runbook.phases.preflight.needs import RESTORE, Account
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Job
from runbook.site import Site
from runbook.sql.text import quote_name
from runbook.units import age, size

PHASE = "restore"
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
SYSTEM = {"mysql", "sys", "information_schema", "performance_schema"}
EXISTS = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE LOWER(SCHEMA_NAME) = LOWER(%s)"
OF_KINDS = {"CREATE VIEW": "view", "TRIGGER": "trigger", "EVENT": "event"}
"""Privileges that a restore needs only for some kinds of objects."""
OTHERS_DEFINER = {"MariaDB": ("SET USER",), "MySQL": ("SET_ANY_DEFINER", "SET_USER_ID")}
"""What lets an account create objects in another one's name; SUPER does too. MySQL calls
it SET_USER_ID before 8.2."""


@dataclass(frozen=True)
class Found:
    """What a look found: the backup host with the restore's own job; whether `into` `exists`."""

    host: Facts
    account: Account
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
    host = dumphost.look(site, _job_folder(site.environment, into))
    return Found(host, _account(site.reader), into, bool(site.reader.value(EXISTS, (into,))))


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
    if dump.manifest is None or dump.defect:
        advice = f"invoke backup --env={environment.name} --fresh makes a new one."
        detail = f"{dump.name}: {dump.defect}"
        return (Finding("backup", environment.backup.host, Level.REFUSED, detail, advice),)
    return (
        Finding("backup", environment.backup.host, Level.OK, described(found.host, dump)),
        *_of_target(environment, found, dump),
        *_of_contents(environment, found, dump.manifest),
        *_of_rights(environment, found, dump.manifest),
    )


def _of_target(environment: Environment, found: Found, dump: Backup) -> Iterator[Finding]:
    where, job = environment.database.label, found.host.job
    if job.running:
        if job.name not in ("", dump.name):
            detail = f"a restore of {job.name} into {found.into} is running"
            yield Finding("database", where, Level.REFUSED, detail, "Wait until it has ended.")
    elif found.exists and not _loaded(found, dump):
        detail = f"{found.into} is there already, and a restore only makes new databases"
        if job.name:
            ended = "was loaded into it" if job.succeeded else "was not loaded into it wholly"
            detail += f" ({job.name} {ended} {age(job.seconds)} ago)"
        advice = f"Choose another name. If it may go: {_drop(found.into)}"
        yield Finding("database", where, Level.REFUSED, detail, advice)


def _of_contents(environment: Environment, found: Found, manifest: Manifest) -> Iterator[Finding]:
    where, database = environment.backup.host, manifest.database
    if manifest.bound:
        detail = (
            f"{_listed(manifest.bound)}: created under the database's name, so that loading the "
            f"dump would touch {database} itself"
        )
        advice = f"Create it anew without the name {database}, and take a new backup."
        yield Finding("contents", where, Level.REFUSED, detail, advice)
    if manifest.mentions:
        detail = (
            f"{_listed(manifest.mentions)}: the text names {database}, and in {found.into} "
            "still means that one"
        )
        yield Finding("contents", where, Level.WARNING, detail, "Mind it when you use the copy.")


def _of_rights(environment: Environment, found: Found, manifest: Manifest) -> Iterator[Finding]:
    """Say before a long load what would stop it half-way."""
    where, account = environment.database.label, found.account
    flavour = account.facts.server.flavour
    kinds = {name.partition(":")[0] for name in manifest.objects}
    wanted = tuple(p for p in RESTORE if OF_KINDS.get(p) is None or OF_KINDS[p] in kinds)
    if missing := account.grants.missing(wanted, found.into):
        detail = f"missing on {found.into}: {', '.join(missing)}"
        advice = account.grant(missing, f"{quote_name(found.into)}.*")
        yield Finding("grants", where, Level.REFUSED, detail, advice)
    others = tuple(name for name in manifest.definers if name != account.facts.account)
    may = any(account.grants.holds(name) for name in ("SUPER", *OTHERS_DEFINER[flavour]))
    if others and not may:
        detail = (
            f"the dump creates objects in the name of {', '.join(others)}, and "
            f"{account.facts.account} may do that only in its own (error 1227)"
        )
        newer = flavour == "MariaDB" or account.facts.server.version >= (8, 2)
        advice = account.grant(OTHERS_DEFINER[flavour][:1] if newer else ("SET_USER_ID",), "*.*")
        yield Finding("grants", where, Level.REFUSED, detail, advice)
    facts = account.facts
    if (
        facts.binary_log
        and not facts.trusts_creators
        and not account.grants.holds("SUPER")
        and kinds & {"trigger", "function"}
    ):
        detail = "the server refuses its triggers and functions of this account (error 1419)"
        advice = "As its administrator: SET GLOBAL log_bin_trust_function_creators = 1;"
        yield Finding("grants", where, Level.REFUSED, detail, advice)


def _load(environment: Environment, found: Found, dump: Backup, manifest: Manifest) -> Job:
    folder = environment.backup.folder
    job = _job_folder(environment, found.into)
    values: dict[str, jobs.Words] = {
        **dumphost.names(environment),
        **dumphost.account(environment, found.host, job),
        "file": dump.name,
        "into": found.into,
        "create": f"CREATE DATABASE {quote_name(found.into)}"
        f" CHARACTER SET {manifest.character_set} COLLATE {manifest.collation}",
        "drop": _drop(found.into),
    }
    done = _loaded(found, dump)
    return Job(
        phase=PHASE,
        title=f"load {dump.name} into the new database {found.into} and compare",
        where=environment.backup.host,
        text=jobs.start(folder, job, jobs.text(values, "job", *EXAMINE, "check", "load")),
        watch=jobs.watch(job),
        found=_state(found, done=done),
        cost="" if done else f"{size(manifest.sql_bytes)} of SQL to load",
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
        return f"loaded {age(job.ended)} ago: {' '.join(job.log[-1:])}"
    if job.running:
        return f"one is running for {age(job.seconds)}, {job.stage}: attaches to it"
    return f"no database {found.into}"


def _notes(dump: Backup) -> tuple[str, ...]:
    objects = dump.manifest.objects if dump.manifest else ()
    events = sum(name.startswith("event:") for name in objects)
    what = "1 event comes" if events == 1 else f"{events} events come"
    return (f"{what} along, disabled in the copy",) if events else ()


def _account(session: Session) -> Account:
    facts = server.look(session)
    lines = [as_text(row[0]) for row in session.rows("SHOW GRANTS")]
    merged = facts.roles and not facts.server.is_mariadb
    return Account(facts, grants.parse(lines, wildcards=not facts.partial_revokes, merged=merged))


def _listed(objects: tuple[str, ...]) -> str:
    return ", ".join(name.replace(":", " ", 1) for name in objects)


def _drop(name: str) -> str:
    return f"DROP DATABASE {quote_name(name)};"


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
