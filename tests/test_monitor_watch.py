"""A watch, pure: spikes, new messages, silence, lost contact, gaps, its verdict, and keeping it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from runbook.application import Monitor
from runbook.events import Alert, Measured
from runbook.monitor import saved
from runbook.monitor.groups import Groups
from runbook.monitor.harvest import Event, Harvest
from runbook.monitor.lines import Severity
from runbook.monitor.replies import Taken
from runbook.monitor.saved import Mark, Saved
from runbook.monitor.verdict import verdict
from runbook.monitor.watch import MINUTE, Watch
from runbook.units import iso

MOMENT = 1_765_965_600.0
HOUR = 60
MONITOR = Monitor(interval=1.0)


def events(minutes: Iterable[int], each: int, shape: str = "no pool") -> list[Event]:
    """Return errors, so many in each minute after the moment."""
    return [
        Event(Severity.ERROR, MOMENT + minute * MINUTE + 60 * i / each, shape)
        for minute in minutes
        for i in range(each)
    ]


class Told:
    """A watch of one log that was followed for a day before the moment, and what it told."""

    def __init__(
        self,
        before: list[Event] | None = None,
        *,
        first: float | None = MOMENT - 24 * HOUR * MINUTE,
        hours: float = 24.0,
    ) -> None:
        self.watch = Watch(MOMENT, MOMENT, MOMENT + hours * 3600)
        self.watch.follow("app1 api", "app1", "api", MOMENT, MONITOR)
        self.events: list[Alert | Measured] = []
        usual = events(range(-24 * HOUR, 0), 5) if before is None else before
        self.take(usual, 0.0, first=first)

    def take(
        self,
        got: list[Event],
        minutes: float,
        *,
        lines: int | None = None,
        first: float | None = None,
        skew: float = 0.0,
        **taken: object,
    ) -> None:
        """Take in what was read up to so many minutes after the moment, and judge it."""
        now = MOMENT + minutes * MINUTE
        times = [event.time for event in got]
        harvest = Harvest(
            1,
            lines=len(got) if lines is None else lines,
            events=tuple(replace(event, time=event.time + skew) for event in got),
            first=first if first is not None else (min(times) + skew if times else None),
            last=max(times) + skew if times else None,
        )
        reply = replace(Taken(now + skew, harvest), **taken)  # type: ignore[arg-type]
        self.watch.take("app1 api", reply, now, now, MONITOR)
        self.close(minutes)

    def close(self, minutes: float) -> None:
        """Judge what can be judged by then."""
        self.events += self.watch.close(MOMENT + minutes * MINUTE, MONITOR)

    @property
    def alerts(self) -> list[tuple[str, bool]]:
        """What was alarming, and whether that was its end, in order."""
        return [(event.what, event.over) for event in self.events if isinstance(event, Alert)]

    def holds(self, minutes: float) -> bool:
        """Whether the verdict at that time is that nothing is alarming."""
        return verdict(self.watch, MOMENT + minutes * MINUTE, 2).safe


def test_a_spike_is_told_once_with_its_end_and_the_verdict_follows() -> None:
    """Twice the errors are told within minutes; an hour after their end all is well again."""
    told = Told()
    for minute in range(30):
        told.take(events([minute], 12), minute + 1.1)
    assert told.alerts == [("spike of errors in api", False)]
    assert not told.holds(31)
    for minute in range(30, 300):
        told.take(events([minute], 5), minute + 1.1)
    assert told.alerts == [("spike of errors in api", False), ("spike of errors in api", True)]
    assert told.holds(301)
    assert any("spike" in line for line in verdict(told.watch, MOMENT + 301 * MINUTE, 2).lines)


def test_minutes_are_measured_one_by_one_from_an_hour_before() -> None:
    """Each minute is told once, with what was usual then."""
    told = Told()
    told.take(events(range(10), 5), 10.1)
    measured = [event for event in told.events if isinstance(event, Measured)]
    assert [event.at for event in measured] == [iso(MOMENT + m * MINUTE) for m in range(-60, 10)]
    assert {event.rates[0].count for event in measured} == {5}
    assert measured[-1].rates[0].usual == pytest.approx(5, rel=0.2)


def test_a_message_never_seen_before_is_told_once() -> None:
    """A new error is told when it first comes; the verdict minds it once it came often."""
    told = Told()
    told.take(events([1], 2, "no column"), 2.1)
    told.take(events([3], 2, "no column"), 4.1)
    assert told.alerts == [("new error in api", False)]
    told.take(events(range(4, 10), 2, "no column"), 10.1)
    assert len(told.alerts) == 1
    failing = [row for row in verdict(told.watch, MOMENT + 660, 2).rows if not row.holds]
    assert [row.name for row in failing] == ["api: new errors"]
    assert "no column" in failing[0].actual


def test_where_new_messages_are_usual_a_few_more_are_too() -> None:
    """By Good and Turing: where one in ten came only once, one in ten new ones is no news."""
    groups = Groups()
    for i in range(100):
        groups.add(f"once {'x' * i}", 1.0, 2.0, "app1")
    for _ in range(900):
        groups.add("often", 1.0, 2.0, "app1")
    for i in range(100):
        groups.add("often" if i % 20 else f"new {'y' * i}", 3.0, 2.0, "app1")
    assert len(groups.new) == 5
    assert not groups.alarming
    for i in range(40):
        groups.add(f"another {'z' * i}", 3.0, 2.0, "app1")
    assert len(groups.alarming) == 45


def test_without_a_baseline_nothing_is_called_safe() -> None:
    """A log of which nothing is known from before is not comparable, and its errors not new."""
    told = Told([], first=None, hours=1.0)
    told.take(events(range(60), 5), 61)
    assert told.alerts == []
    said = [row.actual for row in verdict(told.watch, MOMENT + 3660, 2).rows if not row.holds]
    assert said == ["not comparable: nothing is known from before; read its errors yourself"]


def test_silence_is_alarming_where_there_never_was_any() -> None:
    """A log that had five lines a minute and has none for half an hour is told, and its end."""
    told = Told()
    told.take([], 10.0, lines=50)
    told.take([], 29.0)
    assert told.alerts == []
    told.take([], 31.0)
    assert told.alerts == [("silence of api", False)]
    told.take([], 32.0, lines=1)
    assert told.alerts[-1] == ("silence of api", True)


def test_lost_contact_is_alarming_after_a_while_and_minutes_wait_for_it() -> None:
    """A host that does not answer is told after two minutes; nothing is judged meanwhile."""
    told = Told()
    told.take(events([0], 5), 1.1)
    told.watch.failed("app1 api", "no route")
    told.close(2.0)
    assert told.alerts == []
    told.close(4.0)
    assert told.alerts == [("no contact for api", False)]
    assert "no route" in verdict(told.watch, MOMENT + 240, 2).headline
    told.take(events(range(1, 5), 5), 5.1)
    assert told.alerts[-1] == ("no contact for api", True)
    assert told.holds(5.2)
    assert sum(told.watch.logs["app1 api"].series["errors"].counts[m] for m in _minutes(5)) == 25


def test_a_log_that_cannot_be_read_is_alarming() -> None:
    """A host that answers that there is no such file is told, and nothing counts as read."""
    told = Told()
    told.take([], 1.0, problem="there is no such file")
    told.take([], 4.0, problem="there is no such file")
    assert told.alerts == [("api is not readable", False)]
    assert not told.holds(4.0)


def test_lines_that_may_be_lost_are_told() -> None:
    """A file that went away before it was read to its end is a gap, and no verdict forgets it."""
    told = Told()
    told.take(events([0], 5), 1.1, gap=True)
    told.take(events(range(1, 240), 5), 240.1)
    assert told.alerts == [("gap in api", False)]
    assert not told.holds(241)


def test_a_hosts_clock_that_is_wrong_does_not_matter() -> None:
    """Lines are counted by our clock, however far the host's is ahead."""
    told = Told()
    told.take(events(range(3), 5), 3.1, skew=7200.0)
    series = told.watch.logs["app1 api"].series["errors"]
    assert [series.counts[minute] for minute in _minutes(4)] == [5, 5, 5, 0]
    assert told.watch.logs["app1 api"].skew == pytest.approx(7200)


