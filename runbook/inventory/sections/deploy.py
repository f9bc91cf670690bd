"""`deploy`: how a release gets onto the hosts, and when it is well there."""

from __future__ import annotations

from runbook.application import Deploy
from runbook.inventory.common import PLAIN_FOLDER, ROLE_REFERENCE, command_with
from runbook.inventory.kinds import Listed
from runbook.inventory.records import Fields, Key, Record, optional, required
from runbook.inventory.words import duration, text, whole

_THERE = command_with("release", "folder", "host")
_RUNS = command_with("folder", "host")
_PROGRAM = text("the name of a program", r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

ROLES = required("roles", Listed(ROLE_REFERENCE, least=1), "The hosts with one of these roles.")
FOLDER = required(
    "folder", PLAIN_FOLDER, "The application's folder there; `.runbook` in it keeps our jobs."
)
RESOLVE = optional(
    "resolve",
    _THERE,
    "Prints the commit or digest that a name stands for, as its first word; asked on the first "
    "host. A whole commit or digest is not asked for.",
)
FETCH = required("fetch", _THERE, "Brings the release to the host; must not touch what runs there.")
FETCHED = required(
    "fetched", _THERE, "Prints the commit or digest of what was brought; it must be {release}."
)
INSTALL = optional("install", _THERE, "Makes it ready; must not touch what runs there.")
ACTIVATE = optional("activate", _THERE, "Makes it what the next start of the application runs.")
RESTART = required("restart", _THERE, "Restarts the application; returns by itself.")
CURRENT = required(
    "current", _RUNS, "Prints the release that runs, asked of the running process itself."
)
CHECK = optional(
    "health", _RUNS, "Exits 0 when the host is well; else the checks in `health` of its roles."
)
LOGS = optional(
    "logs", _RUNS, "Prints what the application last said; shown when a host does not get well."
)
ROLLBACK = optional(
    "rollback",
    command_with("release", "folder", "host", "previous"),
    "Puts a host back to {previous}; else `activate` and `restart` with that release do.",
)
BATCH = Key(
    "batch",
    whole(1, 1000, "a number of hosts"),
    "How many hosts take their turn together; the first one has its own.",
    Deploy.batch,
)
_TIMES = (
    Key("healthy_within", duration("1m"), "Until a host must be well.", Deploy.healthy_within),
    Key("steady", duration("5s"), "For how long it must be so without a break.", Deploy.steady),
    Key("every", duration("1s"), "Between two questions whether it is.", Deploy.every),
)
NEEDS = Key("needs", Listed(_PROGRAM), "Programs that must be on PATH there.", Deploy.needs)
SPACE = Key(
    "space", whole(0, 10_000_000, "MiB"), "MiB that must be free in the folder.", Deploy.space
)
DEPLOY = optional(
    "deploy",
    Record(
        (
            *(ROLES, FOLDER, RESOLVE, FETCH, FETCHED, INSTALL, ACTIVATE, RESTART, CURRENT),
            *(CHECK, LOGS, ROLLBACK, BATCH, *_TIMES, NEEDS, SPACE),
        )
    ),
    "How a release gets onto the hosts.",
)


def deploy(fields: Fields | None) -> Deploy | None:
    """Return the section's value, or None where it is not there."""
    if fields is None:
        return None
    within, steady, every = (fields[key] for key in _TIMES)
    return Deploy(
        roles=fields[ROLES],
        folder=fields[FOLDER].rstrip("/") or "/",
        resolve=fields[RESOLVE],
        fetch=fields[FETCH],
        fetched=fields[FETCHED],
        install=fields[INSTALL],
        activate=fields[ACTIVATE],
        restart=fields[RESTART],
        current=fields[CURRENT],
        health=fields[CHECK],
        logs=fields[LOGS],
        rollback=fields[ROLLBACK],
        batch=fields[BATCH],
        healthy_within=within,
        steady=steady,
        every=every,
        needs=fields[NEEDS],
        space=fields[SPACE],
    )
