"""Every command's phase, by name."""

from __future__ import annotations

from runbook.command.invocation import Phase
from runbook.phases import (
    ahead,
    backup,
    deploy,
    export,
    maintenance,
    migrate,
    monitor,
    restore,
    rollback,
    smoke,
    status,
    triggers,
    validate,
    verify,
    watch,
)

COMMANDS = {
    phase.name: phase
    for phase in (
        Phase("preflight", ahead.prepare, locks=False, report=True),
        Phase("backup", backup.prepare),
        Phase("restore", restore.prepare),
        Phase("deploy", deploy.prepare),
        Phase("migrate", migrate.prepare),
        Phase("verify", verify.prepare, locks=False),
        Phase("triggers", triggers.prepare),
        Phase("watch", watch.prepare, locks=watch.changes),
        Phase("smoke", smoke.prepare),
        Phase("validate", validate.prepare),
        Phase("monitor", monitor.prepare, locks=False, lines=True),
        Phase("export", export.prepare),
        Phase("rollback", rollback.prepare),
        Phase("run", maintenance.prepare),
        Phase("status", status.prepare, locks=False, report=True),
    )
}
