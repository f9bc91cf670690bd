"""Replication: how far the replicas are behind, and whether this server is one itself."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.database.connect import Database
from runbook.database.replication import Channel, channels
from runbook.database.sessions import Session, SqlError
from runbook.environment import Environment
from runbook.errors import RunbookError
from runbook.phases.preflight.needs import Account
from runbook.phases.preflight.seen import Unseen
from runbook.plan.plan import Finding, Level
from runbook.units import age

Replication = tuple[Channel, ...] | Unseen
MONITOR = {True: "SLAVE MONITOR", False: "REPLICATION CLIENT"}
"""The privilege to see replication, on MariaDB and on MySQL."""


def look(session: Session) -> Replication:
    """Ask a server which sources it replicates from."""
    try:
        return channels(session)
    except SqlError as error:
        return Unseen(error.message)


def look_at_replica(database: Database, name: str) -> Replication:
    """Ask the replica called `name`.

    Raises:
        RunbookError: it cannot be reached.
    """
    with database.replica(name) as session:
        return look(session)


def of_this_server(where: str, account: Account, found: Replication) -> Finding:
    """Say whether the server that is written to is itself a replica."""
    if isinstance(found, Unseen):
        privilege = MONITOR[account.facts.server.is_mariadb]
        return Finding(
            "replication",
            where,
            Level.WARNING,
            f"whether this server is a replica cannot be seen: the account lacks {privilege}",
            account.grant((privilege,), "*.*"),
        )
    running = [c for c in found if c.receives or c.applies]
    if running:
        return Finding(
            "replication",
            where,
            Level.REFUSED,
            f"this server is a replica of {running[0].source}: what is written here is not there",
            "Name the source as the database in the inventory, and this one as its replica.",
        )
    if found:
        return Finding(
            "replication",
            where,
            Level.WARNING,
            f"replication from {found[0].source} is set up here, but stopped",
            "If this server was promoted: RESET REPLICA ALL;",
        )
    return Finding("replication", where, Level.OK, "this server is no replica")


def of_replicas(
    environment: Environment, found: dict[str, Replication | RunbookError]
) -> Iterator[Finding]:
    """Say of every replica of the inventory how far it is behind."""
    limit = environment.policy.max_replica_lag
    for name, replication in found.items():
        level, detail, advice = _replica(name, replication, limit)
        yield Finding("replica", name, level, detail, advice)


def unwatched(
    where: str, environment: Environment, connected: tuple[str, ...]
) -> Iterator[Finding]:
    """Say where more replicas are connected than the inventory names."""
    missing = len(connected) - len(environment.database.replicas)
    if missing > 0:
        yield Finding(
            "replication",
            where,
            Level.WARNING,
            f"replicas: {len(connected)} connected ({', '.join(sorted(set(connected)))}), "
            f"the inventory names {len(environment.database.replicas)}",
            "Add them under database.replicas: the backfill then waits for them.",
        )


def _replica(name: str, found: Replication | RunbookError, limit: float) -> tuple[Level, str, str]:
    if isinstance(found, RunbookError):
        return Level.REFUSED, found.message, found.advice
    if isinstance(found, Unseen):
        return (
            Level.REFUSED,
            f"its lag cannot be seen: {found.why}",
            f"Grant the account {MONITOR[False]} (MySQL) or {MONITOR[True]} (MariaDB) there.",
        )
    if not found:
        return Level.REFUSED, "it is no replica of anything", "Take it out of the inventory."
    for channel in found:
        if channel.stopped:
            return (
                Level.REFUSED,
                f"replication from {channel.source} is broken: {channel.stopped}",
                f"Mend it on {name} first: the backfill waits for every replica.",
            )
    lags = [channel.lag for channel in found if channel.lag is not None]
    if len(lags) < len(found):
        return Level.WARNING, "its lag is not known yet", "Look again in a moment."
    if max(lags) > limit:
        return (
            Level.WARNING,
            f"{age(max(lags))} behind; the policy wants at most {age(limit)}",
            "The backfill waits until it has caught up; starting later is quicker.",
        )
    return Level.OK, f"{age(max(lags))} behind", ""
