"""How far a replica is behind."""

from __future__ import annotations

from runbook.database import Database, Session, SqlError


def lag(database: Database, replica: str) -> float | None:
    """Return the seconds `replica` is behind, or None where replication does not run.

    Raises:
        Refusal, Lost: the replica cannot be reached.
    """
    with database.replica(replica) as session:
        return lag_of(session)


def lag_of(session: Session) -> float | None:
    """Return how many seconds the server of `session` is behind its source, or None."""
    for text in ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        try:
            result = session.query(text)
        except SqlError:
            continue
        for row in result.rows:
            status = dict(zip(result.columns, row, strict=True))
            behind = status.get("Seconds_Behind_Source", status.get("Seconds_Behind_Master"))
            return None if behind is None else float(str(behind))
    return None
