"""The logs of an environment on its hosts: what each is sent, and who reads its replies."""

from __future__ import annotations

from pathlib import PurePosixPath

from runbook.application import Log
from runbook.environment import Environment
from runbook.hosts import jobs
from runbook.hosts.shell import script
from runbook.monitor import places
from runbook.monitor.lines import Severity
from runbook.monitor.of_command import CommandSource
from runbook.monitor.of_file import FileSource
from runbook.monitor.of_unit import UnitSource
from runbook.monitor.places import Position
from runbook.monitor.replies import Terms
from runbook.monitor.saved import Mark
from runbook.plan.steps import Feed

Source = FileSource | UnitSource | CommandSource


def feeds(environment: Environment) -> tuple[Feed, ...]:
    """Return every log on every host that has it."""
    return tuple(
        Feed(host.name, log.name, text(log, host.name))
        for log in environment.logs
        for host in environment.hosts
        if log.role in host.roles
    )


def text(log: Log, host: str) -> str:
    """Return the command for a log on a host; where to read from comes on standard input."""
    if log.file is not None:
        path = PurePosixPath(log.file.replace("{host}", host))
        values: dict[str, jobs.Words] = {
            "folder": str(path.parent),
            "stem": path.name.partition("*")[0].rpartition(".")[0] or path.name.partition("*")[0],
            "names": places.names(path.name),
        }
        return script(jobs.text(values, "log_file"))
    if log.unit is not None:
        return script(jobs.text({"unit": log.unit}, "log_unit"))
    command = (log.command or "").replace("{since}", '"$since"')
    return script(jobs.text({"command": command}, "log_command"))


def begin(log: Log, since: float) -> Mark:
    """Return the mark of a log of which nothing was read yet; it begins at `since`."""
    return Mark(Position(since, since) if log.file is not None else None, since)


def source(log: Log, host: str, mark: Mark, history: int) -> Source:
    """Return what reads a log from `mark` on; at first the newest `history` bytes of a file."""
    if log.file is not None:
        name = PurePosixPath(log.file.replace("{host}", host)).name
        return FileSource(name, mark.position or Position(mark.since, mark.since), history)
    if log.unit is not None:
        return UnitSource(mark.since, mark.cursor)
    return CommandSource(mark.since, mark.seen)


def mark(source: Source) -> Mark:
    """Return how far a log was read."""
    match source:
        case FileSource():
            return Mark(position=source.position, since=source.position.since)
        case UnitSource():
            return Mark(since=source.since, cursor=source.cursor)
        case CommandSource():
            return Mark(since=source.since, seen=dict(source.seen))


def terms(log: Log, least: str) -> Terms:
    """Return how the log's lines are read; `least` is the least level that counts."""
    return Terms(Severity[log.level.upper()], Severity[least.upper()])
