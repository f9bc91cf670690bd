"""Watch: the scan that finds append-only rows which were changed, deleted or slipped in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.application import Watch
from runbook.environment import Environment
from runbook.errors import RunbookError, UsageError
from runbook.hosts.shell import quote
from runbook.options import Options
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Baseline, Command, Scan, Step
from runbook.site import Site
from runbook.units import age
from runbook.watch import host, obstacles, questions, texts
from runbook.watch.host import Facts
from runbook.watch.questions import Questions

PHASE = "watch"
WAYS = ("install", "remove", "once", "accept")
NOTHING = {
    "accept": "the last scan found nothing that could be accepted",
    "remove": "nothing of the watch is there",
}
EXAMPLE = "watch: {host: app1, folder: /var/lib/runbook-watch, credentials: /etc/runbook-watch.cnf}"


@dataclass(frozen=True)
class Place:
    """A watch of an environment: what the inventory says of it, and what it asks."""

    environment: Environment
    watch: Watch
    questions: Questions
    origin: str


def changes(options: Options) -> bool:
    """Whether the command, as it was typed, changes the host or the baseline."""
    return options.install or options.remove or options.accept


def prepare(site: Site, options: Options) -> Plan:
    """Look at the watch's host, and return the plan of what was asked for.

    Raises:
        UsageError: nothing is to be watched here, or two things were asked for.
        Refusal: the host cannot be looked at.
    """
    chosen = [way for way in WAYS if getattr(options, way)]
    if len(chosen) > 1:
        raise UsageError(f"--{' and --'.join(chosen)} go one at a time", advice="Choose one.")
    place = placed(site)
    facts = host.look(site, place.watch)
    way = chosen[0] if chosen else ""
    known = {"install": install, "remove": remove, "once": once, "accept": accept}
    steps = known.get(way, report)(place, facts)
    return Plan(
        site.environment.name,
        PHASE,
        site.change.name,
        steps,
        findings(place, facts, way),
        () if steps else (NOTHING[way],),
    )


def placed(site: Site) -> Place:
    """Return the environment's watch, or say in a UsageError what it lacks."""
    environment, change = site.environment, site.change
    if environment.watch is None:
        raise UsageError(
            f"{environment.name} has no watch",
            advice=f"The inventory's key watch says where it runs: {EXAMPLE}",
        )
    if not change.watch:
        raise UsageError(
            f"{change.name} has no watch/*.sql", advice="sql/README.md says what a watch asks."
        )
    origin = f"{environment.change.parent.name}/{change.name}/watch"
    return Place(environment, environment.watch, questions.read(change.watch), origin)


def standing(site: Site) -> tuple[Finding, ...]:
    """Return how the environment's watch stands, for other phases; nothing where it has none.

    Raises:
        Refusal: its host cannot be looked at.
    """
    if site.environment.watch is None or not site.change.watch:
        return ()
    place = placed(site)
    return (_standing(place, host.look(site, place.watch)),)


def proof(site: Site, phase: str) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """Return the step with which `phase` proves the watch in place, and how it stands now.

    A watch that the inventory names and nobody has installed proves nothing:
    it has no step. One whose host cannot be seen now has: the run will ask it.
    """
    if site.environment.watch is None or not site.change.watch:
        return (), ()
    place = placed(site)
    step = Scan(
        phase=phase,
        title="the watch is in place: its last scan was clean, in time, and something runs it",
        where=place.watch.host,
        text=texts.standing(place.environment, place.watch),
        origin=place.origin,
        timeout=place.environment.timeouts.command,
    )
    try:
        facts = host.look(site, place.watch)
    except RunbookError as error:
        return (step,), (_row(place, "watch", Level.WARNING, error.message),)
    row = _standing(place, facts)
    if row.level is Level.OK and not _run(place, facts):
        advice = f"invoke watch --env={place.environment.name} --install makes its timetable."
        row = replace(row, level=Level.WARNING, advice=advice)
    return ((step,) if facts.there else ()), (row,)


def report(place: Place, facts: Facts) -> tuple[Step, ...]:
    """Return the step that says how the last scan ended, and whether one is overdue."""
    return (
        Scan(
            phase=PHASE,
            title="what the last scan found",
            where=place.watch.host,
            text=texts.report(place.watch, facts),
            timeout=place.environment.timeouts.command,
        ),
    )


def once(place: Place, facts: Facts) -> tuple[Step, ...]:
    """Return a scan now: whatever runs it, the baseline is the one on the host."""
    text = texts.run(place.environment, place.watch, facts, place.questions, mode="once")
    return (_scan(place, "compare the rows with their baseline", text),)


def accept(place: Place, facts: Facts) -> tuple[Step, ...]:
    """Return the step that takes over what the last scan found, if it is still exactly that."""
    digest = facts.last.digest if facts.last else ""
    if not digest or facts.last is None or facts.last.outcome != "alert":
        return ()
    asked = (place.environment, place.watch, facts, place.questions)
    text = texts.run(*asked, mode="accept", wanted=digest)
    step = _scan(place, f"accept findings {digest}: the rows as they are now", text)
    return (Baseline(**{**vars(step), "found": facts.last.message}),)


