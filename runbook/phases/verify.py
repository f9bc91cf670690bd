"""Verify: the change's own checks, each row expected against actual."""

from __future__ import annotations

from runbook.database.guards import CHUNK
from runbook.environment import Environment
from runbook.options import Options
from runbook.phases.preflight import tables
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Check
from runbook.site import Site
from runbook.sql.change import Change, SqlFile
from runbook.sql.text import user_variables
from runbook.units import counted

PHASE = "verify"


def prepare(site: Site, _options: Options) -> Plan:
    """Return the plan that runs every check of the change, told where it is not migrated yet."""
    environment, change = site.environment, site.change
    found = _ahead(environment, tables.wanted(site.reader, change))
    after = f"invoke migrate --env={environment.name} --dry-run" if found else ""
    return Plan(environment.name, PHASE, change.name, steps(environment, change), found, next=after)


def steps(environment: Environment, change: Change) -> tuple[Check, ...]:
    """Return one check a file of the change's `verify/`."""
    return checks(environment, PHASE, change.verify)


def _ahead(environment: Environment, wanted: tuple[str, ...]) -> tuple[Finding, ...]:
    """Say how much of the migration is still ahead; a chunked statement is never known to be."""
    ahead = [text for text in wanted if not user_variables(text) & CHUNK]
    if not ahead:
        return ()
    detail = f"the change is not migrated here: {counted(len(ahead), 'statement')} still to run"
    return (Finding("migration", environment.database.label, Level.PENDING, detail),)


def checks(environment: Environment, phase: str, files: tuple[SqlFile, ...]) -> tuple[Check, ...]:
    """Return one check a file."""
    return tuple(
        Check(
            phase=phase,
            title=file.stem,
            where=environment.database.label,
            text=";\n".join(statement.text for statement in file.statements),
            statements=tuple(statement.text for statement in file.statements),
            origin=file.path,
            timeout=environment.timeouts.query,
        )
        for file in files
    )
