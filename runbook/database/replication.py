"""How replication runs on a server, and how far a replica is behind."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.connect import Database
from runbook.database.sessions import Session, SqlError


@dataclass(frozen=True)
class Channel:
    """One source that a server replicates from.

    `lag` is in seconds, None while the server does not know it; `error` is the
    last one of either thread.
    """

    source: str
    receives: bool
    applies: bool
    lag: float | None
    error: str = ""

    @property
    def runs(self) -> bool:
        """Whether both threads run: the changes are received and applied."""
        return self.receives and self.applies


def channels(session: Session) -> tuple[Channel, ...]:
    """Return the sources that the server of `session` replicates from; none: no replica.

    Raises:
        SqlError: the account may not see it (REPLICATION CLIENT on MySQL,
            SLAVE MONITOR on MariaDB).
    """
    text = "SHOW ALL SLAVES STATUS" if session.server.is_mariadb else "SHOW REPLICA STATUS"
    result = session.query(text)
    return tuple(
        _channel(dict(zip(result.columns, map(_text, row), strict=True))) for row in result.rows
    )


def lag(database: Database, replica: str) -> float | None:
    """Return the seconds `replica` is behind, or None where replication does not run.

    Raises:
        Refusal, Lost: the replica cannot be reached.
    """
    with database.replica(replica) as session:
        return lag_of(session)


def lag_of(session: Session) -> float | None:
    """Return how many seconds the server of `session` is behind its sources, or None."""
    try:
        found = channels(session)
    except SqlError:
        return None
    lags = [channel.lag for channel in found if channel.lag is not None and channel.runs]
    return max(lags) if lags and len(lags) == len(found) else None


def _channel(status: dict[str, str | None]) -> Channel:
    """Read a row of either server: MySQL says Replica and Source, MariaDB Slave and Master."""

    def value(name: str) -> str:
        older = name.replace("Replica", "Slave").replace("Source", "Master")
        return status.get(name) or status.get(older) or ""

    behind = value("Seconds_Behind_Source")
    return Channel(
        f"{value('Source_Host')}:{value('Source_Port')}",
        value("Replica_IO_Running").startswith("Yes"),
        value("Replica_SQL_Running") == "Yes",
        float(behind) if behind else None,
        value("Last_SQL_Error") or value("Last_IO_Error"),
    )


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
