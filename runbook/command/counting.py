"""The rows of the tables that a run changes, counted before and after it, for its report."""

from __future__ import annotations

from runbook.database.schema import NO_SUCH_TABLE
from runbook.database.sessions import Session, SqlError
from runbook.database.settings import within
from runbook.events import Counted, Moment, TableRows
from runbook.plan.plan import Plan
from runbook.plan.statements import Statement
from runbook.plan.steps import Runner
from runbook.sql.text import quote_name

LIMIT = 2.0
"""Seconds for one table. A larger one is not worth holding up a run: its estimate will do."""
ESTIMATE = """\
SELECT TABLE_ROWS FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"""


def tables(plan: Plan) -> tuple[str, ...]:
    """Return the tables that a plan's statements are still to change, each once."""
    names = (
        step.tables if isinstance(step, Runner) else (step.table,)
        for step in plan.pending
        if isinstance(step, Statement | Runner)
    )
    return tuple(dict.fromkeys(name for each in names for name in each if name))


def count(session: Session, moment: Moment, names: tuple[str, ...]) -> Counted:
    """Count the rows of tables, which need not be there; read-only.

    Raises:
        RunbookError: the server cannot be asked.
    """
    return Counted(moment, tuple(_count(session, name) for name in names))


def _count(session: Session, name: str) -> TableRows:
    select = f"SELECT COUNT(*) FROM {quote_name(name)}"
    try:
        rows = session.value(within(select, LIMIT, mariadb=session.server.is_mariadb))
    except SqlError as error:
        if error.code == NO_SUCH_TABLE:
            return TableRows(name, None)
        estimate = session.value(ESTIMATE, (name,))
        return TableRows(name, 0 if estimate is None else int(str(estimate)), exact=False)
    return TableRows(name, int(str(rows)))
