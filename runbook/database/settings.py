"""What each kind of SQL session begins with, as the plan shows it and the server gets it."""

from __future__ import annotations

from runbook.environment import Environment

EVERY_ROW = "sql_select_limit = 18446744073709551615"
ALIKE = f"""\
SET SESSION autocommit = 1, completion_type = 0, time_zone = '+00:00',
 sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0,
 sql_quote_show_create = 1, group_concat_max_len = 16777216,
 {EVERY_ROW}
 /*!80030 , show_create_table_verbosity = 0,
  show_gipk_in_create_table_and_information_schema = 1 */"""
"""What every session begins with, since servers and their init_connect may say otherwise.

None of it needs a privilege.

- autocommit: without, a look keeps a transaction, and its metadata locks, open.
- completion_type: a COMMIT may begin another transaction, or end the session.
- time_zone: SHOW CREATE TABLE shows the default of a TIMESTAMP in it.
- sql_mode: it decides what SQL means and how SHOW CREATE TABLE quotes; a trigger
  keeps the one that it is made with. Only what guards rows: an ALTER must not fail
  of a default like '0000-00-00' that some column has had for years.
- sql_safe_updates: the ledger finds a run by a column without an index.
- sql_quote_show_create: two texts are compared byte for byte.
- show_…, of MySQL alone: what else SHOW CREATE TABLE may show or hide.
- group_concat_max_len: a guard would compare what was cut off.
- sql_select_limit: an export would leave rows out. DEFAULT would be the server's.
"""


def reader_settings(environment: Environment, mariadb: bool) -> tuple[str, ...]:
    """The statements that open a look's session.

    A look that waited behind somebody's lock could not tell of it: reads wait
    for a table's metadata lock, and `SET @x = (SELECT … FROM t)`, as a guard may
    have it, for its row locks.
    """
    return (
        ALIKE,
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION lock_wait_timeout = 1",
        "SET SESSION innodb_lock_wait_timeout = 1",
        "SET SESSION wait_timeout = 86400",
        time_limit(mariadb, environment.timeouts.query),
    )


def writer_settings(environment: Environment) -> tuple[str, ...]:
    """The statements that open a writing session, as the plan shows them."""
    seconds = max(1, round(environment.timeouts.lock_wait))
    return (
        ALIKE,
        f"SET SESSION lock_wait_timeout = {seconds}",
        f"SET SESSION innodb_lock_wait_timeout = {seconds}",
        "SET SESSION wait_timeout = 86400",
    )


def writer_session(environment: Environment) -> tuple[str, ...]:
    """What decides what a writing session is: account, address, and its first statements."""
    database = environment.database
    account = f"{database.user}@{database.address.host}:{database.address.port}"
    return (account, *writer_settings(environment))


def snapshot_settings(environment: Environment, mariadb: bool) -> tuple[str, ...]:
    """The statements that open a snapshot, as the plan shows them."""
    return (
        ALIKE,
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET SESSION lock_wait_timeout = {max(1, round(environment.timeouts.lock_wait))}",
        time_limit(mariadb, environment.timeouts.statement),
        "SET SESSION net_write_timeout = 3600",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )


def time_limit(mariadb: bool, seconds: float) -> str:
    """The statement that ends each later query of its session after so many seconds."""
    if mariadb:
        return f"SET SESSION max_statement_time = {seconds:g}"
    return f"SET SESSION max_execution_time = {int(seconds * 1000)}"


def within(select: str, seconds: float, *, mariadb: bool) -> str:
    """A SELECT that the server itself ends after so many seconds."""
    if mariadb:
        return f"SET STATEMENT max_statement_time = {seconds:g} FOR {select}"
    hint = f"SELECT /*+ MAX_EXECUTION_TIME({int(seconds * 1000)}) */"
    return select.replace("SELECT", hint, 1)
