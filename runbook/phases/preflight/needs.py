"""Whether the account's grants suffice for each phase, and what happens where they do not.

What a dump does without a privilege was measured with mariadb-dump 10.11 and
mysqldump 9.7: without TRIGGER it leaves every trigger out and exits 0 (where
the account may write, MariaDB lists the triggers and the dump stops), and so it
does with other accounts' routines; without SHOW VIEW or EVENT it stops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.database.ledger import TABLE as LEDGER
from runbook.database.sessions import Session, as_text
from runbook.phases.preflight import server
from runbook.phases.preflight.grants import Grants
from runbook.phases.preflight.grants import parse as parse_grants
from runbook.phases.preflight.seen import Unseen, rows
from runbook.phases.preflight.server import ServerFacts
from runbook.plan.plan import Finding, Level
from runbook.sql.text import quote_name
from runbook.units import listed

DUMP = {
    "SELECT": "the dump stops at the first table",
    "SHOW VIEW": "the dump stops at the first view",
    "TRIGGER": "the dump leaves every trigger out without a word, or stops at the first",
    "EVENT": "the dump stops at the events",
}
MIGRATE = ("SELECT", "INSERT", "UPDATE", "CREATE", "ALTER", "INDEX")
ROLLBACK = ("SELECT", "ALTER", "DROP", "TRIGGER", "LOCK TABLES")
RESTORE = (
    "SELECT", "INSERT", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "TRIGGER", "EVENT",
    "LOCK TABLES", "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE",
)  # fmt: skip


@dataclass(frozen=True)
class Account:
    """Who we are on which server, with what is granted there."""

    facts: ServerFacts
    grants: Grants

    @property
    def database(self) -> str:
        """The database to migrate."""
        return self.facts.database

    def grant(self, privileges: tuple[str, ...], on: str | None = None) -> str:
        """Return the GRANT statement that mends what is missing."""
        user, _, host = self.facts.account.rpartition("@")
        target = on or f"{quote_name(self._escaped(self.database))}.*"
        return f"GRANT {', '.join(privileges)} ON {target} TO {_quoted(user)}@{_quoted(host)};"

    def grant_on_copies(self, privileges: tuple[str, ...], name: str) -> str:
        """Return the GRANT statement for databases whose names begin with `name`."""
        return self.grant(privileges, f"{quote_name(self._escaped(name) + '%')}.*")

    def _escaped(self, name: str) -> str:
        """Write a database's name as GRANT has it, where `_` and `%` are wildcards."""
        if not self.grants.wildcards:
            return name
        return name.replace("_", "\\_").replace("%", "\\%")


def look(session: Session) -> Account:
    """Ask the server who we are there and what we may do."""
    facts = server.look(session)
    lines = rows(session, "SHOW GRANTS")
    grants = parse_grants(
        () if isinstance(lines, Unseen) else [as_text(row[0]) for row in lines],
        wildcards=not facts.partial_revokes,
        merged=facts.roles and not facts.server.is_mariadb,
    )
    return Account(facts, grants)


def findings(
    where: str, account: Account, tables: tuple[str, ...], *, views: bool, references: bool
) -> Iterator[Finding]:
    """Say, a row a phase, whether the account may do what the phase needs.

    `tables` are those that the change is about; `views` and `references` say
    whether the database has views, and the change foreign keys.
    """
    yield _backup(where, account, views)
    yield _migrate(where, account, tables, references)
    yield _simple(
        where, account, "export", ("SELECT",), "the rows that a rollback destroys cannot be saved"
    )
    yield _simple(where, account, "rollback", ROLLBACK, "a rollback would stop half-way")
    yield triggers(where, account, ())
    yield _restore(where, account)


