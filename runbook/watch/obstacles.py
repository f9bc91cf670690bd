"""What is in the way of a watch on its host, and what makes it weaker than it could be."""

from __future__ import annotations

from runbook.application import Watch
from runbook.environment import Environment
from runbook.plan.plan import Finding, Level
from runbook.sql.text import quote_name
from runbook.watch.host import Facts


def needs(environment: Environment, watch: Watch, facts: Facts) -> list[Finding]:
    """Refuse what the script would fail of: programs, and credentials that it cannot use."""
    rows, file = [], facts.credentials
    if not facts.client:
        advice = "Install a client package there: mariadb-client or default-mysql-client."
        rows.append(_row(watch, "client program", Level.REFUSED, "no mysql on PATH", advice))
    if facts.missing:
        detail = f"not on PATH: {', '.join(facts.missing)}"
        rows.append(_row(watch, "tools", Level.REFUSED, detail, "Install them there."))
    name = quote_name(environment.database.name)
    grant = f"its account needs no more than GRANT SELECT ON {name}.* TO …"
    if not facts.access:
        advice = f"Put user, password, host and port there, under [client], mode 0600; {grant}"
        rows.append(_row(watch, "credentials", Level.REFUSED, f"{file} is not there", advice))
    elif not facts.access[0].endswith("00"):
        advice = f"chmod 600 {file}"
        rows.append(_row(watch, "credentials", Level.REFUSED, f"others can read {file}", advice))
    elif facts.uid and facts.access[1] != facts.access[2]:
        detail = f"{file} is {facts.access[1]}'s, and the scan runs as {facts.access[2]}"
        advice = f"chown {facts.access[2]} {file}"
        rows.append(_row(watch, "credentials", Level.REFUSED, detail, advice))
    return rows


def scheduler(watch: Watch, facts: Facts) -> list[Finding]:
    """Refuse a scheduler that the host does not have."""
    if watch.scheduler == "cron" and not facts.cron:
        detail, advice = "there is no crontab program", "Install cron there, or say systemd."
    elif watch.scheduler == "systemd" and not facts.systemd:
        detail, advice = "systemd does not run there, or not for this user", "Say cron instead."
    elif watch.scheduler == "systemd" and not facts.linger:
        detail = "systemd ends this user's timers when its last session ends"
        advice = "As root there: loginctl enable-linger, with the SSH user's name."
    else:
        return []
    return [_row(watch, "scheduler", Level.REFUSED, detail, f"{advice} (watch.scheduler)")]


def weak(environment: Environment, watch: Watch) -> list[Finding]:
    """Warn of a watch that whoever it watches could blind, or that nobody would hear."""
    rows, database = [], environment.database
    if watch.host == database.via and database.address.host in {"127.0.0.1", "localhost"}:
        detail = "the baseline lies on the database's own host: who is root there can change both"
        rows.append(_row(watch, "watch", Level.WARNING, detail, "Name another host (watch.host)."))
    if watch.alert is None:
        detail = "no alert command: only exit status and report tell what was found"
        rows.append(_row(watch, "watch", Level.WARNING, detail, "Name one (watch.alert)."))
    return rows


def _row(watch: Watch, what: str, level: Level, detail: str, advice: str) -> Finding:
    return Finding(what, watch.host, level, detail, advice)
