"""How replication runs on a server, and whether a replica follows."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database.connect import Database
from runbook.database.sessions import Session, SqlError
from runbook.errors import Lost, Refusal


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

    @property
    def stopped(self) -> str:
        """What of it has stopped, and why where the server tells; empty while it runs."""
        if self.runs:
            return ""
        what = "applying" if self.receives else "receiving"
        return f"{what} has stopped" + (f" ({self.error})" if self.error else "")


@dataclass(frozen=True)
class Following:
    """How many seconds a replica is behind; None where that is not known, and `why`."""

    lag: float | None
    why: str = ""


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


def following(database: Database, replica: str) -> Following:
    """Return how `replica` follows; that it cannot be reached, or seen, is told as well."""
    try:
        with database.replica(replica) as session:
            return _following(channels(session))
    except (Refusal, Lost, SqlError) as error:
        return Following(None, error.message)


def _following(found: tuple[Channel, ...]) -> Following:
    if not found:
        return Following(None, "it is no replica of anything")
    for channel in found:
        if channel.stopped:
            return Following(None, f"replication from {channel.source}: {channel.stopped}")
    lags = [channel.lag for channel in found if channel.lag is not None]
    if len(lags) < len(found):
        return Following(None, "its lag is not known yet")
    return Following(max(lags))


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
