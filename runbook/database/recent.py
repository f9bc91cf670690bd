"""When this database was last changed by runs of this program, by the server's clock."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.ledger import TABLE
from runbook.database.schema import NO_SUCH_TABLE
from runbook.database.sessions import Session, SqlError

RECENT = f"""\
SELECT TIMESTAMPDIFF(MICROSECOND, MIN(started_at), UTC_TIMESTAMP(6)) / 1000000,
 TIMESTAMPDIFF(MICROSECOND, MAX(started_at), UTC_TIMESTAMP(6)) / 1000000
 FROM {TABLE} WHERE entry = 'run' AND started_at > UTC_TIMESTAMP(6) - INTERVAL %s SECOND"""


@dataclass(frozen=True)
class Recent:
    """How many seconds ago the first and the last of some runs began."""

    first: float
    last: float


def recent(session: Session, within: float) -> Recent | None:
    """Return the runs of the last `within` seconds that changed something; None for none."""
    try:
        ((first, last),) = session.rows(RECENT, (int(within),))
    except SqlError as error:
        if error.code == NO_SUCH_TABLE:
            return None
        raise
    return None if first is None else Recent(float(str(first)), float(str(last)))
