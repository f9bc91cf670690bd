"""Who holds or waits for a table: named for the operator, from what the server shows."""

from __future__ import annotations

from runbook.database.sessions import Session, SqlError, Value, as_text

# The server keeps trx_started in its own time zone, which need not be the session's.
TRANSACTION_AGE = (
    "TIMESTAMPDIFF(SECOND, t.trx_started,"
    " COALESCE(CONVERT_TZ(NOW(), @@session.time_zone, 'SYSTEM'), NOW()))"
)

NAMED = f"""\
SELECT DISTINCT p.ID, p.USER, p.HOST, p.TIME, COALESCE(p.INFO, t.trx_query, ''), t.trx_started,
 {TRANSACTION_AGE}"""

# Exact holders of the metadata lock: always on in MySQL since 8.0, in MariaDB where the
# server's instrumentation wait/lock/metadata/sql/mdl is.
METADATA_LOCKS = f"""\
{NAMED}
 FROM performance_schema.metadata_locks l
 JOIN performance_schema.threads h ON h.THREAD_ID = l.OWNER_THREAD_ID
 JOIN information_schema.PROCESSLIST p ON p.ID = h.PROCESSLIST_ID
 LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID
 WHERE l.OBJECT_SCHEMA = %s AND l.OBJECT_NAME = %s AND l.LOCK_STATUS = 'GRANTED'
 AND p.ID NOT IN (%s, %s)
 ORDER BY t.trx_started"""

# Elsewhere open transactions are the likely holders; which tables they
# touched is not shown unless they run a statement, so all of them are named.
TRANSACTIONS = f"""\
{NAMED}
 FROM information_schema.INNODB_TRX t
 JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
 WHERE (p.DB = %s OR p.DB IS NULL) AND %s IS NOT NULL AND p.ID NOT IN (%s, %s)
 ORDER BY t.trx_started"""

# A row lock's holder is only shown while somebody waits for it, each server in its own table.
ROW_LOCKS = f"""\
{NAMED}
 FROM {{waits}} w
 JOIN information_schema.INNODB_TRX r ON r.trx_id = w.{{requesting}}
 JOIN information_schema.INNODB_TRX t ON t.trx_id = w.{{blocking}}
 JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
 WHERE r.trx_mysql_thread_id = %s
 ORDER BY t.trx_started"""
OF_MARIADB = ROW_LOCKS.format(
    waits="information_schema.INNODB_LOCK_WAITS",
    requesting="requesting_trx_id",
    blocking="blocking_trx_id",
)
OF_MYSQL = ROW_LOCKS.format(
    waits="performance_schema.data_lock_waits",
    requesting="REQUESTING_ENGINE_TRANSACTION_ID",
    blocking="BLOCKING_ENGINE_TRANSACTION_ID",
)
STATE = "SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = %s"


def blockers(session: Session, database: str, table: str | None, ours: int) -> tuple[str, ...]:
    """Name the sessions that hold a lock on `table`, or the open transactions that may.

    `ours` is the connection that waits; neither it nor the one that asks is
    named. An account without PROCESS sees only its own sessions; then nobody is.
    """
    for query in (METADATA_LOCKS, TRANSACTIONS):
        try:
            rows = session.rows(query, (database, table or "", ours, session.id))
        except SqlError:  # the account may not see this
            continue
        if rows:
            return tuple(_named(row) for row in rows[:3])
    return ()


def row_blockers(session: Session, database: str, table: str | None, ours: int) -> tuple[str, ...]:
    """Name the sessions that connection `ours` waits for just now, for a row or for all of `table`.

    An account that may not see lock waits names nobody.
    """
    try:
        rows = session.rows(OF_MARIADB if session.server.is_mariadb else OF_MYSQL, (ours,))
        if rows:
            return tuple(_named(row) for row in rows[:3])
        state = as_text(session.value(STATE, (ours,)))
    except SqlError:  # the account may not see this
        return ()
    return blockers(session, database, table, ours) if "metadata lock" in state else ()


def _named(row: tuple[Value, ...]) -> str:
    ident, user, host, idle, query, started, age = map(as_text, row)
    since = f", transaction open for {age} s" if started else f", for {idle} s"
    last = " ".join(query.split())[:80]
    return f"session {ident} {user}@{host}{since}" + (f", running: {last}" if last else ", idle")