def install(place: Place, facts: Facts) -> tuple[Step, ...]:
    """Return the script, its baseline and its timetable; what is there already is done."""
    environment, watch = place.environment, place.watch
    text = texts.body(environment, watch, facts, place.questions)
    there = facts.script == texts.digest(text)
    put = _command(place, "put the script on the host", texts.put(facts, text), done=there)
    scan = f"bash {quote(f'{facts.folder}/{texts.NAME}')} baseline"
    first = Baseline(**vars(_scan(place, "take the baseline; where there is one, compare", scan)))
    done = there and facts.baseline and _scheduled(place, facts)
    return (
        put,
        *(() if done else (first,)),
        *_other_scheduler(place, facts),
        *_schedule(place, facts),
    )


def remove(place: Place, facts: Facts) -> tuple[Step, ...]:
    """Return what stops the timetable, and then takes script and baseline away."""
    environment = place.environment
    steps: list[Step] = []
    if facts.line:
        text = texts.crontab(environment)
        steps.append(_command(place, "take its line out of the crontab", text))
    if facts.units:
        text = texts.without_systemd(environment, facts)
        steps.append(_command(place, "stop and remove its timer", text))
    if facts.script or facts.baseline:
        text = texts.take_away(facts)
        steps.append(_command(place, "remove the script and its baseline", text))
    return tuple(steps)


def findings(place: Place, facts: Facts, way: str = "") -> tuple[Finding, ...]:
    """Return how the watch stands, and what is in the way of `way`."""
    if way == "remove":
        return ()
    rows = [
        _standing(place, facts),
        *(obstacles.needs(place.environment, place.watch, facts) if way else ()),
    ]
    if way == "install":
        rows += obstacles.scheduler(place.watch, facts)
        rows += obstacles.weak(place.environment, place.watch)
    return tuple(rows)


def _standing(place: Place, facts: Facts) -> Finding:
    """Return how the watch stands: OK only where a scan ended well, and in time."""
    env = f"--env={place.environment.name}"
    if facts.last is None:
        why = "the watch is not installed" if not facts.script else "no scan has ever run"
        return _row(place, "watch", Level.PENDING, why, f"invoke watch {env} --install")
    when = f"{age(facts.now - facts.last.epoch)} ago"
    said = f"{when}, {facts.last.outcome}: {facts.last.message}"
    if facts.stale(place.watch.every):
        late = (
            f"no scan has ended well for {age(facts.age() or 0)}"
            if facts.ran
            else "none ended well"
        )
        advice = f"invoke watch {env} --once scans now; --install mends its timetable."
        return _row(place, "watch", Level.WARNING, f"{late}; the last: {said}", advice)
    if not facts.last.good:
        advice = f"invoke watch {env} --once looks again; --accept takes the rows as they are."
        return _row(place, "watch", Level.WARNING, said, advice)
    by = "" if _run(place, facts) else "; nothing on that host runs it"
    return _row(place, "watch", Level.OK, said + by)


def _run(place: Place, facts: Facts) -> bool:
    """Whether something runs it, as far as its host can tell."""
    return facts.scheduled or place.watch.scheduler == "own"


def _schedule(place: Place, facts: Facts) -> tuple[Command, ...]:
    environment, watch = place.environment, place.watch
    done = _scheduled(place, facts)
    if watch.scheduler == "own":
        return ()
    if watch.scheduler == "cron":
        text = texts.crontab(environment, texts.cron_line(environment, watch, facts))
        return (_command(place, "add its line to the crontab", text, done=done),)
    text = texts.systemd(environment, watch, facts)
    return (_command(place, "start its timer", text, done=done),)


def _scheduled(place: Place, facts: Facts) -> bool:
    """Whether the timetable is exactly the one that the inventory wants."""
    environment, watch = place.environment, place.watch
    if watch.scheduler == "own":
        return not facts.line and not facts.units
    if watch.scheduler == "cron":
        return facts.line == texts.cron_line(environment, watch, facts) and not facts.units
    units = "".join(texts.units(environment, watch, facts))
    return facts.units == texts.digest(units) and facts.timer and not facts.line


def _other_scheduler(place: Place, facts: Facts) -> tuple[Command, ...]:
    """Return what takes an earlier timetable of another kind away."""
    environment, steps = place.environment, []
    if facts.units and place.watch.scheduler != "systemd":
        text = texts.without_systemd(environment, facts)
        steps.append(_command(place, "stop and remove its timer", text))
    if facts.line and place.watch.scheduler != "cron":
        text = texts.crontab(environment)
        steps.append(_command(place, "take its line out of the crontab", text))
    return tuple(steps)


def _scan(place: Place, title: str, text: str) -> Scan:
    return Scan(
        phase=PHASE,
        title=title,
        where=place.watch.host,
        text=text,
        origin=place.origin,
        timeout=place.environment.timeouts.job,
    )


def _command(place: Place, title: str, text: str, *, done: bool = False) -> Command:
    return Command(
        phase=PHASE,
        title=title,
        where=place.watch.host,
        text=text,
        done=done,
        timeout=place.environment.timeouts.command,
    )


def _row(place: Place, what: str, level: Level, detail: str, advice: str = "") -> Finding:
    return Finding(what, place.watch.host, level, detail, advice)
