"""Verify: the change's own checks, each row expected against actual."""

from __future__ import annotations

from runbook.environment import Environment
from runbook.options import Options
from runbook.site import Site
from runbook.sql.change import Change, SqlFile
from runbook.steps import Check, Plan

PHASE = "verify"


def prepare(site: Site, _options: Options) -> Plan:
    """Return the plan that runs every check of the change."""
    environment, change = site.environment, site.change
    return Plan(environment.name, PHASE, change.name, steps(environment, change))


def steps(environment: Environment, change: Change) -> tuple[Check, ...]:
    """Return one check a file of the change's `verify/`."""
    return checks(environment, PHASE, change.verify)


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
