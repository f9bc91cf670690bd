"""Export: the rows that a rollback would destroy, as files on the backup host."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from runbook.database import guards
from runbook.database.guards import Choice
from runbook.database.sessions import Session, SqlError
from runbook.database.settings import snapshot_settings
from runbook.environment import Environment
from runbook.errors import Refusal
from runbook.exports import finding
from runbook.exports import saved as exports
from runbook.exports.finding import Rows
from runbook.exports.queries import Census, Query
from runbook.exports.saved import MANIFEST, SCRIPT, Saved
from runbook.exports.survey import describe, take_census
from runbook.options import Options
from runbook.perform.export import CLOCK
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Export
from runbook.plan.steps import FetchExport
from runbook.site import Site
from runbook.sql.sources import sources
from runbook.units import counted

PHASE = "export"
PASSED_OVER = "It counts for nothing and is passed over; somebody should look at it."


@dataclass(frozen=True)
class Asked:
    """A query that the change's files ask for here, and its rows at the time of the look.

    `seconds` is how long it took to count and sum them up.
    """

    query: Query
    census: Census
    seconds: float

    @property
    def wanted(self) -> Rows:
        """What an export must hold, to hold these rows."""
        return (self.query, self.census)


@dataclass(frozen=True)
class Facts:
    """What a look found: the queries, what their files refuse, and the newest exports."""

    asked: tuple[Asked, ...]
    refused: tuple[Choice, ...]
    saved: tuple[Saved, ...]
    mariadb: bool

    def exported(self, asked: Asked) -> Saved | None:
        """Return an export with exactly the rows that this query has now."""
        return finding.holder(self.saved, (asked.wanted,))

    @property
    def complete(self) -> Saved | None:
        """An export with exactly the present rows of every query."""
        wanted = tuple(asked.wanted for asked in self.asked)
        return finding.holder(self.saved, wanted) if wanted else None

    @property
    def newest(self) -> Saved | None:
        """The newest export: one that is whole, if any is."""
        return next((one for one in self.saved if not one.defect), next(iter(self.saved), None))


def prepare(site: Site, options: Options) -> Plan:
    """Look, and return the plan of an export; it is done when one of these very rows exists."""
    environment, change = site.environment, site.change
    facts = look(site)
    refused = tuple(
        Finding(
            choice.origin,
            environment.database.label,
            Level.REFUSED,
            choice.refused,
            "Nothing can be exported until this is decided.",
        )
        for choice in facts.refused
    )
    step = _step(environment, change.name, facts, fresh=options.fresh)
    kept = None if options.fresh else facts.complete
    fetch = (_fetch(environment, change.name, kept),) if options.fetch and facts.asked else ()
    found = (*refused, *unlockable(environment, facts.asked), *findings(facts))
    return Plan(environment.name, PHASE, change.name, (step, *fetch), found)


def look(site: Site) -> Facts:
    """Count and sum up what is there to export, and look at the newest exports; read-only."""
    hosts, environment = site.hosts, site.environment
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = pool.submit(finding.newest, hosts, environment, site.change.name)
        choices = tuple(
            (_stem(file.stem, number), choice)
            for file in site.change.export
            for number, choice in enumerate(guards.choose(site.reader, file, take_reads=True), 1)
        )
        with site.database.snapshot() as session:
            asked = tuple(
                _ask(session, stem, choice)
                for stem, choice in choices
                if not choice.done and not choice.refused
            )
        refused = tuple(choice for _, choice in choices if choice.refused)
        saved = finding.proved(
            ahead.result(),
            tuple(one.wanted for one in asked),
            lambda one: finding.prove(hosts, environment, one),
        )
        return Facts(asked, refused, saved, session.server.is_mariadb)


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Return what was passed over: it bears the name of a newer export, and is no whole one."""
    return tuple(
        Finding("export", one.folder, Level.WARNING, one.defect, PASSED_OVER)
        for one in finding.passed(facts.saved, facts.complete)
    )


def unlockable(environment: Environment, asked: tuple[Asked, ...]) -> tuple[Finding, ...]:
    """Return the queries that a rollback could not compare while it keeps their tables locked.

    It locks what the columns come from, and a server lets a locked table be
    read once under each name that it is locked by.
    """
    found = []
    for one in asked:
        query, names = one.query, {c.alias.lower() for c in one.query.columns}
        read = [source.alias.lower() for source in sources(query.select)]
        if missing := [name for name in dict.fromkeys(read) if name not in names]:
            said = f"reads {', '.join(missing)} without selecting a column straight from it"
            advice = "Select one of its columns as well, or leave it out."
        elif twice := [name for name in dict.fromkeys(read) if read.count(name) > 1]:
            said = f"reads {', '.join(twice)} more than once under one name"
            advice = "Give each of them an alias of its own."
        else:
            continue
        detail = f"{said}: a rollback could not compare its rows behind the tables' lock"
        found.append(
            Finding(query.origin, environment.database.label, Level.REFUSED, detail, advice)
        )
    return tuple(found)


def text(environment: Environment, queries: tuple[Query, ...], *, mariadb: bool) -> str:
    """Return all that an export sends: to the database, and what it leaves on the host."""
    where = exports.folder(environment, environment.change.name)
    statements = [*snapshot_settings(environment, mariadb), CLOCK]
    for query in queries:
        statements += [query.census, query.select]
    files = ", ".join((*(query.file for query in queries), SCRIPT, MANIFEST))
    sent = "".join(f"{statement};\n" for statement in (*statements, "COMMIT"))
    return f"{sent}-- by SFTP, when complete: {where}/<UTC time>/ with {files}"


def _ask(session: Session, stem: str, choice: Choice) -> Asked:
    began = time.monotonic()
    try:
        query = describe(session, stem, choice.text, choice.origin)
        return Asked(query, take_census(session, query), time.monotonic() - began)
    except SqlError as error:
        raise Refusal(
            f"{choice.origin}: {error.message}",
            advice=error.advice or "The query itself fails: mend the file.",
        ) from error


def _step(environment: Environment, change: str, facts: Facts, *, fresh: bool) -> Export:
    queries = tuple(asked.query for asked in facts.asked)
    stems = ", ".join(query.stem for query in queries)
    where = exports.folder(environment, change)
    done = not queries or (facts.complete is not None and not fresh)
    return Export(
        phase=PHASE,
        title=f"{stems} into {where}" if queries else "nothing",
        where=environment.backup.host,
        text=text(environment, queries, mariadb=facts.mariadb),
        origin=", ".join(query.origin for query in queries),
        found=_found(facts),
        done=done,
        timeout=environment.timeouts.statement,
        change=change,
        queries=queries,
        folder=where,
    )


def _fetch(environment: Environment, change: str, kept: Saved | None) -> FetchExport:
    remote = exports.folder(environment, change)
    local = str(environment.state / environment.name / "exports" / change)
    return FetchExport(
        phase=PHASE,
        title=f"copy the export of these rows to {local}",
        where=environment.backup.host,
        text=f"sftp: get {remote}/<UTC time>/*; compare the checksums",
        remote=remote,
        local=local,
        kept=kept.name if kept else "",
        timeout=environment.timeouts.job,
    )


def _found(facts: Facts) -> str:
    if not facts.asked:
        return "nothing of what would be exported is there"
    counts = ", ".join(f"{counted(a.census.rows, 'row')} of {a.query.stem}" for a in facts.asked)
    if facts.complete:
        return f"{counts}; exactly these are in {facts.complete.folder}"
    if facts.newest is None:
        return f"{counts}; no export is there"
    return f"{counts}; the newest export, {facts.newest.folder}, is not of exactly these"


def _stem(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"
