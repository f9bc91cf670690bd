"""Performs a follow: reads the logs until the watch is over, tells what is alarming, and judges."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

from runbook.database.recent import Recent, recent
from runbook.errors import Interrupted, Outcome, RunbookError
from runbook.events import Measured
from runbook.monitor import saved
from runbook.monitor.verdict import Verdict, verdict
from runbook.monitor.watch import MINUTE, Watch
from runbook.perform import kept
from runbook.perform.following import Following, adapted, begin
from runbook.perform.kept import Kept
from runbook.perform.run import Result, Run
from runbook.plan.steps import Follow
from runbook.units import age, iso

TICK = 0.5
TOLD_EVERY = 2.0
HOUR = 3600.0
NEWER = 5.0
"""Seconds by which a run must be newer than the one a watch began with to begin another."""
PATIENCE = 300.0
"""Seconds after its end that a watch waits for logs that are still being read."""


def perform(step: Follow, run: Run) -> Result:
    """Follow the logs; what fails is told by the checks, so that all of it is told.

    Raises:
        Interrupted: the operator stopped; following again goes on from there.
        Refusal: somebody follows here already.
        UsageError: what was kept cannot be read or written.
    """
    with kept.held(run.environment) as keep:
        following = _begin(step, run, keep)
        try:
            with following.running(once=step.once):
                _watch(step, run, following, keep)
        except (Interrupted, KeyboardInterrupt) as error:
            with following.lock:
                keep.save(saved.text(following.saved()))
            raise _stopped(_verdict(run, following.watch)) from error
        found = _verdict(run, following.watch)
        if time.time() >= following.watch.until:
            keep.end()
    outcome = Outcome.OK if found.safe else Outcome.FAILED
    return Result(outcome, found.headline, found.rows, found.lines)


def moment(run: Run, hours: float) -> Recent | None:
    """Return how long ago this database was changed; None when not lately, or nobody knows."""
    with contextlib.suppress(RunbookError):
        return recent(run.reader, hours * HOUR)
    return None


def _begin(step: Follow, run: Run, keep: Kept) -> Following:
    """Return what follows: the watch that was kept, or another from the newest run on."""
    now = time.time()
    changed = moment(run, step.hours)
    began = now - changed.last if changed else now
    earlier = None if step.fresh else keep.load()
    if earlier is None or (changed and began > earlier.watch.began + NEWER):
        first = now - changed.first if changed else now
        earlier = begin(run.environment, step.feeds, Watch(first, began, 0.0), now)
    else:
        earlier = adapted(run.environment, step.feeds, earlier, now)
    earlier.watch.until = earlier.watch.began + step.hours * HOUR
    return Following(run.environment, run.hosts, step.feeds, earlier)


def _watch(step: Follow, run: Run, following: Following, keep: Kept) -> None:
    """Judge what was read, tell it and keep it, until there is no more to do."""
    kept_at = told_at = 0.0
    while True:
        now, last = time.time(), following.done
        with following.lock:
            events = list(following.watch.close(now, run.environment.monitor))
            due = events or last or now - kept_at >= run.environment.monitor.interval
            text = saved.text(following.saved()) if due else ""
            over = last if step.once else _over(following.watch, now)
        for event in events:
            run.tell(replace(event, number=run.number) if isinstance(event, Measured) else event)
        if text:
            keep.save(text)
            kept_at = now
        if over:
            return
        if now - told_at >= TOLD_EVERY:
            told_at = now
            lines = sum(log.lines for log in following.watch.logs.values())
            run.progress(lines, "lines", note="; ".join(_state(following.watch, now)))
        run.brake.pause(TICK)


def _over(watch: Watch, now: float) -> bool:
    """Whether the watch's time has passed, and its logs were read so far, or will not be."""
    if now < watch.until:
        return False
    read = all(log.problem or log.mark >= watch.until for log in watch.logs.values())
    return read or now > watch.until + PATIENCE


def _verdict(run: Run, watch: Watch) -> Verdict:
    return verdict(watch, time.time(), run.environment.monitor.factor)


def _stopped(found: Verdict) -> Interrupted:
    error = Interrupted(
        f"stopped following; {found.headline}",
        advice="invoke monitor goes on where this one stopped: no line is missed or counted twice.",
    )
    error.output = found.lines
    return error


def _state(watch: Watch, now: float) -> Iterator[str]:
    """Yield how far the following is."""
    lines = sum(log.lines for log in watch.logs.values())
    yield f"{lines:,} lines"
    for log in watch.logs.values():
        if log.problem:
            yield f"{log.host} {log.log}: {log.problem}"
        elif not log.learned:
            upto = f" up to {iso(log.mark)}" if log.mark else ""
            yield f"{log.host} {log.log}: reading its baseline{upto}"
        elif now - log.mark > MINUTE:
            yield f"{log.host} {log.log}: {age(now - log.mark)} behind"
    yield f"{age(max(0.0, watch.until - now))} left"
