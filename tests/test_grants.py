"""Reading SHOW GRANTS: pure properties, and the servers themselves as the oracle."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.phases.preflight.grants import Grant, Grants, parse
from sandbox.sandbox import Sandbox
from tests.support import MYSQL_IS_WIDE

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "LOCK TABLES", "SHOW VIEW", "TRIGGER")
NAMES = ("shop", "shop_eu", "sh_p", "a`b", 'say "hi"')
quoted = st.sampled_from(NAMES).map(lambda name: "`" + name.replace("`", "``") + "`")
lines = st.builds(
    lambda verb, privileges, scope, grantee: (
        f"{verb} {', '.join(sorted(privileges))} ON {scope} TO {grantee}"
    ),
    st.just("GRANT"),
    st.sets(st.sampled_from((*PRIVILEGES, "ALL PRIVILEGES", "SELECT (`a`, `on`)")), min_size=1),
    st.one_of(
        st.just("*.*"),
        quoted.map(lambda name: f"{name}.*"),
        st.builds(lambda a, b: f"{a}.{b}", quoted, quoted),
    ),
    st.sampled_from(("`me`@`%`", "'me'@'%'", "`role`", "PUBLIC")),
)


@given(st.text())
def test_any_text_is_read_without_an_error(line: str) -> None:
    """A line nobody has thought of is passed over or read, never a traceback."""
    grants = parse([line, f"GRANT {line} TO `me`", f"GRANT SELECT ON {line} TO `me`"])
    assert grants.holds("SELECT", "shop", "orders") in {True, False}


@given(st.lists(lines), st.sampled_from(PRIVILEGES), st.sampled_from(NAMES))
def test_more_privileges_in_a_line_never_take_one_away(
    given_lines: list[str], privilege: str, database: str
) -> None:
    """Widening every line to ALL PRIVILEGES keeps what was held before."""
    wider = [f"GRANT ALL PRIVILEGES ON {line.split(' ON ', 1)[1]}" for line in given_lines]
    wider = [
        after if "(`a`, `on`)" not in line else line
        for line, after in zip(given_lines, wider, strict=True)
    ]
    if parse(given_lines).holds(privilege, database):
        assert parse(wider).holds(privilege, database)


@given(st.lists(lines), st.sampled_from(PRIVILEGES), st.sampled_from(NAMES))
def test_a_global_grant_gives_it_on_every_database(
    given_lines: list[str], privilege: str, database: str
) -> None:
    """Whatever else is granted, a privilege on *.* is held everywhere."""
    grants = parse([*given_lines, f"GRANT {privilege} ON *.* TO `me`@`%`"])
    assert grants.holds(privilege, database)
    assert grants.holds(privilege)


@given(st.lists(lines), st.sampled_from(PRIVILEGES), st.sampled_from(NAMES))
def test_a_grant_on_a_table_never_takes_one_away(
    given_lines: list[str], privilege: str, database: str
) -> None:
    """A grant on one table adds it there, and takes nothing away."""
    name = "`" + database.replace("`", "``") + "`"
    more = parse([*given_lines, f"GRANT {privilege} ON {name}.`orders` TO `me`@`%`"])
    assert more.holds(privilege, database, "orders")
    assert parse(given_lines).holds(privilege, database) <= more.holds(privilege, database)


def test_columns_and_routines_are_no_privileges_on_a_table() -> None:
    """SELECT on a column is not SELECT on its table, nor is EXECUTE on a function on anything."""
    grants = parse(
        [
            "GRANT SELECT (`a`, `x ON y`), INSERT ON `shop`.`orders` TO `me`@`%`",
            "GRANT EXECUTE ON FUNCTION `shop`.`f` TO `me`@`%`",
            "GRANT PROXY ON ''@'' TO 'me'@'%' WITH GRANT OPTION",
            "GRANT `role`@`%`,`other`@`%` TO `me`@`%`",
        ]
    )
    assert grants.grants == (Grant("me", frozenset({"INSERT"}), "shop", "orders"),)


def test_a_partial_revoke_takes_a_global_privilege_away() -> None:
    """MySQL's REVOKE lines except a database from what is granted on *.*."""
    grants = parse(
        ["GRANT SELECT, INSERT ON *.* TO `me`@`%`", "REVOKE INSERT ON `shop`.* FROM `me`@`%`"],
        wildcards=False,
    )
    assert grants.missing(("SELECT", "INSERT"), "shop") == ("INSERT",)
    assert grants.missing(("SELECT", "INSERT"), "shop_eu") == ()


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("shop", {"shop"}),
        ("shop%", {"shop", "shop_eu", "shopping", "shopXeu"}),
        ("shop\\_%", {"shop_eu"}),
        ("shop_eu", {"shop_eu", "shopXeu"}),
        ("%", {"shop", "shop_eu", "shopping", "shopXeu", "other"}),
    ],
)
def test_patterns_match_as_like_does(pattern: str, matches: set[str]) -> None:
    """`_` and `%` in a database's name are wildcards unless a backslash is in front."""
    grants = Grants((Grant("me", frozenset({"SELECT"}), pattern),))
    names = ("shop", "shop_eu", "shopping", "shopXeu", "other")
    assert {name for name in names if grants.holds("SELECT", name)} == matches


