"""The commands: each a few lines. `invoke --list` shows them, `invoke --help TASK` explains one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from runbook.options import Options
from sandbox.tasks import sandbox

HERE = Path(__file__).resolve().parent

READ = {
    "env": "environment of inventory.yaml",
    "json": "one JSON document on standard output, and nothing else there",
}
CHANGE = READ | {
    "dry-run": "show exactly what would happen; nothing can be written",
    "plan": "run only the plan to which a preview gave this digest",
}
FULL = {"full": "with --dry-run: this program's own host scripts whole, not only named"}
OUTSIDE = {"outside-window": "change things although no window is open, for this reason"}
command = {"positional": (), "auto_shortflags": False}


@task(**command, help=READ)
def status(c: Context, env: str | None = None, json: bool = False) -> None:
    """Where the environment stands, and the next command to type."""
    _run(c, "status", env, json)


@task(**command, help=READ | {"dry-run": "the same: preflight only looks"})
def preflight(
    c: Context, env: str | None = None, json: bool = False, dry_run: bool = False
) -> None:
    """Check hosts, database, grants, space and health; changes nothing."""
    _run(c, "preflight", env, json, dry_run=dry_run)


@task(
    **command,
    help=CHANGE
    | FULL
    | {
        "fetch": "bring the dump to this machine as well, checksum compared",
        "fresh": "dump even when a verified backup is young enough",
    },
)
def backup(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    fetch: bool = False,
    fresh: bool = False,
) -> None:
    """Dump the database on its backup host, verify the dump, keep the newest."""
    _run(c, "backup", env, json, dry_run=dry_run, full=full, plan=plan, fetch=fetch, fresh=fresh)


@task(
    **command,
    help=CHANGE
    | FULL
    | {
        "backup": "name of the dump, or latest",
        "into": "name of the new database; an existing one is never touched",
    },
)
def restore(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    backup: str = "latest",
    into: str = "",
) -> None:
    """Load a backup into a new database and compare it with its manifest."""
    _run(c, "restore", env, json, dry_run=dry_run, full=full, plan=plan, backup=backup, into=into)


@task(
    **command,
    help=CHANGE
    | FULL
    | OUTSIDE
    | {"release": "branch, tag, commit or digest to run on every host"},
)
def deploy(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    release: str = "",
    outside_window: str = "",
) -> None:
    """Bring a release to the application's hosts, one batch after the other."""
    _run(
        c,
        "deploy",
        env,
        json,
        dry_run=dry_run,
        full=full,
        plan=plan,
        release=release,
        outside_window=outside_window,
    )


@task(
    **command,
    help=CHANGE | FULL | OUTSIDE | {"fresh": "take a new backup even when one is young enough"},
)
def migrate(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    fresh: bool = False,
    outside_window: str = "",
) -> None:
    """Preflight, backup, migrate and verify: one plan, one digest, one confirmation."""
    _run(
        c,
        "migrate",
        env,
        json,
        dry_run=dry_run,
        full=full,
        plan=plan,
        fresh=fresh,
        outside_window=outside_window,
    )


@task(**command, help=READ | {"dry-run": "show the checks instead of running them"})
def verify(c: Context, env: str | None = None, json: bool = False, dry_run: bool = False) -> None:
    """Run the change's checks; the exit status says whether all hold."""
    _run(c, "verify", env, json, dry_run=dry_run)


@task(**command, help=CHANGE | FULL | OUTSIDE)
def smoke(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    outside_window: str = "",
) -> None:
    """Run the application's integration tests on a host, counted from their own report."""
    _run(
        c, "smoke", env, json, dry_run=dry_run, full=full, plan=plan, outside_window=outside_window
    )


@task(
    **command,
    help=CHANGE
    | FULL
    | {"event": "what the application's job is tried on; else something small and due"},
)
def validate(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    event: str = "",
) -> None:
    """Prove the change in use: its checks, its history, a job of the application."""
    _run(c, "validate", env, json, dry_run=dry_run, full=full, plan=plan, event=event)


@task(
    **command,
    help=CHANGE
    | FULL
    | {
        "fetch": "bring the files to this machine as well, checksums compared",
        "fresh": "export again even when an export of exactly these rows exists",
    },
)
def export(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    fetch: bool = False,
    fresh: bool = False,
) -> None:
    """Write the rows that a rollback would destroy to files, in one snapshot."""
    _run(c, "export", env, json, dry_run=dry_run, full=full, plan=plan, fetch=fetch, fresh=fresh)


@task(
    **command,
    help=CHANGE
    | FULL
    | OUTSIDE
    | {"remove": "remove the triggers that this program made, instead"},
)
def triggers(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    remove: bool = False,
    outside_window: str = "",
) -> None:
    """Make the change's triggers and prove that they hold; --remove is the undo."""
    _run(
        c,
        "triggers",
        env,
        json,
        dry_run=dry_run,
        full=full,
        plan=plan,
        remove=remove,
        outside_window=outside_window,
    )


