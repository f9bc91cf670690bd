"""The database server: what answers, whether it is supported, and whether it takes writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database.sessions import Server, Session, as_text
from runbook.plan.plan import Finding, Level

OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0, 29)}
WHY = {
    "MariaDB": "older ones have no crash-safe DDL: after a crash a half-made ALTER stays behind",
    "MySQL": "older ones know no CREATE TRIGGER IF NOT EXISTS, and INSTANT only for last columns",
}
CLOSED = (
    *("read_only", "super_read_only", "innodb_read_only", "offline_mode"),
    *("transaction_read_only", "tx_read_only"),  # MariaDB's name before 11.1
)
VARIABLES = (
    *(*CLOSED, "log_bin", "log_bin_trust_function_creators"),
    *("partial_revokes", "wsrep_on"),
)
QUERY = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({', '.join(map(repr, VARIABLES))})"


@dataclass(frozen=True)
class ServerFacts:
    """What the server says of itself; `closed` are the settings that forbid writes."""

    server: Server
    account: str
    database: str
    closed: tuple[str, ...] = ()
    binary_log: bool = False
    trusts_creators: bool = False
    partial_revokes: bool = False
    roles: bool = False
    galera: bool = False


def look(session: Session) -> ServerFacts:
    """Ask the server about itself and about who we are there."""
    account, database, role = session.rows("SELECT CURRENT_USER(), DATABASE(), CURRENT_ROLE()")[0]
    values = {as_text(name).lower(): as_text(value) for name, value in session.rows(QUERY)}

    def on(name: str) -> bool:
        return values.get(name, "OFF").upper() not in {"OFF", "0", ""}

    return ServerFacts(
        session.server,
        as_text(account),
        as_text(database),
        tuple(name for name in CLOSED if on(name)),
        on("log_bin"),
        on("log_bin_trust_function_creators"),
        on("partial_revokes"),
        as_text(role).upper() not in {"", "NONE"},
        on("wsrep_on"),
    )


def findings(where: str, facts: ServerFacts) -> Iterator[Finding]:
    """Say whether this server is supported and takes writes."""
    yield _version(where, facts)
    if facts.closed:
        yield Finding(
            "writable",
            where,
            Level.REFUSED,
            f"{' and '.join(facts.closed)} is on: the server takes no writes",
            "Is this a replica, or in maintenance? The inventory must name the server that is "
            "written to.",
        )
    else:
        yield Finding("writable", where, Level.OK, "it takes writes")
    if facts.galera:
        yield Finding(
            "cluster",
            where,
            Level.WARNING,
            "this is a node of a Galera cluster (wsrep_on): the lock of a run and LOCK TABLES hold "
            "on this node alone, and an ALTER stops writes on every node and ends the transactions "
            "in its way",
            "Let all runs and all of the application's writes go to this node until the change "
            "is done, and rehearse it on a cluster.",
        )


def supported(server: Server) -> bool:
    """Whether the server is new enough: MariaDB 10.6, MySQL 8.0.29."""
    return server.version >= OLDEST[server.flavour]


def _version(where: str, facts: ServerFacts) -> Finding:
    server = facts.server
    name = f"{server.flavour} {'.'.join(map(str, server.version))}"
    if supported(server):
        return Finding("server", where, Level.OK, f"{name}, as {facts.account}")
    oldest = ".".join(map(str, OLDEST[server.flavour]))
    return Finding(
        "server",
        where,
        Level.REFUSED,
        f"{name} is too old; {server.flavour} {oldest} is the oldest supported",
        f"Upgrade the server: {WHY[server.flavour]}.",
    )
