"""Validate: the change holds in use: its checks, its history, and a job of the application."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.application import Validation
from runbook.database.sessions import SqlError
from runbook.database.trials import DONE, REFUSED, subject
from runbook.environment import Environment
from runbook.errors import UsageError
from runbook.hosts.shell import typed
from runbook.options import Options
from runbook.phases import proof, triggers, verify, watch
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Trial
from runbook.plan.steps import Step
from runbook.site import Site
from runbook.sql.change import Change, SqlFile
from runbook.sql.text import quote_string

PHASE = "validate"
FILES = ("subject", "before", "after")
"""The files of a change's `trial/`."""
CHOOSE = "Choose one that is due, or leave --event out: then the smallest is taken."
FREE = "flock -n . true"
"""Whether nobody holds the lock on the login folder: it needs no file of ours."""
ALONE = "exec 9<. && flock -n 9 || { echo 'an earlier run of this job goes on' >&2; exit 75; }"
"""Holds it until the last process that the job starts has ended."""


@dataclass(frozen=True)
class Facts:
    """What a look found.

    `triggers` is None where the change has none; `subject` is what the job
    would be tried on as things are now, empty when there is nothing, and what
    is in the way of that begins with REFUSED or DONE; `watch` is how the scan
    stands that does without triggers, where they do not, and `watched` asks it.
    """

    triggers: triggers.Facts | None = None
    subject: str = ""
    watch: tuple[Finding, ...] = ()
    watched: tuple[Step, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether every trigger of the change stands as the change wants it."""
        return self.triggers is not None and all(c.done for _, c in self.triggers.choices)


def prepare(site: Site, options: Options) -> Plan:
    """Return the plan that proves the change in use."""
    environment, change = site.environment, site.change
    facts = look(site, options.event)
    return Plan(
        environment.name,
        PHASE,
        change.name,
        (
            *verify.steps(environment, change),
            *proofs(environment, facts),
            *steps(environment, change, facts, options.event),
        ),
        (*unguarded(environment, facts), *findings(environment, change, facts, options.event)),
    )


def look(site: Site, event: str) -> Facts:
    """See which triggers stand, and what the job would be tried on; read-only."""
    standing = triggers.look(site) if site.change.triggers else None
    facts = Facts(standing)
    if standing and not facts.guarded:
        watched, found = watch.proof(site, PHASE)
        facts = Facts(standing, watch=found, watched=watched)
    step = _trial(site.environment, site.change, Facts(), event)
    if step is None:
        return facts
    try:
        with site.database.reader() as session:
            return replace(facts, subject=subject(session, event, step.subject))
    except SqlError:  # the run itself will say it, where it still is so
        return facts


def steps(environment: Environment, change: Change, facts: Facts, event: str) -> tuple[Step, ...]:
    """Return the trial of the job, then the checks of the change's `validate/`."""
    step = _trial(environment, change, facts, event)
    return (*((step,) if step else ()), *verify.checks(environment, PHASE, change.validate))


def proofs(environment: Environment, facts: Facts) -> tuple[Step, ...]:
    """Return the proof that the triggers hold, where they stand; else that the watch does."""
    if facts.triggers is None or not facts.guarded:
        return facts.watched
    return proof.steps(environment, facts.triggers.attempts, PHASE)


def unguarded(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Say where nothing keeps the change's rows from being changed later."""
    if facts.triggers is None or facts.guarded:
        return ()
    if facts.watch and all(row.level is Level.OK for row in facts.watch):
        return facts.watch
    tables = ", ".join(triggers.guarded(facts.triggers))
    return (
        Finding(
            "append-only",
            environment.database.label,
            Level.WARNING,
            f"the triggers that keep {tables} append-only do not stand, so nothing is proven of it",
            f"invoke triggers --env={environment.name} makes and proves them; where they cannot be "
            "had, invoke watch does without.",
        ),
        *facts.watch,
    )


def findings(
    environment: Environment, change: Change, facts: Facts, event: str
) -> tuple[Finding, ...]:
    """Say what cannot be proven here, and what would make it possible."""
    if environment.validation is None:
        if not change.trial:
            return ()
        where, detail = environment.name, "no job of the application is tried"
        advice = "The inventory's key validate names one: host, command, report."
    elif facts.subject.startswith(REFUSED):
        refused = facts.subject.removeprefix(REFUSED)
        return (Finding("job", environment.validation.host, Level.REFUSED, refused, CHOOSE),)
    elif facts.subject.startswith(DONE):
        where, detail = environment.validation.host, facts.subject.removeprefix(DONE)
        advice = f"It will be skipped. {CHOOSE}"
    elif not facts.subject:
        where = environment.validation.host
        detail = f"{event or 'nothing'} is there now that it could be tried on"
        advice = "It will be skipped unless something is by then; --event=UID chooses one."
        if event:
            detail, advice = f"there is no {event}", "Look for the event's uid in the database."
            return (Finding("job", where, Level.REFUSED, detail, advice),)
    else:
        return ()
    return (Finding("job", where, Level.WARNING, detail, advice),)


def _trial(environment: Environment, change: Change, facts: Facts, event: str) -> Trial | None:
    job = environment.validation
    if job is None:
        return None
    chosen, before, after = (_texts(change, name) for name in FILES)
    return Trial(
        phase=PHASE,
        title="try the application's job once, and compare what it says with what is",
        where=job.host,
        text=_shown(job, event, chosen, before, after),
        origin=f"{environment.change.parent.name}/{change.name}/trial",
        found=_now(facts.subject),
        timeout=environment.timeouts.job,
        given=event,
        subject=chosen,
        before=before,
        free=FREE,
        command=_alone(job),
        report_key=job.report_key,
        report=job.report,
        after=after,
    )


def _alone(job: Validation) -> str:
    """Return the command that runs the job, unless an earlier run of it goes on."""
    return typed(f"{ALONE}\n{job.command}")


def _now(about: str) -> str:
    return "" if not about or about.startswith((REFUSED, DONE)) else f"now: {about}"


def _shown(job: Validation, event: str, *texts: tuple[str, ...]) -> str:
    """Return all that is sent, in its order, for a person to read or to do by hand."""
    chosen, before, after = (";\n".join(each) + ";" for each in texts)
    given = quote_string(event) if event else "NULL"
    return "\n".join(
        (
            f"/* first, on {job.host}, until no earlier run of the job goes on: */",
            FREE,
            f"SET @subject = {given};",
            chosen,
            before,
            f"/* then, on {job.host}: */",
            _alone(job),
            f"/* the lines of its output whose {job.report_key} is {job.report}, as an array: */",
            "SET @report = :report;",
            after,
        )
    )


def _texts(change: Change, name: str) -> tuple[str, ...]:
    file: SqlFile | None = next((file for file in change.trial if file.stem == name), None)
    if file is None:
        raise UsageError(
            f"{change.name}/trial/{name}.sql: no such file",
            advice="The inventory's key validate wants the change to have trial/subject.sql, "
            "before.sql and after.sql; see sql/README.md.",
        )
    return tuple(statement.text for statement in file.statements)
