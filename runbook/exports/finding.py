"""Finding exports again: what is on the backup host, and which of it holds rows as they are now.

Any of the newest will do that is whole and holds exactly the rows: a clock that was
ahead, or what only bears an export's name, is in nobody's way. Manifests are read at
once, and the files of an export only where they decide something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from runbook.environment import Environment
from runbook.errors import StepFailed
from runbook.exports.queries import Census, Query
from runbook.exports.saved import LONGEST, SCRIPT, Saved, folder, judge, judge_files, moment
from runbook.hosts import jobs
from runbook.hosts.remote import Hosts
from runbook.hosts.shell import script

MOST = 8
"""Exports that are looked at: so many of the past, and as many of the future."""
MOST_FOREIGN = 5
"""What is told of things that are none."""
SCRIPT_SIZE = 1 << 24
"""Bytes of a script that are read at most."""
APART = 300.0
"""Seconds by which the clocks of two hosts may differ and nobody need be told."""

Rows = tuple[Query, Census]


def newest(hosts: Hosts, environment: Environment, change: str) -> tuple[Saved, ...]:
    """Look at the newest exports and their manifests, newest first, those of the future last.

    Raises:
        StepFailed: the folder is there and cannot be read.
        Refusal, Lost: the host cannot be reached.
    """
    where = folder(environment, change)
    values: dict[str, jobs.Words] = {
        "folder": where,
        "most": MOST,
        "most_foreign": MOST_FOREIGN,
        "longest": LONGEST,
    }
    done = hosts.run(
        environment.backup.host,
        script(jobs.text(values, "plain", "exports")),
        timeout=environment.timeouts.statement,
    )
    if not done.ok:
        raise StepFailed(
            f"{done.host}: the exports in {where} cannot be read",
            output=done.tail(),
            advice="It must be a folder that the SSH user may read.",
        )
    return read(where, done.out, environment.name)


def read(where: str, out: str, environment: str) -> tuple[Saved, ...]:
    """Read what the look printed: a key and a value a line, a manifest behind its export."""
    now, found, texts = "", dict[str, Saved](), dict[str, list[str]]()
    for key, _, value in (line.partition(" ") for line in out.split("\n")):
        if key == "now":
            now = value
        elif key == "export":
            texts[value] = manifest = []
        elif key == "=":
            manifest.append(f"{value}\n")
        elif key == "foreign":
            name, _, why = value.partition(" ")
            found[name] = Saved(f"{where}/{name}", None, why)
    for name, lines in texts.items():
        found[name] = judge(f"{where}/{name}", "".join(lines), environment)
    dated = [_dated(one, now) for one in found.values()]
    newest_first = sorted(dated, key=lambda one: one.name, reverse=True)
    return tuple(sorted(newest_first, key=ahead))


def ahead(saved: Saved) -> bool:
    """Whether the time of an export lies in the future."""
    return saved.age < -APART


def prove(hosts: Hosts, environment: Environment, saved: Saved) -> Saved:
    """Look at an export's files, their checksums included; raises as `newest` does."""
    if saved.manifest is None or saved.defect:
        return saved
    sizes = {file.file: file.compressed_bytes for file in saved.manifest.files}
    sizes[SCRIPT] = SCRIPT_SIZE
    values: dict[str, jobs.Words] = {
        "folder": saved.folder,
        "files": tuple(sizes),
        "sizes": tuple(map(str, sizes.values())),
    }
    done = hosts.run(
        environment.backup.host,
        script(jobs.text(values, "plain", "export_sums")),
        timeout=environment.timeouts.statement,
    )
    if not done.ok:
        raise StepFailed(f"{done.host}: {saved.folder} cannot be read", output=done.tail())
    sums = {}
    for key, _, value in (line.partition(" ") for line in done.out.split("\n")):
        if key == "file":
            sum_, _, name = value.partition(" ")
            sums[name] = sum_
        elif key == "unread":
            sums[value] = ""
    return judge_files(saved, sums)


def proved(
    found: Iterable[Saved], wanted: tuple[Rows, ...], prove: Callable[[Saved], Saved]
) -> tuple[Saved, ...]:
    """Return all that was found; of any wanted rows, the first that holds them is proved.

    So is the first that holds all of them. `prove` may find that it does not.
    """
    seen: list[Saved] = []
    for one in found:
        held = [rows for rows in wanted if one.holds(*rows)]
        news = any(not any(other.holds(*rows) for other in seen) for rows in held)
        whole = bool(wanted) and len(held) == len(wanted) and holder(seen, wanted) is None
        seen.append(prove(one) if news or whole else one)
    return tuple(seen)


def holder(seen: Iterable[Saved], wanted: tuple[Rows, ...]) -> Saved | None:
    """Return the first export that holds all of the wanted rows."""
    return next((one for one in seen if all(one.holds(*rows) for rows in wanted)), None)


def passed(seen: Iterable[Saved], kept: Saved | None) -> tuple[Saved, ...]:
    """Return what has the name of a newer export than the one that is used, and is no whole one."""
    return tuple(one for one in seen if one.defect and (kept is None or one.name > kept.name))


def _dated(saved: Saved, now: str) -> Saved:
    taken, host = moment(saved.name), moment(now)
    if taken is None:
        return replace(saved, defect=saved.defect or "its name is no time")
    return replace(saved, age=(host - taken).total_seconds()) if host else saved
