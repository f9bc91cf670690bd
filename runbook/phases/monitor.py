"""Monitor: follows the application's logs after a change, and tells what is unusual in them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runbook.database.recent import Recent, recent
from runbook.environment import Environment
from runbook.errors import RunbookError, UsageError
from runbook.monitor import asking, sources
from runbook.monitor.of_file import FileSource
from runbook.monitor.watch import OFF
from runbook.options import Options
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Feed, Follow
from runbook.site import Site
from runbook.units import age, counted, iso, size

PHASE = "monitor"
MISSING = """\
logs:
  api: {role: app, file: /var/log/shop/api.log}
  worker: {role: worker, unit: shop-worker}
  web: {role: app, command: "docker logs --since {since} --timestamps web 2>&1"}"""
HOURS, MOST_HOURS = 24, 24 * 14
LITTLE = 1 << 16
"""Bytes of a log that a look asks for."""


@dataclass(frozen=True)
class Seen:
    """What a look saw of one log on one host: how much there is, or why it cannot be read.

    `skew` is how many seconds the host's clock is ahead of ours.
    """

    said: str
    problem: str
    skew: float


@dataclass(frozen=True)
class Facts:
    """What a look found: each log, and when this database was last changed.

    `unknown` is why the latter could not be seen.
    """

    seen: dict[Feed, Seen | RunbookError]
    changed: Recent | None
    unknown: str = ""


def prepare(site: Site, options: Options) -> Plan:
    """Return the plan that follows the logs."""
    environment = site.environment
    planned = steps(environment, options)
    found = findings(environment, look(site, options))
    return Plan(environment.name, PHASE, site.change.name, planned, found)


def look(site: Site, options: Options) -> Facts:
    """See whether each log can be read, and since when it is to be judged; read-only.

    Raises:
        UsageError: the inventory names no logs, or the hours are none.
    """
    feeds, within = _feeds(site.environment), hours(options) * 3600

    def read(host: str) -> dict[Feed, Seen]:
        return {feed: _see(site, feed) for feed in feeds if feed.host == host}

    seen: dict[Feed, Seen | RunbookError] = {}
    for host, found in site.hosts.each((feed.host for feed in feeds), read).items():
        if isinstance(found, RunbookError):
            seen |= dict.fromkeys((feed for feed in feeds if feed.host == host), found)
        else:
            seen |= found
    try:
        return Facts(seen, recent(site.reader, within))
    except RunbookError as error:
        return Facts(seen, None, error.message)


def steps(environment: Environment, options: Options) -> tuple[Follow, ...]:
    """Return the one step that follows all logs at once.

    Raises:
        UsageError: the inventory names no logs, or the hours are none.
    """
    feeds, monitor = _feeds(environment), environment.monitor
    names = ", ".join(dict.fromkeys(feed.log for feed in feeds))
    lasting = hours(options)
    texts = dict.fromkeys(feed.text for feed in feeds)
    on = {text: ", ".join(f.host for f in feeds if f.text == text) for text in texts}
    follow = Follow(
        phase=PHASE,
        title=f"read what is new in {names}"
        if options.once
        else f"follow {names} for {lasting:g} h",
        where=", ".join(dict.fromkeys(feed.host for feed in feeds)),
        text="\n\n".join(
            f"# on {on[text]}; standard input says what is wanted\n{text}" for text in texts
        ),
        origin=environment.at("logs"),
        cost=f"each host is asked every {age(monitor.interval)}; the first time, for its baseline "
        f"of {age(monitor.baseline)} (at most {size(monitor.history)} of a log)",
        timeout=lasting * 3600,
        feeds=feeds,
        hours=lasting,
        once=options.once,
        fresh=options.fresh,
    )
    return (follow,)


def findings(environment: Environment, facts: Facts) -> tuple[Finding, ...]:
    """Return what was seen of each log, and what it will be compared with."""
    errors = [seen for seen in facts.seen.values() if isinstance(seen, RunbookError)]
    level = Level.REFUSED if len(errors) == len(facts.seen) else Level.WARNING
    return (
        *(_finding(feed, seen, level) for feed, seen in facts.seen.items()),
        *_clocks(facts),
        _baseline(environment, facts),
    )


def hours(options: Options) -> float:
    """Return how long to follow. Raises UsageError for what is no number of hours."""
    try:
        given = float(options.hours or HOURS)
    except ValueError:
        given = 0.0
    if not 0 < given <= MOST_HOURS:
        raise UsageError(
            f"--hours={options.hours}: expected a number of hours, at most {MOST_HOURS}",
            advice="The written runbook asks for 24 to 48.",
        )
    return given


def _feeds(environment: Environment) -> tuple[Feed, ...]:
    feeds = sources.feeds(environment)
    if not feeds:
        raise UsageError(
            f"{environment.name} has no key logs in the inventory: {environment.source}",
            advice=f"It says where the application writes its errors, such as\n{MISSING}",
        )
    return feeds


def _see(site: Site, feed: Feed) -> Seen:
    environment, now = site.environment, time.time()
    monitor = environment.monitor
    log = next(log for log in environment.logs if log.name == feed.log)
    since = now - (monitor.baseline if log.unit else 60.0)
    source = sources.source(log, feed.host, sources.begin(log, since), monitor.history)
    taken = asking.more(site.hosts, feed, source, sources.terms(log, monitor.level), LITTLE)
    late = time.time() - now
    ahead = taken.clock - now
    skew = 0.0 if -OFF <= ahead <= late + OFF else ahead
    if isinstance(source, FileSource):
        held = sum(file.size for file in source.files)
        said = f"{size(held)} in {counted(len(source.files), 'file')}"
    elif log.unit and not taken.harvest.lines and not taken.problem:
        problem = "its journal shows no entry: is the login in the group systemd-journal?"
        return Seen("", problem, skew)
    else:
        said = "its journal can be read" if log.unit else "its command ends well"
    return Seen(said, taken.problem, skew)


def _finding(feed: Feed, seen: Seen | RunbookError, level: Level) -> Finding:
    what = f"log {feed.log}"
    if isinstance(seen, RunbookError):
        return Finding(what, feed.host, level, seen.message, seen.advice)
    if seen.problem:
        advice = "Until it can be read it is not safe to close the window."
        return Finding(what, feed.host, Level.WARNING, seen.problem, advice)
    return Finding(what, feed.host, Level.OK, seen.said)


def _clocks(facts: Facts) -> tuple[Finding, ...]:
    skews = {
        feed.host: seen.skew
        for feed, seen in facts.seen.items()
        if isinstance(seen, Seen) and seen.skew
    }
    return tuple(
        Finding(
            "clock",
            host,
            Level.WARNING,
            f"it is {age(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this machine's",
            "Its lines are counted by this machine's clock.",
        )
        for host, skew in skews.items()
    )


def _baseline(environment: Environment, facts: Facts) -> Finding:
    where, before = environment.database.label, age(environment.monitor.baseline)
    if facts.unknown:
        detail = f"when the change began cannot be seen: {facts.unknown}"
        advice = f"Judged from now on, compared with the {before} before."
        return Finding("baseline", where, Level.WARNING, detail, advice)
    if facts.changed is None:
        return Finding("baseline", where, Level.OK, f"the {before} before now: no run was lately")
    moment = iso(time.time() - facts.changed.first)
    ago = age(facts.changed.first)
    detail = f"the {before} before {moment}, when a run began to change things, {ago} ago"
    return Finding("baseline", where, Level.OK, detail)