@task(
    **command,
    help=CHANGE
    | FULL
    | {
        "install": "put the scan on its host, take the baseline, and let the host run it",
        "remove": "take all of it away from that host",
        "once": "scan now, for another scheduler; exit status 1 is an alert",
        "accept": "take the rows that the last scan found for what they are to be",
    },
)
def watch(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    install: bool = False,
    remove: bool = False,
    once: bool = False,
    accept: bool = False,
) -> None:
    """Say what the last scan of append-only rows found; overdue is an alert (status 1) too."""
    chosen = {"install": install, "remove": remove, "once": once, "accept": accept}
    _run(c, "watch", env, json, dry_run=dry_run, full=full, plan=plan, **chosen)


@task(
    **command,
    help=READ
    | FULL
    | {
        "json": "one JSON object a line: alerts and rates as they come, the document at the end",
        "dry-run": "show exactly what the hosts would be asked",
        "hours": "how long, from the newest run on that changed the database here; else 24",
        "once": "read what is new since the last time, judge, and end: for a scheduler",
        "fresh": "forget what was followed so far, and read the baseline again",
    },
)
def monitor(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    hours: str = "",
    once: bool = False,
    fresh: bool = False,
) -> None:
    """Follow the logs: alert on spikes and new errors, and say whether the window may be closed."""
    _run(c, "monitor", env, json, dry_run=dry_run, full=full, hours=hours, once=once, fresh=fresh)


@task(**command, help=CHANGE | FULL)
def rollback(
    c: Context,
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
) -> None:
    """Undo exactly what migrate added; refuses without an export of the present rows."""
    _run(c, "rollback", env, json, dry_run=dry_run, full=full, plan=plan)


@task(
    **command,
    iterable=["skip", "answer"],
    help=CHANGE
    | FULL
    | OUTSIDE
    | {
        "from": "first phase; what comes before it is left out",
        "until": "last phase; what comes after it is left out",
        "skip": 'a phase to leave out and why, as "smoke: no test data"; may be repeated',
        "answer": 'a manual step answered beforehand, as "snapshot: snap-12"; may be repeated',
        "fresh": "take a new backup even when one is young enough",
        "release": "deploy this branch, tag or commit as well",
        "triggers": "make the change's append-only triggers as well",
        "event": "what validate tries the application's job on",
        "hours": "follow the logs for so long at the end; the lock is given back before",
    },
)
def run(
    c: Context,
    skip: list[str],
    answer: list[str],
    env: str | None = None,
    json: bool = False,
    dry_run: bool = False,
    full: bool = False,
    plan: str | None = None,
    from_: str = "",
    until: str = "",
    fresh: bool = False,
    release: str = "",
    triggers: bool = False,
    event: str = "",
    hours: str = "",
    outside_window: str = "",
) -> None:
    """The whole maintenance window: every phase in order, one plan, one confirmation."""
    _run(
        c,
        "run",
        env,
        json,
        dry_run=dry_run,
        full=full,
        plan=plan,
        first=from_,
        last=until,
        skip=tuple(skip),
        answer=tuple(answer),
        fresh=fresh,
        release=release,
        triggers=triggers,
        event=event,
        hours=hours,
        outside_window=outside_window,
    )


@task(
    **command,
    help=READ
    | {
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
    from runbook.report.command import main  # noqa: PLC0415

    if c.config.run.dry:
        raise Exit("report only writes a file here: type it without --dry", code=2)
    code = main(env, HERE, run=run, markdown=markdown, output=output, as_json=json)
    if code:
        raise Exit(code=code)


@task(**command, help=READ)
def notify(c: Context, env: str | None = None, json: bool = False) -> None:
    """Send a trial notice to everybody whom runs of the environment tell."""
    from runbook.notify import main  # noqa: PLC0415

    if c.config.run.dry:
        raise Exit("notify only sends: type it without --dry", code=2)
    code = main(env, HERE, as_json=json)
    if code:
        raise Exit(code=code)


def _run(c: Context, name: str, env: str | None, json: bool, **options: Any) -> None:
    """Start a command; what it needs is imported only now, so that --list is quick."""
    from runbook.commands import COMMANDS  # noqa: PLC0415
    from runbook.session import main  # noqa: PLC0415

    # Invoke's own --dry runs the bodies of tasks all the same: take it as ours.
    dry_run = bool(options.pop("dry_run", False) or c.config.run.dry)
    chosen = Options(dry_run=dry_run, as_json=json, **options)
    code = main(COMMANDS[name], env, chosen, HERE, typed=True)
    if code:
        raise Exit(code=code)


namespace = Collection(
    *(status, preflight, backup, restore, deploy, migrate, verify, smoke, triggers, watch),
    *(validate, monitor, export, rollback, run, report, notify),
)
namespace.add_collection(sandbox, "sandbox")
