"""`invoke report`: find a run's journal, and write its page or its text."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from runbook import inventory
from runbook.command.ending import Output, attempt, exit_status
from runbook.environment import Environment
from runbook.errors import Outcome, Refusal, UsageError
from runbook.inventory.mistakes import nearest
from runbook.report.folding import fold
from runbook.report.markdown import markdown as as_markdown
from runbook.report.page import Source, page
from runbook.report.reading import lines
from runbook.report.verdict import verdict
from runbook.state import private_folder
from runbook.telling.console import Console
from runbook.telling.document import Document

LATEST, STANDARD_OUTPUT = "latest", "-"
SECONDS = len("20251217T101112Z")
ENDING = ".jsonl"


def main(
    env: str | None,
    folder: Path,
    *,
    run: str = LATEST,
    markdown: bool = False,
    output: str = "",
    as_json: bool = False,
) -> int:
    """Report on a run of the environment called `env` and return the exit status.

    `folder` holds inventory.yaml. Nothing is raised: everything that can go
    wrong is said on the console, or in the JSON document.
    """
    to_output = output == STANDARD_OUTPUT
    console, out = Console(quiet=as_json, aside=to_output), Output()
    document = Document("report", env or "", dry_run=False)

    def work() -> Outcome:
        if to_output and as_json:
            raise UsageError("--output=- and --json both want standard output", advice="Drop one.")
        environment = inventory.load(folder / "inventory.yaml").environment(env, files=False)
        if "report" in environment.policy.never:
            raise Refusal(
                f"policy.never forbids report in {environment.name}",
                advice=f"It is written in the inventory: {environment.at('policy.never')}.",
            )
        journal = _journal(environment, run)
        document.run, document.journal = journal.stem, str(journal)
        text, headline = _report(journal, markdown=markdown)
        if to_output:
            out.print(text.removesuffix("\n"))
            return Outcome.OK
        name = f"{journal.stem}.{'md' if markdown else 'html'}"
        document.report = str(_write(environment, Path(output) if output else None, name, text))
        console.say(f"{journal.stem}: {headline}")
        console.say(document.report)
        return Outcome.OK

    outcome, error = attempt(work, console, folder)
    status = exit_status(outcome, error)
    if as_json:
        out.print(document.text(outcome.value, status, error))
    return out.status(status)


def _report(journal: Path, *, markdown: bool) -> tuple[str, str]:
    """Return a journal's report, and its verdict in a line.

    Raises:
        UsageError: the journal cannot be read.
    """
    try:
        data = journal.read_bytes()
    except OSError as error:
        raise UsageError(f"{journal} cannot be read: {error.strerror}") from error
    run = fold(lines(data))
    source = Source(journal.name, hashlib.sha256(data).hexdigest(), len(data))
    return as_markdown(run) if markdown else page(run, source), verdict(run).headline


def _journal(environment: Environment, run: str) -> Path:
    """Return the journal of a run, or of the latest one.

    Raises:
        UsageError: there is none.
    """
    folder = environment.state / environment.name / "journal"
    known = _written(folder)
    if run in known:
        return folder / f"{run}{ENDING}"
    if not known:
        raise UsageError(
            f"no run of {environment.name} has a journal in {folder}",
            advice="A journal is kept on the machine that ran: report there, or copy it here.",
        )
    # A name begins with its second; the file's own time parts runs of the same one.
    latest = max(known, key=lambda name: (name[:SECONDS], known[name]))
    if run == LATEST:
        return folder / f"{latest}{ENDING}"
    near = nearest(run, known) or latest
    raise UsageError(
        f"--run={run}: no run of that name has a journal in {folder}",
        advice=f"Did you mean --run={near}? There are {len(known)}; the latest is {latest}.",
    )


def _written(folder: Path) -> dict[str, int]:
    """Return the runs that have a journal, and when each was written to (in ns, since 1970).

    A folder, a pipe or a link that leads nowhere is none; one that a run tidies
    away just now is none any more.
    """
    found = {}
    for path in folder.glob(f"*{ENDING}"):
        with contextlib.suppress(OSError):
            about = path.stat()
            if stat.S_ISREG(about.st_mode) and path.stem.isprintable():
                found[path.stem] = about.st_mtime_ns
    return found


def _write(environment: Environment, file: Path | None, name: str, text: str) -> Path:
    """Write a report for its owner's eyes, whole or not at all; return where.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path = file or private_folder(environment.state, environment.name, "reports") / name
        part = path.with_name(f"{path.name}.part")
        try:
            with os.fdopen(
                os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as out:
                out.write(text.encode())
            return part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the report cannot be written: {error}", advice="Name another file in --output."
        ) from error
