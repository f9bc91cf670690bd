"""One command on one environment, from the options typed to the exit status."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from runbook import inventory, site
from runbook.command.ending import Output, attempt, exit_status
from runbook.command.invocation import Invocation, Phase
from runbook.errors import Interrupted, Outcome, RunbookError
from runbook.options import Options
from runbook.perform.brake import leaving_at_once
from runbook.telling.console import Console
from runbook.telling.document import Document


def main(
    phase: Phase, env: str | None, options: Options, folder: Path, *, typed: bool = False
) -> int:
    """Run `phase` on the environment called `env` and return the exit status.

    `folder` holds inventory.yaml. Nothing is raised: everything that can go
    wrong is said on the console, or in the JSON document. `typed` says that this
    is all that the process is for: Ctrl-C then ends it at once while it only looks.
    """
    console = Console(quiet=options.as_json)
    output = Output()
    line = output.print if options.as_json and phase.lines else None
    document = Document(phase.name, env or "", options.dry_run, line)

    def work() -> Outcome:
        options.refuse_unprintable()
        known = inventory.load(folder / "inventory.yaml")
        environment = known.environment(env)
        for mistake in known.mistakes:
            console.say(f"{mistake} (not in the way of {environment.name})", "yellow")
        try:
            with site.opened(environment) as opened:
                console.hide(lambda: opened.password.known)
                document.secrets = lambda: opened.password.known
                return Invocation(phase, options, opened, console, document).run()
        except KeyboardInterrupt:
            if document.run is None:
                raise
            where = f"Where it stands: invoke status --env={environment.name}"
            raise Interrupted("stopped at once", advice=where, running=True) from None

    def end(outcome: Outcome, error: RunbookError | None) -> int:
        status = exit_status(outcome, error)
        if options.as_json:
            output.print(document.text(outcome.value, status, error))
        return output.status(status)

    def leave() -> int:
        error = Interrupted("stopped before anything was changed")
        console.error(error)
        return end(error.outcome, error)

    def only_looks() -> bool:
        return document.run is None and not console.asking

    with leaving_at_once(only_looks, leave) if typed else nullcontext():
        outcome, error = attempt(work, console, folder)
        return end(outcome, error)
