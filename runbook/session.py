"""One command on one environment, from the options typed to the exit status."""

from __future__ import annotations

from pathlib import Path

from runbook import inventory, site
from runbook.ending import attempt, exit_status, print_document
from runbook.errors import Outcome
from runbook.invocation import Invocation, Phase
from runbook.options import Options
from runbook.telling.console import Console
from runbook.telling.document import Document


def main(phase: Phase, env: str | None, options: Options, folder: Path) -> int:
    """Run `phase` on the environment called `env` and return the exit status.

    `folder` holds inventory.yaml. Nothing is raised: everything that can go
    wrong is said on the console, or in the JSON document.
    """
    console = Console(quiet=options.as_json)
    document = Document(phase.name, env or "", options.dry_run)

    def work() -> Outcome:
        known = inventory.load(folder / "inventory.yaml")
        environment = known.environment(env)
        for mistake in known.mistakes:
            console.say(f"{mistake} (not in the way of {environment.name})", "yellow")
        with site.opened(environment) as opened:
            return Invocation(phase, options, opened, console, document).run()

    outcome, error = attempt(work, console, folder)
    status = exit_status(outcome, error)
    if options.as_json:
        print_document(document.text(outcome.value, status, error))
    return status
