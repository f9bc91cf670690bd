"""Detached jobs on a host: the text that starts one, and what watching it tells.

A job is a bash script in a folder of its own on the host. It is started with
`setsid`, holds a lock as long as it lives, and leaves its log and exit status
there; whoever comes later watches the same job. Its parts are plain files in
`scripts/`; `text` puts the values in front and changes nothing in them, so what
the preview shows is what the host runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.hosts.shell import quote, script

Words = str | int | tuple[str, ...]
FOLDER = "runbook/hosts/scripts"
LONGEST_LINE = 4000
"""The client programs read their option files in lines of at most 4096 bytes."""


@dataclass(frozen=True)
class State:
    """A job as its folder tells it.

    `state` is none, running, ended, or died (it ended without saying how).
    `done` and `total` are bytes, `seconds` how long ago it began, `ended` how
    long ago it ended.
    """

    state: str = "none"
    status: int | None = None
    stage: str = ""
    name: str = ""
    done: int = 0
    total: int | None = None
    seconds: int = 0
    ended: int = 0
    log: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.state == "running"

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == "ended" and self.status == 0


def start(folder: str, job: str, body: str, *, attach: float = 0.0) -> str:
    """Return the command that starts the job `body`, or finds it running.

    `folder` is made with mode 0700; `job` is the job's own folder in it. A job
    that ended well at most `attach` seconds ago is not started again.
    """
    head = assignments({"folder": folder, "job": job, "attach": round(attach)})
    return script(
        f"{head}\n{part('start')}\ncat >\"$job/script\" <<'JOB'\n{body.strip()}\nJOB\n"
        f"{part('launch')}"
    )


def task(job: str, command: str, *, once: bool = False) -> str:
    """Return the command that starts a job of lines of bash, or finds that very one running.

    `job` is its folder, made with mode 0700. Nothing is handed to it. With
    `once`, one that ended well is not started again while its status is there.
    """
    head = assignments({"job": job, "name": task_name(command), "once": "yes" if once else "no"})
    return script(
        f"{head}\n{part('begin')}\ncat >\"$job/script\" <<'JOB'\n"
        f"{assignments({'job': job})}\n\n{part('task')}\n(\n{command}\n)\nJOB\n"
        f"{part('detach')}"
    )


def task_name(command: str) -> str:
    """Return what tells this command from another in a job's `State.name`."""
    return hashlib.sha256(command.encode()).hexdigest()[:12]


def watch(job: str) -> str:
    """Return the command that prints the state of the job in the folder `job`; it only reads."""
    return script(f"{part('watch')}\nreport {quote(job)}")


def text(values: Mapping[str, Words], *parts: str) -> str:
    """Return a script: the values as variables, then the named parts in their order."""
    return "\n\n".join((assignments(values), *(part(name) for name in parts)))


def parse(lines: tuple[str, ...]) -> State:
    """Read what `watch` printed; a line it does not know is passed over."""
    facts: dict[str, str] = {}
    log = []
    for line in lines:
        if line.startswith("| "):
            log.append(line[2:])
        else:
            key, _, value = line.partition(" ")
            facts[key] = value

    def number(key: str) -> int | None:
        value = facts.get(key, "")
        return int(value) if value.isdecimal() else None

    return State(
        state=facts.get("state", "none"),
        status=number("status"),
        stage=facts.get("stage", ""),
        name=facts.get("name", ""),
        done=number("done") or 0,
        total=number("total"),
        seconds=number("seconds") or 0,
        ended=number("ended") or 0,
        log=tuple(log),
    )


def client_options(environment: Environment, password: str) -> str:
    """Return the database account as the `[client]` section of an option file.

    It is what a step with `credentials` gets on standard input. The address is
    the inventory's, as seen from the backup host; with TLS to another name it is
    that name, since the client programs verify the name they connect to.

    Raises:
        UsageError: an option file cannot hold this user or password.
    """
    database = environment.database
    name = database.tls.hostname if database.tls else None
    options = {
        "user": database.user,
        "password": password,
        "host": name or database.address.host,
        "port": str(database.address.port),
        "protocol": "tcp",
    }
    return "[client]\n" + "".join(f"{key}={option(value)}\n" for key, value in options.items())


def option(value: str) -> str:
    """Return a value as option files want it: in quotes, with backslashes doubled.

    Raises:
        UsageError: it has a control character or is too long for a line.
    """
    if any(ord(char) < 32 for char in value):
        raise UsageError(
            "the database user or password has a control character, which the client "
            "programs' option files cannot hold",
            advice="Give the account another password.",
        )
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(quoted.encode()) > LONGEST_LINE:
        raise UsageError(
            f"the database password is longer than the {LONGEST_LINE} bytes that the client "
            "programs read",
            advice="Give the account a shorter one.",
        )
    return quoted


def assignments(values: Mapping[str, Words]) -> str:
    """Return values as bash variables, a line each; a tuple becomes an array."""
    return "\n".join(
        f"{name}=({' '.join(map(quote, value))})"
        if isinstance(value, tuple)
        else f"{name}={quote(str(value))}"
        for name, value in values.items()
    )


@cache
def part(name: str) -> str:
    """Return one of the files in `scripts/`, without the line break at its end."""
    return parts()[f"{name}.sh"].strip("\n")


@cache
def parts() -> dict[str, str]:
    """Return the content of every file in `scripts/`, by its name."""
    folder = files("runbook.hosts") / "scripts"
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sh")
    }
