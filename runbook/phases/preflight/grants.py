"""What an account may do: SHOW GRANTS of MySQL and MariaDB, read into effective privileges.

The rules were measured on MariaDB 10.11 and MySQL 9.7. The one that surprises:
of several database-level grants that match, the server takes one and ignores
the others, so a narrow grant hides a wide one. Which one that is differs
between the servers; where it cannot be told, a privilege counts only when
every candidate has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ALL = frozenset({"ALL", "ALL PRIVILEGES"})
_TOKEN = re.compile(
    r"`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|'(?:[^'\\]|\\.|'')*'|[\w$*%]+|\S", re.DOTALL
)
_KINDS = frozenset({"TABLE", "FUNCTION", "PROCEDURE", "PACKAGE", "BODY"})


@dataclass(frozen=True)
class Grant:
    """One line of SHOW GRANTS: privileges on *.*, on a database pattern, or on a table.

    `revoked` marks MySQL's partial revokes. Privileges on single columns or
    routines are left out: no phase can do with them.
    """

    grantee: str
    privileges: frozenset[str]
    database: str | None = None
    table: str | None = None
    revoked: bool = False

    def has(self, privilege: str) -> bool:
        """Whether `privilege` is named here, or all are."""
        return privilege in self.privileges or bool(ALL & self.privileges)


@dataclass(frozen=True)
class Grants:
    """The grants in force for one account.

    `wildcards` is False where MySQL's partial_revokes makes `_` and `%`
    literal. `merged` is True where MySQL has put active roles and account
    together, which changes which of several patterns counts.
    """

    grants: tuple[Grant, ...] = ()
    wildcards: bool = True
    merged: bool = False

    def holds(self, privilege: str, database: str | None = None, table: str | None = None) -> bool:
        """Whether the account has a privilege everywhere, on a whole database, or on a table."""
        everywhere = any(g.database is None and g.has(privilege) for g in self.grants)
        if everywhere and not any(
            g.revoked and g.database == database and g.has(privilege) for g in self.grants
        ):
            return True
        if database is None:
            return False
        return any(
            self._on_database(grants, privilege, database)
            or (table is not None and _on_table(grants, privilege, database, table))
            for grants in _by_grantee(self.grants)
        )

    def missing(
        self, wanted: Iterable[str], database: str | None = None, table: str | None = None
    ) -> tuple[str, ...]:
        """Return those of `wanted` that the account does not have, in their order."""
        return tuple(p for p in wanted if not self.holds(p, database, table))

    def _on_database(self, grants: tuple[Grant, ...], privilege: str, database: str) -> bool:
        matching = [
            g
            for g in grants
            if g.database is not None
            and g.table is None
            and not g.revoked
            and self._matches(g.database, database)
        ]
        exact = [g for g in matching if self._is_exact(str(g.database), database)]
        patterns: dict[str, bool] = {}
        for grant in exact or matching:
            key = str(grant.database)
            patterns[key] = patterns.get(key, False) or grant.has(privilege)
        return bool(patterns) and all(patterns.values())

    def _matches(self, pattern: str, name: str) -> bool:
        if not self.wildcards:
            return pattern == name
        return re.fullmatch(_as_regex(pattern), name, re.DOTALL) is not None

    def _is_exact(self, pattern: str, name: str) -> bool:
        """Whether a pattern can match nothing else, as the server sees it."""
        if pattern == name and not re.search(r"[_%\\]", name):
            return True
        if self.merged:  # there an escaped name is one pattern among others
            return False
        return not self.wildcards or (
            re.search(r"(?<!\\)[_%]", pattern) is None and _unescaped(pattern) == name
        )


def parse(lines: Iterable[str], *, wildcards: bool = True, merged: bool = False) -> Grants:
    """Read the lines of SHOW GRANTS. A line that is no grant of privileges is passed over."""
    found = (_parse_line(line) for line in lines)
    return Grants(tuple(g for g in found if g is not None), wildcards, merged)


def _parse_line(line: str) -> Grant | None:
    tokens = _TOKEN.findall(line)
    if not tokens or tokens[0].upper() not in {"GRANT", "REVOKE"}:
        return None
    privileges, rest = _privileges(tokens[1:])
    while rest and rest[0].upper() in _KINDS:
        if rest[0].upper() != "TABLE":
            return None
        rest = rest[1:]
    if len(rest) < 5 or rest[1] != "." or rest[3].upper() not in {"TO", "FROM"}:
        return None
    database, table = _name(rest[0]), _name(rest[2])
    return Grant(
        _name(rest[4]),
        privileges,
        None if rest[0] == "*" else database,
        None if rest[2] == "*" else table,
        revoked=tokens[0].upper() == "REVOKE",
    )


def _privileges(tokens: list[str]) -> tuple[frozenset[str], list[str]]:
    """Return the privileges before ON, and the tokens after it."""
    found: set[str] = set()
    words: list[str] = []
    depth, columns = 0, False
    for at, piece in enumerate(tokens):
        depth += (piece == "(") - (piece == ")")
        columns = columns or depth > 0
        ends = depth == 0 and piece.upper() == "ON"
        if ends or (depth == 0 and piece == ","):
            if words and not columns:
                found.add(" ".join(words).upper())
            words, columns = [], False
        elif depth == 0 and piece != ")":
            words.append(piece)
        if ends:
            return frozenset(found), tokens[at + 1 :]
    return frozenset(), []


def _name(token: str) -> str:
    quote = token[0]
    if quote in "`\"'" and len(token) > 1 and token[-1] == quote:
        return token[1:-1].replace(quote * 2, quote)
    return token


def _by_grantee(grants: tuple[Grant, ...]) -> Iterator[tuple[Grant, ...]]:
    """Yield the grants of the account, of each active role and of PUBLIC."""
    names = dict.fromkeys(g.grantee for g in grants)
    for name in names:
        yield tuple(g for g in grants if g.grantee == name)


def _on_table(grants: tuple[Grant, ...], privilege: str, database: str, table: str) -> bool:
    return any(
        g.database == database and g.table == table and not g.revoked and g.has(privilege)
        for g in grants
    )


def _as_regex(pattern: str) -> str:
    """Turn a database pattern into a regular expression: `_`, `%` and `\\` as LIKE has them."""
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"_": ".", "%": ".*"}
    return "".join(wild.get(p) or re.escape(_unescaped(p)) for p in pieces)


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
