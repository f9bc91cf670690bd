"""A fortnight of the application's logs, so that a monitor knows what is usual from the start.

The same every time but for the clock: a seed chooses when what was written.
"""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAYS = 14
EVERY = timedelta(minutes=15)
"""Between two lines of standard output; after every second or so there is an error."""
ERRORS = (
    ("ETIMEDOUT", "connect ETIMEDOUT of the mail service"),
    ("ECONNRESET", "a client went away before its answer"),
    ("ER_LOCK_WAIT_TIMEOUT", "Lock wait timeout exceeded; try restarting transaction"),
)


def write(logs: Path, seed: str, now: datetime | None = None) -> None:
    """Write `app.log.1` and `app-error.log.1` into a folder, as a rotation leaves them."""
    chance = random.Random(seed)  # noqa: S311 - the same lines every time
    now = now or datetime.now(UTC)
    said, wrong = [], []
    moment = now - timedelta(days=DAYS)
    while moment < now - EVERY:
        said.append(_line(moment, "info", "request", method="GET", path="/events"))
        if chance.random() < 0.5:
            code, message = chance.choice(ERRORS)
            late = moment + EVERY * chance.random()
            wrong.append(_line(late, "error", "request", code=code, message=message))
        moment += EVERY
    for name, lines in (("app.log.1", said), ("app-error.log.1", wrong)):
        (logs / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.utime(logs / name, (moment.timestamp(), moment.timestamp()))


def _line(moment: datetime, level: str, op: str, **fields: str) -> str:
    at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": at, "level": level, "op": op, **fields})
