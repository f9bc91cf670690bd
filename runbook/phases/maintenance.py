"""The maintenance window: all phases in the runbook's order, as one plan with one digest."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.application import Manual
from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.options import Options
from runbook.phases import (
    ahead,
    backup,
    deploy,
    migrate,
    monitor,
    smoke,
    triggers,
    validate,
    verify,
)
from runbook.plan.order import ORDER, left_out, named
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Ask, Skip, Step
from runbook.site import Site
from runbook.sql.change import Change

PHASE = "run"


@dataclass(frozen=True)
class Part:
    """What one phase brings: its steps and findings, or why it brings none.

    `instead` is what its steps may have been before somebody took a backup,
    `release` what the name of the release stands for now.
    """

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    without: str = ""
    instead: tuple[tuple[Step, ...], ...] = ()
    notes: tuple[str, ...] = ()
    release: str = ""


def prepare(site: Site, options: Options) -> Plan:
    """Look at everything at once and return the whole window as one plan."""
    environment, change = site.environment, site.change
    why = left_out(options)
    if environment.runner and "verify" in why and "migrate" not in why:
        raise UsageError(
            f"verify is left out ({why['verify']}), and only it can tell whether the application's "
            "own runner has migrated",
            advice="Leave out migrate as well, or neither: --until=verify is possible.",
        )
    answers = named(
        options.answer, tuple(m.name for m in environment.manual), "--answer", "the answer"
    )
    parts = _parts(site, options, why)
    found = (
        *(row for part in parts.values() for row in part.findings),
        *_unsaved(environment, parts, why),
    )
    steps = _steps(environment, parts, why, answers)
    taken = parts.get("backup", Part())
    instead = tuple(
        _steps(environment, {**parts, "backup": replace(taken, steps=before)}, why, answers)
        for before in taken.instead
    )
    pinned = replace(options, release=next((p.release for p in parts.values() if p.release), ""))
    return Plan(
        environment.name,
        PHASE,
        change.name,
        steps,
        found,
        tuple(note for part in parts.values() for note in part.notes),
        command=f"invoke {PHASE} --env={environment.name}{pinned.flags}",
        instead=instead,
    )


def _steps(
    environment: Environment, parts: dict[str, Part], why: dict[str, str], answers: dict[str, str]
) -> tuple[Step, ...]:
    """Return the steps of all parts, what is asked before them, and why some are left out."""
    steps: list[Step] = []
    for phase, part in parts.items():
        reason = why.get(phase) or part.without
        if reason:
            steps.append(_skip(environment, phase, reason))
            continue
        if any(not step.done for step in part.steps):
            steps += _asks(environment, phase, answers)
        steps += part.steps
    return tuple(steps)


def _parts(site: Site, options: Options, why: dict[str, str]) -> dict[str, Part]:
    """Return what each phase brings, in their order; what is left out is not looked at."""
    environment, change = site.environment, site.change
    seen = ahead.look(site)
    parts = {"preflight": Part(findings=ahead.findings(environment, seen))}
    if seen.wanted is None or seen.dumps is None:
        return parts  # the findings say why nothing can be planned
    taken, *instead = (
        backup.steps(
            environment,
            seen.dumps,
            fresh=options.fresh,
            newest=seen.wanted.book.undone,
            counting=counting,
        )
        for counting in backup.Counting
    )
    parts["backup"] = Part(taken, instead=tuple(instead))
    parts["migrate"] = Part(
        (*seen.wanted.records, *migrate.steps(environment, change, seen.wanted, seen.runner))
    )
    parts["verify"] = Part(verify.steps(environment, change))
    if "deploy" not in why:
        parts["deploy"] = _deploy(site, options)
    if "smoke" not in why:
        parts["smoke"] = _smoke(site, environment)
    if "triggers" not in why:
        parts["triggers"] = _triggers(site, options, made="migrate" not in why)
    if "validate" not in why:
        proven = "triggers" in parts and bool(parts["triggers"].steps)
        parts["validate"] = _validate(site, environment, change, options.event, proven=proven)
    if "monitor" not in why:
        parts["monitor"] = _monitor(site, options)
    return {name: parts.get(name, Part(without=why.get(name, ""))) for name in ORDER}


def _deploy(site: Site, options: Options) -> Part:
    """Return the roll of the release that was named; a window need not have one."""
    if not options.release:
        return Part(without="no release was named: --release=NAME deploys one")
    facts = deploy.look(site, options.release)
    environment = site.environment
    return Part(
        deploy.steps(environment, facts),
        deploy.findings(environment, facts),
        notes=deploy.notes(facts),
        release=facts.release,
    )


def _smoke(site: Site, environment: Environment) -> Part:
    """Return the tests, where they may run: a window need not have them."""
    if "smoke" in environment.policy.never:
        return Part(without=f"policy.never forbids it in {environment.name}")
    if environment.smoke is None:
        return Part(without="the inventory names no tests: its key smoke is not there")
    facts = smoke.look(site)
    if facts.standing:
        return Part(without="append-only triggers stand, and tests delete the rows they made")
    return Part(smoke.steps(environment, facts), smoke.findings(environment, facts))


def _triggers(site: Site, options: Options, *, made: bool) -> Part:
    """Return the triggers; unless their tables are `made` before, they must be there."""
    environment, change = site.environment, site.change
    if options.triggers:
        triggers.refuse_without(change)
    if not change.triggers:
        return Part()
    facts = triggers.look(site)
    if not options.triggers and not facts.standing:
        return Part(without="not asked for: --triggers makes them")
    found = triggers.findings(environment, facts)
    missing = () if made else triggers.absent(environment, facts)
    return Part(triggers.steps(environment, change, facts), (*found, *missing))


def _validate(
    site: Site, environment: Environment, change: Change, event: str, *, proven: bool
) -> Part:
    """Return the validation; what triggers prove is left to their own phase, where it is there."""
    facts = validate.look(site, event)
    proofs = () if proven else validate.proofs(environment, facts)
    unguarded = () if proven else validate.unguarded(environment, facts)
    return Part(
        (*proofs, *validate.steps(environment, change, facts, event)),
        (*unguarded, *validate.findings(environment, change, facts, event)),
    )


def _unsaved(
    environment: Environment, parts: dict[str, Part], why: dict[str, str]
) -> tuple[Finding, ...]:
    """Warn of a migration that begins without a backup."""
    asked = "migrate" in parts and "migrate" not in why
    if "backup" not in why or not asked or all(step.done for step in parts["migrate"].steps):
        return ()
    detail = f"left out ({why['backup']}), and the migration would change the database"
    advice = f"invoke backup --env={environment.name} takes one."
    return (Finding("backup", environment.backup.host, Level.WARNING, detail, advice),)


def _monitor(site: Site, options: Options) -> Part:
    """Return the following of the logs, for as long as was asked for."""
    if not options.hours:
        return Part(without="not asked for: --hours=24 follows the logs for a day")
    wanted = replace(options, fresh=False)  # that is about the backup here
    return Part(
        monitor.steps(site.environment, wanted),
        monitor.findings(site.environment, monitor.look(site, wanted)),
    )


def _skip(environment: Environment, phase: str, reason: str) -> Skip:
    return Skip(phase=phase, title="left out", where=environment.name, text=reason)


def _asks(environment: Environment, phase: str, answers: dict[str, str]) -> list[Ask]:
    return [
        _ask(environment, m, answers.get(m.name)) for m in environment.manual if m.before == phase
    ]


def _ask(environment: Environment, manual: Manual, answer: str | None) -> Ask:
    return Ask(
        phase=manual.before,
        title=manual.name,
        where="operator",
        text=manual.ask,
        origin=environment.at(f"manual.{manual.name}.ask"),
        found=f"answered beforehand: {answer}" if answer else "",
        answer=answer,
    )