def _backup(where: str, account: Account, views: bool) -> Finding:
    wanted = tuple(name for name in DUMP if views or name != "SHOW VIEW")
    missing = account.grants.missing(wanted, account.database)
    reasons = [f"without {name} {DUMP[name]}" for name in missing]
    advice = [account.grant(missing)] if missing else []
    if not sees_routines(account):
        reasons.append(
            "others' procedures and functions cannot be read: the dump leaves them out "
            "without a word, or stops at the first"
        )
        advice.append(_routine_grant(account))
    if reasons:
        return Finding("grants: backup", where, Level.REFUSED, "; ".join(reasons), " ".join(advice))
    return Finding("grants: backup", where, Level.OK, f"{listed(wanted)}, and every routine")


def sees_routines(account: Account) -> bool:
    """Whether the account sees the text of every procedure and function."""
    if account.grants.holds("SELECT"):
        return True
    if account.facts.server.is_mariadb:
        # SHOW CREATE ROUTINE exists since MariaDB 11.3.
        return account.grants.holds("SELECT", "mysql", "proc") or account.grants.holds(
            "SHOW CREATE ROUTINE", account.database
        )
    return account.grants.holds("SHOW_ROUTINE")


def _routine_grant(account: Account) -> str:
    if account.facts.server.is_mariadb:
        return account.grant(("SELECT",), "mysql.proc")
    return account.grant(("SHOW_ROUTINE",), "*.*")


def _migrate(where: str, account: Account, tables: tuple[str, ...], references: bool) -> Finding:
    wanted = (*MIGRATE, "REFERENCES") if references else MIGRATE
    missing = account.grants.missing(wanted, account.database)
    if missing and tables:
        # Grants on each of the tables would do as well.
        missing = tuple(
            name
            for name in wanted
            if any(
                not account.grants.holds(name, account.database, table)
                for table in (*tables, LEDGER)
            )
        )
    if missing:
        return Finding(
            "grants: migrate",
            where,
            Level.REFUSED,
            f"missing on {account.database}: {', '.join(missing)}",
            account.grant(missing),
        )
    return Finding("grants: migrate", where, Level.OK, ", ".join(wanted))


def _simple(
    where: str, account: Account, phase: str, wanted: tuple[str, ...], otherwise: str
) -> Finding:
    missing = account.grants.missing(wanted, account.database)
    if missing:
        return Finding(
            f"grants: {phase}",
            where,
            Level.WARNING,
            f"missing on {account.database}: {', '.join(missing)}; {otherwise}",
            account.grant(missing),
        )
    return Finding(f"grants: {phase}", where, Level.OK, ", ".join(wanted))


def triggers(
    where: str, account: Account, tables: tuple[str, ...], level: Level = Level.WARNING
) -> Finding:
    """Say whether the account may make triggers on `tables`, or on all; if not, at `level`."""
    facts, what = account.facts, "grants: triggers"
    lacks = [
        on for on in tables or (None,) if not account.grants.holds("TRIGGER", facts.database, on)
    ]
    if lacks:
        return Finding(
            what,
            where,
            level,
            f"missing on {facts.database}: TRIGGER; no trigger can be made",
            account.grant(("TRIGGER",)),
        )
    if facts.binary_log and not facts.trusts_creators and not account.grants.holds("SUPER"):
        return Finding(
            what,
            where,
            level,
            "TRIGGER is there, but with binary logging on the server refuses triggers of an "
            "account without SUPER (error 1419)",
            "As the server's administrator: SET GLOBAL log_bin_trust_function_creators = 1;",
        )
    return Finding(what, where, Level.OK, "TRIGGER")


def _restore(where: str, account: Account) -> Finding:
    """Only told, never held against the run: a restore may use another account."""
    name = f"{account.database}_restore"
    missing = account.grants.missing(RESTORE, name)
    if missing:
        detail = (
            f"this account cannot load a backup into, say, {name}; that would take "
            f"{account.grant_on_copies(missing, name)}"
        )
        return Finding("grants: restore", where, Level.OK, detail)
    return Finding("grants: restore", where, Level.OK, f"it can load a backup into {name}")


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "''") + "'"
