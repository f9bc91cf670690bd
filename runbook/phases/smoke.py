"""Smoke: the application's own integration tests on one of its hosts, counted from their report."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.application import Smoke
from runbook.database import appendonly
from runbook.database.appendonly import AppendOnly
from runbook.environment import Environment
from runbook.errors import Refusal, UsageError
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.hosts.shell import quote, script
from runbook.options import Options
from runbook.phases import wanted
from runbook.phases.preflight import needs
from runbook.phases.preflight.needs import Account
from runbook.placeholders import PLACEHOLDER, fill
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Suite
from runbook.site import Site
from runbook.units import age

PHASE = "smoke"
MISSING = """\
smoke:
  host: app1
  command: cd /srv/app/current && npx jest tests/smoke -i --json --outputFile={report}"""


@dataclass(frozen=True)
class Facts:
    """What a look found: the tests that run already, the account, and triggers in their way.

    `tables` are those of the change that are there.
    """

    job: State
    account: Account
    tables: tuple[str, ...]
    standing: tuple[AppendOnly, ...]


def prepare(site: Site, _options: Options) -> Plan:
    """Return the plan that runs the tests."""
    environment = site.environment
    facts = look(site)
    found = findings(environment, facts)
    if any(not each.done for each in wanted.look(site).wanted):
        found = (*found, _pending(environment))
    return Plan(environment.name, PHASE, site.change.name, steps(environment, facts), found)


def look(site: Site) -> Facts:
    """See what stands in the way of tests that delete their rows; read-only.

    Raises:
        UsageError: the inventory names no tests.
        Refusal: their host cannot be looked at.
    """
    smoke = section(site.environment)
    seen = site.hosts.run(smoke.host, jobs.watch(_folder(smoke)))
    if not seen.ok:
        raise Refusal(
            f"{smoke.host}: the look at its tests failed: {' '.join(seen.tail(1))}",
            advice="It needs bash, flock, setsid and the usual Unix tools.",
        )
    tables = appendonly.concerned(site.reader, site.change)
    return Facts(
        jobs.parse(tuple(seen.out.splitlines())),
        needs.look(site.reader),
        tables,
        appendonly.standing(site.reader, tables),
    )


def section(environment: Environment) -> Smoke:
    """Return the inventory's section. Raises UsageError where there is none."""
    if environment.smoke is None:
        raise UsageError(
            f"{environment.name} has no key smoke in the inventory: {environment.source}",
            advice=f"It says which tests run where, such as\n{MISSING}",
        )
    return environment.smoke


def steps(environment: Environment, facts: Facts) -> tuple[Suite, ...]:
    """Return the one step that runs the tests; those that run already are the same step."""
    smoke = section(environment)
    job = _folder(smoke)
    command = _command(smoke)
    running = facts.job.running and facts.job.name == jobs.task_name(command)
    attaches = f"they run since {age(facts.job.seconds)}: attaches to them"
    suite = Suite(
        phase=PHASE,
        title="run the integration tests",
        where=smoke.host,
        text=jobs.task(job, command),
        watch=script(f"{jobs.part('watch')}\n{jobs.part('follow')}\nfollow {quote(job)}"),
        origin=environment.at("smoke.command"),
        found=attaches if running else "",
        cost="they write and delete rows of their own",
        timeout=smoke.timeout,
        estimate=smoke.timeout,
    )
    return (suite,)


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Refuse where rows that the tests write could not be deleted any more."""
    where = environment.database.label
    what = "append-only triggers"
    if facts.standing:
        named = ", ".join(f"{one.trigger} on {one.table}" for one in facts.standing)
        return (
            Finding(
                what,
                where,
                Level.REFUSED,
                f"{named}: integration tests delete the rows that they made, and no row can be "
                "deleted there",
                "Run them before the triggers are made (invoke triggers --remove takes ours "
                "away), or where there are none.",
            ),
        )
    database = facts.account.database
    unseen = [t for t in facts.tables if not facts.account.grants.holds("TRIGGER", database, t)]
    if unseen:
        detail = f"whether there are any on {', '.join(unseen)} is not shown to this account"
        return (Finding(what, where, Level.WARNING, detail, facts.account.grant(("TRIGGER",))),)
    return ()


def _pending(environment: Environment) -> Finding:
    return Finding(
        "change",
        environment.database.label,
        Level.WARNING,
        "it is not migrated here yet: tests of what it brings will fail",
        f"First: invoke migrate --env={environment.name}",
    )


def _folder(smoke: Smoke) -> str:
    return f"{fill(smoke.folder, host=smoke.host)}/tests"


def _command(smoke: Smoke) -> str:
    """Return the job: the tests, ended when their time is over, and a report of this run only."""
    reports = "report" in PLACEHOLDER.findall(smoke.command)
    return "\n".join(
        (
            'report=$(cd "$job" && pwd)/report',
            'rm -f "$report"',
            "tests() {",
            fill(smoke.command, report='"$report"'),
            "}",
            "export report",
            "export -f tests",
            f"timeout -k 10 {max(1, round(smoke.timeout))} bash -eo pipefail -c tests"
            + ("" if reports else ' >"$report"'),
        )
    )
