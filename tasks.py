"""The commands: `invoke --list` shows them, `invoke --help TASK` explains one.

A phase is declared by its flags; it is carried out by what `runbook.command.commands` has of
its name.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, NamedTuple

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from runbook.early import hold_stops
from runbook.options import Options
from sandbox.tasks import sandbox

HERE = Path(__file__).resolve().parent


class Flag(NamedTuple):
    """What a flag of a command is for, and its default, which says its type."""

    help: str
    default: str | bool | list[str] | None = False


READ = {
    "env": Flag("environment of inventory.yaml", None),
    "json": Flag("one JSON document on standard output, and nothing else there"),
}
CHANGE = READ | {
    "dry_run": Flag("show exactly what would happen; nothing can be written"),
    "full": Flag("with --dry-run: this program's own host scripts whole, not only named"),
    "plan": Flag("run only the plan to which a preview gave this digest", None),
}
OUTSIDE = {"outside_window": Flag("change things although no window is open, for this reason", "")}
FIELDS = {"json": "as_json", "from_": "first", "until": "last"}
"""The fields of `Options` that are not called like their flag."""


def phase(name: str, about: str, flags: dict[str, Flag]) -> Task[Callable[..., None]]:
    """Return the task that carries out the phase `name`; `about` is its help."""

    def body(c: Context, **given: Any) -> None:
        hold_stops()  # until what it needs is there, imported only now so that --list is quick
        from runbook.command.commands import COMMANDS  # noqa: PLC0415
        from runbook.command.session import main  # noqa: PLC0415

        env = given.pop("env")
        # Invoke's own --dry runs the bodies of tasks all the same: take it as ours.
        given["dry_run"] = bool(given.get("dry_run") or c.config.run.dry)
        fields: dict[str, Any] = {
            FIELDS.get(flag, flag): tuple(value) if isinstance(value, list) else value
            for flag, value in given.items()
        }
        _leave(main(COMMANDS[name], env, Options(**fields), HERE, typed=True))

    body.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter("c", Parameter.POSITIONAL_OR_KEYWORD)]
        + [
            Parameter(flag, Parameter.KEYWORD_ONLY, default=said.default)
            for flag, said in flags.items()
        ]
    )
    body.__doc__ = about
    return Task(
        body,
        name=name,
        positional=(),
        auto_shortflags=False,
        iterable=[flag for flag, said in flags.items() if isinstance(said.default, list)],
        help={flag.strip("_").replace("_", "-"): said.help for flag, said in flags.items()},
    )


PHASES = (
    phase("status", "Where the environment stands, and the next command to type.", READ),
    phase(
        "preflight",
        "Check hosts, database, grants, space and health; changes nothing.",
        READ | {"dry_run": Flag("the same: preflight only looks")},
    ),
    phase(
        "backup",
        "Dump the database on its backup host, verify the dump, keep the newest.",
        CHANGE
        | {
            "fetch": Flag("bring the dump to this machine as well, checksum compared"),
            "fresh": Flag("dump even when a verified backup is young enough"),
        },
    ),
    phase(
        "restore",
        "Load a backup into a new database and compare it with its manifest.",
        CHANGE
        | {
            "backup": Flag("name of the dump, or latest", "latest"),
            "into": Flag("name of the new database; an existing one is never touched", ""),
        },
    ),
    phase(
        "deploy",
        "Bring a release to the application's hosts, one batch after the other.",
        CHANGE
        | OUTSIDE
        | {"release": Flag("branch, tag, commit or digest to run on every host", "")},
    ),
    phase(
        "migrate",
        "Preflight, backup, migrate and verify: one plan, one digest, one confirmation.",
        CHANGE | OUTSIDE | {"fresh": Flag("take a new backup even when one is young enough")},
    ),
    phase(
        "verify",
        "Run the change's checks; the exit status says whether all hold.",
        READ | {"dry_run": Flag("show the checks instead of running them")},
    ),
    phase(
        "smoke",
        "Run the application's integration tests on a host, counted from their own report.",
        CHANGE | OUTSIDE,
    ),
    phase(
        "triggers",
        "Make the change's triggers and prove that they hold; --remove is the undo.",
        CHANGE | OUTSIDE | {"remove": Flag("remove the triggers that this program made, instead")},
    ),
    phase(
        "watch",
        "Say what the last scan of append-only rows found; overdue is an alert (status 1) too.",
        CHANGE
        | {
            "install": Flag("put the scan on its host, take the baseline, and let the host run it"),
            "remove": Flag("take all of it away from that host"),
            "once": Flag("scan now, for another scheduler; exit status 1 is an alert"),
            "accept": Flag("take the rows that the last scan found for what they are to be"),
        },
    ),
    phase(
        "validate",
        "Prove the change in use: its checks, its history, a job of the application.",
        CHANGE
        | {
            "event": Flag(
                "what the application's job is tried on; else something small and due", ""
            )
        },
    ),
    phase(
        "monitor",
        "Follow the logs: alert on spikes and new errors, "
        "and say whether the window may be closed.",
        {flag: said for flag, said in CHANGE.items() if flag != "plan"}
        | {
            "json": Flag(
                "one JSON object a line: alerts and rates as they come, the document at the end"
            ),
            "dry_run": Flag("show exactly what the hosts would be asked"),
            "hours": Flag(
                "how long, from the newest run on that changed the database here; else 24", ""
            ),
            "once": Flag("read what is new since the last time, judge, and end: for a scheduler"),
            "fresh": Flag("forget what was followed so far, and read the baseline again"),
        },
    ),
    phase(
        "export",
        "Write the rows that a rollback would destroy to files, in one snapshot.",
        CHANGE
        | {
            "fetch": Flag("bring the files to this machine as well, checksums compared"),
            "fresh": Flag("export again even when an export of exactly these rows exists"),
        },
    ),
    phase(
        "rollback",
        "Undo exactly what migrate added; refuses without an export of the present rows.",
        CHANGE,
    ),
    phase(
        "run",
        "The whole maintenance window: every phase in order, one plan, one confirmation.",
        CHANGE
        | OUTSIDE
        | {
            "from_": Flag("first phase; what comes before it is left out", ""),
            "until": Flag("last phase; what comes after it is left out", ""),
            "skip": Flag(
                'a phase to leave out and why, as "smoke: no test data"; may be repeated', []
            ),
            "answer": Flag(
                'a manual step answered beforehand, as "snapshot: snap-12"; may be repeated', []
            ),
            "fresh": Flag("take a new backup even when one is young enough"),
            "release": Flag("deploy this branch, tag or commit as well", ""),
            "triggers": Flag("make the change's append-only triggers as well"),
            "event": Flag("what validate tries the application's job on", ""),
            "hours": Flag(
                "follow the logs for so long at the end; the lock is given back before", ""
            ),
        },
    ),
)


@task(
    positional=(),
    auto_shortflags=False,
    help={
        "env": READ["env"].help,
        "json": READ["json"].help,
        "run": "name of the run; else the latest one",
        "markdown": "as text for a ticket",
        "output": "file to write, - for standard output; else one in .runbook/ENV/reports/",
    },
)
def report(
    c: Context,
    env: str | None = None,
    json: bool = False,
    run: str = "latest",
    markdown: bool = False,
    output: str = "",
) -> None:
    """Make a page of what a run did, from its journal alone; opens no connection."""
    hold_stops()
    from runbook.report.command import main  # noqa: PLC0415

    if c.config.run.dry:
        raise Exit("report only writes a file here: type it without --dry", code=2)
    _leave(main(env, HERE, run=run, markdown=markdown, output=output, as_json=json))


@task(
    positional=(),
    auto_shortflags=False,
    help={"env": READ["env"].help, "json": READ["json"].help},
)
def notify(c: Context, env: str | None = None, json: bool = False) -> None:
    """Send a trial notice to everybody whom runs of the environment tell."""
    hold_stops()
    from runbook.command.notify import main  # noqa: PLC0415

    if c.config.run.dry:
        raise Exit("notify only sends: type it without --dry", code=2)
    _leave(main(env, HERE, as_json=json))


def _leave(status: int) -> None:
    """End the process with an exit status, if it is not 0."""
    if status:
        raise Exit(code=status)


namespace = Collection(*PHASES, report, notify, sandbox=sandbox)