def test_late_lines_count_in_the_first_minute_that_is_open() -> None:
    """A line of a minute that was judged already is not lost."""
    told = Told()
    told.take(events([0], 5), 5.1)
    told.take(events([1], 3), 6.1)
    counts = told.watch.logs["app1 api"].series["errors"].counts
    assert sum(counts[minute] for minute in _minutes(10)) == 8


def test_at_its_end_the_verdict_says_that_it_is_safe() -> None:
    """After its hours, with nothing alarming, the headline says so."""
    told = Told(hours=1.0)
    told.take(events(range(61), 5), 61.1)
    found = verdict(told.watch, MOMENT + 61 * MINUTE, 2)
    assert found.safe
    assert found.headline.startswith("safe to close the window")


def test_a_watch_that_was_kept_goes_on_as_if_nothing_had_happened() -> None:
    """However often a watch is written and read in between, it tells the same."""
    source = random.Random(1)
    through, kept = Told(), Told()
    for minute in range(0, 120, 3):
        got = events(range(minute, minute + 3), 14 if minute > 60 else source.randint(3, 7))
        for each in (through, kept):
            each.take(got, minute + 3.1)
        text = saved.text(Saved(kept.watch, {"app1 api": Mark(cursor="c", seen={"a": 1})}))
        again = saved.read(text)
        assert again.marks == {"app1 api": Mark(cursor="c", seen={"a": 1})}
        assert again.watch == kept.watch
        kept.watch = again.watch
    assert through.alerts == kept.alerts == [("spike of errors in api", False)]
    assert through.events == kept.events


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version":0}', '{"version":1,"watch":3}'])
def test_what_is_no_watch_is_said_to_be_none(text: str) -> None:
    """A damaged file, or one of another version, is an error that says so."""
    with pytest.raises(ValueError, match=r"damaged|version|value"):
        saved.read(text)


def _minutes(count: int) -> range:
    first = int(MOMENT // MINUTE)
    return range(first, first + count)
