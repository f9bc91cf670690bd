"""Preflight: what must be so before anything is changed; it only reads.

All hosts and the database are looked at together, and each family of checks
has a module that looks and a pure function that turns facts into findings.
What cannot be reached is a finding too, beside all the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.errors import RunbookError
from runbook.options import Options
from runbook.phases.preflight import (
    activity,
    disk,
    hosts,
    needs,
    programs,
    replicas,
    runs,
    server,
    snapshot,
    tables,
)
from runbook.phases.preflight.activity import Activity
from runbook.phases.preflight.hosts import HostFacts
from runbook.phases.preflight.needs import Account
from runbook.phases.preflight.replicas import Replication
from runbook.phases.preflight.runs import Runs
from runbook.phases.preflight.seen import Unseen
from runbook.phases.preflight.tables import Tables
from runbook.plan.plan import Finding, Level, Plan
from runbook.site import Site

PHASE = "preflight"


@dataclass(frozen=True)
class DatabaseFacts:
    """What the database told in one read-only session."""

    account: Account
    activity: Activity
    runs: Runs
    replication: Replication
    tables: Tables | Unseen
    wanted: tuple[str, ...]
    """The statements that the change still asks for here."""


@dataclass(frozen=True)
class Facts:
    """All that a look found; what could not be reached is its error.

    `references` says whether the change's files make foreign keys.
    """

    change: str
    references: bool
    hosts: dict[str, HostFacts | RunbookError]
    database: DatabaseFacts | RunbookError
    replicas: dict[str, Replication | RunbookError]


def prepare(site: Site, _options: Options) -> Plan:
    """Look, and return a plan of no steps whose findings are what was asked for."""
    found = findings(site.environment, look(site))
    return Plan(site.environment.name, PHASE, site.change.name, (), found)


def look(site: Site, *, ours: int | None = None, guards: bool = True) -> Facts:
    """Look at all hosts, the database and its replicas at once; read-only.

    `ours` is the connection of the run's own writing session, whose lock and
    transactions are nobody else's. Without `guards` the migration's files are
    not evaluated: who has done so hands the outcome to `findings`.
    """
    environment, change = site.environment, site.change
    with ThreadPoolExecutor(max_workers=1) as pool:
        servers = pool.submit(_servers, site, ours, guards)
        reached = site.hosts.each(
            [host.name for host in environment.hosts],
            lambda name: hosts.look(site.hosts, environment, name),
        )
        database, followers = servers.result()
    statements = (s.text.upper() for file in change.migrate for s in file.statements)
    references = any("REFERENCES" in statement for statement in statements)
    return Facts(change.name, references, reached, database, followers)


def findings(
    environment: Environment, facts: Facts, wanted: tuple[str, ...] | None = None
) -> tuple[Finding, ...]:
    """Return what was found, a row a check: hosts, backup, database, replicas.

    `wanted` are the statements that the change still asks for, where the look
    was made without its guards.
    """
    return (
        *hosts.findings(environment, facts.hosts),
        *_of_backup(environment, facts),
        *_of_database(environment, facts, wanted),
        *replicas.of_replicas(environment, facts.replicas),
    )


def _servers(
    site: Site, ours: int | None, guards: bool
) -> tuple[DatabaseFacts | RunbookError, dict[str, Replication | RunbookError]]:
    """Look at the database, then at its replicas: the password is asked for once."""
    try:
        database: DatabaseFacts | RunbookError = _database(site, ours, guards)
    except RunbookError as error:
        database = error
    names = [replica.name for replica in site.environment.database.replicas]
    return database, site.hosts.each(
        names, lambda name: replicas.look_at_replica(site.database, name)
    )


def _database(site: Site, ours: int | None, guards: bool) -> DatabaseFacts:
    environment = site.environment
    with site.database.reader() as session:
        return DatabaseFacts(
            needs.look(session),
            activity.look(session, environment.policy.max_transaction_age, ours),
            runs.look(session, environment, ours),
            replicas.look(session),
            tables.look(session),
            tables.wanted(session, site.change) if guards else (),
        )


def _of_backup(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    host = facts.hosts[environment.backup.host]
    if isinstance(host, RunbookError) or host.disk is None:
        return ()
    data, answers = None, None
    if not isinstance(facts.database, RunbookError):
        answers = facts.database.account.facts.server
        if isinstance(facts.database.tables, Tables):
            data = facts.database.tables.data
    return (
        *programs.findings(host.name, host.programs, answers),
        *(() if host.reaches is None else (programs.reach(environment, host.reaches),)),
        disk.finding(environment, host.disk, data),
        *snapshot.findings(environment, host.snapshot),
    )


def _of_database(
    environment: Environment, facts: Facts, wanted: tuple[str, ...] | None
) -> tuple[Finding, ...]:
    target, found = environment.database, facts.database
    where = target.label
    if isinstance(found, RunbookError):
        detail, advice = found.message, found.advice
        if isinstance(facts.hosts.get(target.via), RunbookError):
            detail = f"it is reached through {target.via}, which could not be looked at"
            advice = f"Mend {target.via} first."
        return (Finding("database", where, Level.REFUSED, detail, advice),)
    account, seen = found.account, found.tables
    work = tables.work_of(found.wanted if wanted is None else wanted)
    ours = environment.runner is None
    limit = environment.policy.max_transaction_age
    return (
        Finding("database", where, Level.OK, f"reached through {target.via}"),
        *server.findings(where, account.facts),
        *needs.findings(
            where,
            account,
            tuple(item.table for item in work),
            views=isinstance(seen, Unseen) or seen.views > 0,
            references=facts.references,
        ),
        *runs.findings(environment, facts.change, found.runs),
        *activity.findings(where, account, limit, found.activity),
        replicas.of_this_server(where, account, found.replication),
        *replicas.unwatched(where, environment, found.activity.replicas),
        *tables.findings(where, not account.facts.server.is_mariadb, seen, work, ours=ours),
    )
