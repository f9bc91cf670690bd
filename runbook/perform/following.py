"""Follows logs of many hosts at once: a thread a log, each asking its host again and again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from runbook.environment import Environment
from runbook.errors import RunbookError
from runbook.hosts.remote import Hosts
from runbook.monitor import asking, sources
from runbook.monitor.saved import Mark, Saved
from runbook.monitor.watch import Watch
from runbook.plan.steps import Feed

LEAST, MOST = 1 << 18, 1 << 23
"""Bytes that are asked for at once."""
AT_ONCE = 1.0
"""Seconds that a piece should take: pieces grow and shrink to that."""
LONGEST_PAUSE = 30.0
"""Seconds until a host that did not answer is asked again."""
TURN = 10.0
"""Seconds that one look waits at most for a log to be known up to where its baseline ends."""


class Following:
    """The threads, and what they share: a watch with how far each log was read.

    Both change together under `lock`, so that what is kept of them is of one moment.
    """

    def __init__(
        self, environment: Environment, hosts: Hosts, feeds: tuple[Feed, ...], saved: Saved
    ) -> None:
        self.lock = threading.Lock()
        self.watch: Watch = saved.watch
        self._marks = dict(saved.marks)
        self._environment = environment
        self._hosts = hosts
        self._feeds = feeds
        self._stop = threading.Event()
        self._left = len(feeds)
        self._error: Exception | None = None

    @contextlib.contextmanager
    def running(self, *, once: bool) -> Iterator[None]:
        """Follow all logs for the time of a `with` block; with `once` only what there is."""
        threads = [
            threading.Thread(target=self._run, args=(feed, once), daemon=True)
            for feed in self._feeds
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2.0)  # one that waits for a silent host ends with its connection

    @property
    def done(self) -> bool:
        """Whether no thread is left."""
        return not self._left

    def saved(self) -> Saved:
        """Return what is to be kept; `lock` must be held.

        Raises:
            Exception: what a thread died of, a defect of this program.
        """
        if self._error:
            raise self._error
        return Saved(self.watch, dict(self._marks))

    def _run(self, feed: Feed, once: bool) -> None:
        try:
            self._follow(feed, once)
        except Exception as error:  # told by the thread that waits for this one
            self._error = error
        finally:
            with self.lock:
                self._left -= 1

    def _follow(self, feed: Feed, once: bool) -> None:
        environment, monitor = self._environment, self._environment.monitor
        log = next(log for log in environment.logs if log.name == feed.log)
        source = sources.source(log, feed.host, self._marks[feed.key], monitor.history)
        terms = sources.terms(log, monitor.level)
        length, pause, began = LEAST, monitor.interval, time.time()
        while not self._stop.is_set():
            asked = time.time()
            try:
                taken = asking.more(self._hosts, feed, source, terms, length)
            except RunbookError as error:
                with self.lock:
                    self.watch.failed(feed.key, error.message)
                if once:
                    return
                self._stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            now = time.time()
            with self.lock:
                if self._stop.is_set():
                    return
                self.watch.take(feed.key, taken, asked, now, monitor)
                self._marks[feed.key] = sources.mark(source)
            length = length_after(length, now - asked)
            pause = monitor.interval
            if once and not taken.more and (taken.problem or self._past(feed, now - began)):
                return
            if not taken.more:
                self._stop.wait(pause)

    def _past(self, feed: Feed, waited: float) -> bool:
        """Whether a log is known so far that its baseline is; it may lack a minute's last second.

        A host whose clock stands still is not waited for.
        """
        return self.watch.past_baseline(feed.key) or waited > TURN


def length_after(length: int, took: float) -> int:
    """Return how much to ask for next, so that it takes about a second."""
    better = length * min(2.0, max(0.5, AT_ONCE / max(took, 0.001)))
    return int(min(MOST, max(LEAST, better)))


def begin(environment: Environment, feeds: tuple[Feed, ...], watch: Watch, now: float) -> Saved:
    """Return a watch that follows these feeds from its baseline on; nothing was read yet."""
    return adapted(environment, feeds, Saved(watch, {}), now)


def adapted(environment: Environment, feeds: tuple[Feed, ...], saved: Saved, now: float) -> Saved:
    """Return what was kept for exactly these feeds: new ones begin, others are left out."""
    watch, marks = saved.watch, dict[str, Mark]()
    known = {log.name: log for log in environment.logs}
    for feed in feeds:
        if feed.key not in watch.logs or feed.key not in saved.marks:
            watch.follow(feed.key, feed.host, feed.log, now, environment.monitor)
            since = watch.moment - environment.monitor.baseline
            marks[feed.key] = sources.begin(known[feed.log], since)
        else:
            marks[feed.key] = saved.marks[feed.key]
    for key in watch.logs.keys() - marks.keys():
        del watch.logs[key]
    return Saved(watch, marks)
