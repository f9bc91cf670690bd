"""The lock of an environment: one run at a time, and who has it."""

from __future__ import annotations

import hashlib

from runbook.database.book import read_book
from runbook.database.sessions import Session, as_text
from runbook.environment import Environment
from runbook.errors import Refusal

# A server may need a moment to notice that the session before has gone, and its lock with it.
TAKE_LOCK = "SELECT GET_LOCK(%s, 1)"
HOLDS_LOCK = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"
GIVE_LOCK_BACK = "SELECT RELEASE_LOCK(%s)"
LOCK_HOLDER = "SELECT IS_USED_LOCK(%s)"


LONGEST = 64
"""Characters that a name of GET_LOCK may have."""


def lock_name(environment: Environment) -> str:
    """Return the name of an environment's lock: one a database, readable, and short enough."""
    name = f"runbook:{environment.database.name}"
    if len(name) <= LONGEST:
        return name
    sum_ = hashlib.sha256(environment.database.name.encode()).hexdigest()[:16]
    return f"{name[: LONGEST - 17]}~{sum_}"


def take(writer: Session, environment: Environment) -> None:
    """Take the lock on the writing session; it goes when that session ends.

    Raises:
        Refusal: somebody has it; says who, where and since when.
    """
    if writer.value(TAKE_LOCK, (lock_name(environment),)) == 1:
        return
    raise Refusal(
        f"{environment.name} is being worked on by {holder(writer, environment) or 'somebody'}",
        advice="Wait until that run has ended; invoke status shows it.",
    )


def give_back(writer: Session, environment: Environment) -> None:
    """Give the lock back before the session ends; nothing where it does not hold it."""
    writer.value(GIVE_LOCK_BACK, (lock_name(environment),))


def holder(session: Session, environment: Environment, ours: int | None = None) -> str:
    """Name who has the lock, where and since when; empty when nobody has, or `ours` does."""
    connection = session.value(LOCK_HOLDER, (lock_name(environment),))
    if connection in {None, ours}:
        return ""
    for run in reversed(read_book(session).runs):
        if run.connection == connection and run.outcome is None:
            return (
                f"{run.operator} on {run.host} since {run.started_at:.19} UTC "
                f"({run.phase}, run {run.run})"
            )
    rows = session.rows(
        "SELECT USER, HOST, TIME FROM information_schema.PROCESSLIST WHERE ID = %s", (connection,)
    )
    if not rows:
        return f"session {as_text(connection)}, of an account this one cannot see"
    user, host, seconds = map(as_text, rows[0])
    return f"session {as_text(connection)} of {user}@{host}, quiet for {seconds} s"
