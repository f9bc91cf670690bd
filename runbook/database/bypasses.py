"""What gets past a table's triggers: rights that need no DELETE, and cascades of foreign keys.

TRUNCATE, DROP and ALTER fire no triggers, who may drop a trigger is not bound
by it, and a cascade deletes or changes rows inside InnoDB, which fires none
either (measured on MariaDB 10.11 and MySQL 9.7).
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.sessions import Session, as_text

RIGHTS = {
    "DROP": "TRUNCATE and DROP TABLE",
    "ALTER": "ALTER TABLE",
    "TRIGGER": "DROP TRIGGER",
}
"""What each right gets past the triggers with."""
ADMINISTRATOR = "CREATE USER"
"""Who holds it everywhere can give itself every right, so taking one away is no help."""

# Only the account's own rows, unless it may read the server's own tables.
HELD = """\
SELECT GRANTEE, '*.*', PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
UNION ALL SELECT GRANTEE, CONCAT('`', TABLE_SCHEMA, '`.*'), PRIVILEGE_TYPE
 FROM information_schema.SCHEMA_PRIVILEGES WHERE DATABASE() LIKE TABLE_SCHEMA
UNION ALL SELECT GRANTEE, CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`'), PRIVILEGE_TYPE
 FROM information_schema.TABLE_PRIVILEGES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"""

CASCADES = """\
SELECT CONSTRAINT_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE
 FROM information_schema.REFERENTIAL_CONSTRAINTS
 WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = %s
 AND NOT (DELETE_RULE IN ('RESTRICT', 'NO ACTION') AND UPDATE_RULE IN ('RESTRICT', 'NO ACTION'))
 ORDER BY CONSTRAINT_NAME"""


@dataclass(frozen=True)
class Held:
    """Rights on a table that an account holds: as GRANT spells account and place."""

    account: str
    place: str
    rights: tuple[str, ...]


@dataclass(frozen=True)
class Cascade:
    """A foreign key of a table by which another one's rows delete or change its own."""

    name: str
    parent: str
    on_delete: str
    on_update: str


@dataclass(frozen=True)
class Bypasses:
    """What gets past the triggers of `table`.

    `seen` is False where this account is shown no rights but its own.
    """

    table: str
    held: tuple[Held, ...]
    seen: bool
    cascades: tuple[Cascade, ...]


def look(session: Session, table: str) -> Bypasses:
    """See who may get past the triggers of `table`, which need not be there; read-only."""
    ours = as_text(session.value("SELECT CURRENT_USER()"))
    rows = [tuple(map(as_text, row)) for row in session.rows(HELD, (table,))]
    accounts = {account for account, _, _ in rows} - {quoted_account(ours)}
    all_powerful = {account for account, place, right in rows if (place, right) == EVERYWHERE}
    found = []
    for account, place in dict.fromkeys((account, place) for account, place, _ in rows):
        if account not in accounts or account in all_powerful:
            continue
        rights = {right for a, p, right in rows if (a, p) == (account, place)}
        held = tuple(right for right in RIGHTS if right in rights)
        if held:
            found.append(Held(account, place, held))
    keys = tuple(Cascade(*map(as_text, row)) for row in session.rows(CASCADES, (table,)))
    return Bypasses(table, tuple(found), bool(accounts), keys)


EVERYWHERE = ("*.*", ADMINISTRATOR)


def quoted_account(account: str) -> str:
    """Return `user@host` as information_schema spells a grantee: 'user'@'host'."""
    user, _, host = account.rpartition("@")
    return f"'{user}'@'{host}'"