OVERLAPS = [
    ("vault\\_x", "vault%"),
    ("vault%", "vault\\_x"),
    ("vault\\_x", "%"),
    ("v%", "vault%"),
    ("vault__", "vault%"),
    ("vault_x", "vault%"),
]


@pytest.fixture
def overlapping(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return a sandbox with a database vault_x and, after the test, without its accounts."""
    sandbox.load("CREATE DATABASE vault_x; CREATE TABLE vault_x.t (a INT PRIMARY KEY, b INT);")
    yield sandbox
    sandbox.load("DROP USER IF EXISTS 'probe'@'%'; DROP ROLE IF EXISTS readers;")


def _attempts(sandbox: Sandbox) -> tuple[dict[str, bool], Grants]:
    """Return which of three statements the server lets `probe` run, and how we read its grants."""
    statements = {
        "SELECT": "SELECT b FROM vault_x.t",
        "INSERT": "INSERT IGNORE INTO vault_x.t VALUES (1, 1)",
        "DELETE": "DELETE FROM vault_x.t",
    }
    connection = pymysql.connect(
        host="127.0.0.1", port=sandbox.database_port, user="probe", password="x", autocommit=True
    )
    with connection, connection.cursor() as cursor:
        allowed = {}
        for privilege, statement in statements.items():
            try:
                cursor.execute(statement)
                allowed[privilege] = True
            except pymysql.err.OperationalError:
                allowed[privilege] = False
        cursor.execute("SHOW GRANTS")
        shown = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT CURRENT_ROLE()")
        (role,) = cursor.fetchone() or (None,)
    merged = sandbox.server == "mysql" and role not in {None, "NONE"}
    return allowed, parse(shown, merged=merged)


@MYSQL_IS_WIDE
@pytest.mark.parametrize("through", ["account", "role"])
def test_nothing_is_believed_that_the_server_denies(overlapping: Sandbox, through: str) -> None:
    """Of two overlapping grants the server takes one: we never count what it ignores."""
    default = "FOR" if overlapping.server == "mariadb" else "TO"
    holder = "'probe'@'%'" if through == "account" else "readers"
    for first, second in OVERLAPS:
        overlapping.load(
            "DROP USER IF EXISTS 'probe'@'%'; DROP ROLE IF EXISTS readers;"
            "CREATE USER 'probe'@'%' IDENTIFIED BY 'x'; CREATE ROLE readers;"
            f"GRANT readers TO 'probe'@'%'; SET DEFAULT ROLE readers {default} 'probe'@'%';"
            f"GRANT SELECT ON `{first}`.* TO {holder}; GRANT INSERT ON `{second}`.* TO {holder};"
            "GRANT DELETE ON vault_x.t TO 'probe'@'%';"
        )
        allowed, grants = _attempts(overlapping)
        believed = {name: grants.holds(name, "vault_x", "t") for name in allowed}
        too_much = [name for name in allowed if believed[name] and not allowed[name]]
        assert too_much == [], f"{first} and {second}: {grants}"
        assert believed["DELETE"]


@MYSQL_IS_WIDE
def test_an_exact_grant_hides_a_wide_one(overlapping: Sandbox) -> None:
    """A grant on the database's own name is what counts, on the server and as we read it."""
    overlapping.load(
        "CREATE USER 'probe'@'%' IDENTIFIED BY 'x';"
        "GRANT SELECT ON `vault%`.* TO 'probe'@'%'; GRANT INSERT ON `vault\\_x`.* TO 'probe'@'%';"
    )
    allowed, grants = _attempts(overlapping)
    assert allowed == {"SELECT": False, "INSERT": True, "DELETE": False}
    assert {name: grants.holds(name, "vault_x") for name in allowed} == allowed


PLAIN = (
    "GRANT SELECT, INSERT ON `vault\\_x`.* TO 'probe'@'%'",
    "GRANT SELECT ON `vault%`.* TO 'probe'@'%'",
    "GRANT ALL ON vault_x.* TO 'probe'@'%'",
    "GRANT ALL ON *.* TO 'probe'@'%' WITH GRANT OPTION",
    "GRANT SELECT ON vault_x.t TO 'probe'@'%'",
    "GRANT SELECT (a), DELETE ON vault_x.t TO 'probe'@'%'",
    "GRANT USAGE ON *.* TO 'probe'@'%'",
)


@MYSQL_IS_WIDE
def test_plain_grants_are_read_as_the_server_applies_them(overlapping: Sandbox) -> None:
    """Where one grant matches, what we read is exactly what the server lets the account do."""
    for grant in PLAIN:
        overlapping.load(
            f"DROP USER IF EXISTS 'probe'@'%'; CREATE USER 'probe'@'%' IDENTIFIED BY 'x';{grant};"
        )
        allowed, found = _attempts(overlapping)
        assert {name: found.holds(name, "vault_x", "t") for name in allowed} == allowed, grant
