"""Maintenance windows on the clock: open, next, and where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from runbook.window import Window, current, upcoming

ALL = (0, 1, 2, 3, 4, 5, 6)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran"),
)
"""Clocks changed by an hour, by half of one, in Ramadan, at midnight, and by a whole day."""


def window(
    opens: str, closes: str, days: tuple[int, ...] = ALL, zone: str = "Europe/Berlin"
) -> Window:
    """Return a window, its times as they are written."""
    return Window("nights", days, time.fromisoformat(opens), time.fromisoformat(closes), zone)


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime:
    """Return the moment at which clocks show this, in UTC: else Python calls folds unequal."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def left(windows: tuple[Window, ...], now: datetime) -> float | None:
    """Return the seconds left, or None where none is open."""
    opening = current(windows, now)
    return opening.left(now) if opening else None


def opens_at(windows: tuple[Window, ...], now: datetime) -> datetime:
    """Return when the next one opens."""
    opening = upcoming(windows, now)
    assert opening is not None
    return opening.start


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2025-12-16 01:59:59.999", None),
        ("2025-12-16 02:00", 3 * 3600.0),
        ("2025-12-16 04:59:59", 1.0),
        ("2025-12-16 05:00", None),
        ("2025-12-17 03:00", None),
    ],
)
def test_it_is_open_from_its_first_moment_to_before_its_last(
    now: str, seconds: float | None
) -> None:
    """A window of Tuesday is open on Tuesday only, its end not included."""
    assert left((window("02:00", "05:00", (1,)),), at(now)) == seconds


def test_a_window_over_midnight_belongs_to_the_day_it_opens_on() -> None:
    """From Friday 22:00 to 02:00 it is open on Saturday at 01:00, and not on Friday then."""
    friday = (window("22:00", "02:00", (4,)),)
    assert left(friday, at("2025-12-20 01:00")) == 3600.0
    assert left(friday, at("2025-12-19 01:00")) is None
    assert opens_at(friday, at("2025-12-20 02:00")) == at("2025-12-26 22:00")


def test_windows_that_touch_are_one() -> None:
    """What is left goes on into the window that opens as the first one closes."""
    both = (window("22:00", "02:00"), window("02:00", "05:00"))
    assert left(both, at("2025-12-16 23:00")) == 6 * 3600.0
    assert opens_at(both, at("2025-12-16 23:00")) == at("2025-12-17 22:00")
    assert current((), at("2025-12-16 23:00")) is None
    assert upcoming((), at("2025-12-16 23:00")) is None


def test_a_time_that_clocks_leave_out_is_the_moment_of_the_change() -> None:
    """On 2026-03-29 clocks go from 02:00 to 03:00: an edge at 02:30 is at that moment."""
    change = at("2026-03-29 03:00")
    assert opens_at((window("02:30", "05:00"),), at("2026-03-29 01:59")) == change
    opening = current((window("01:00", "02:30"),), at("2026-03-29 01:30"))
    assert opening is not None
    assert opening.end == change
    # What lies wholly in the missing hour is not there that day.
    assert opens_at((window("02:10", "02:50"),), at("2026-03-29 00:00")) == at("2026-03-30 02:10")


def test_a_time_that_clocks_show_twice_opens_late_and_closes_early() -> None:
    """On 2025-10-26 clocks show 02:30 twice: from the second one on, until the first one."""
    nights = (window("02:30", "05:00"),)
    assert opens_at(nights, at("2025-10-26 01:00")) == at("2025-10-26 02:30", fold=1)
    opening = current((window("01:00", "02:30"),), at("2025-10-26 01:00"))
    assert opening is not None
    assert opening.end == at("2025-10-26 02:30", fold=0)
    # Over the change itself, the hour that is shown twice counts twice.
    assert left((window("01:00", "04:00"),), at("2025-10-26 01:00")) == 4 * 3600.0
    assert left((window("01:00", "04:00"),), at("2026-03-29 01:00")) == 2 * 3600.0


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 10, 30, 59)))
DAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
WINDOWS = st.builds(Window, st.just("w"), DAYS, CLOCKS, CLOCKS, st.sampled_from(ZONES))


@settings(max_examples=300)
@given(st.lists(WINDOWS, min_size=1, max_size=3), MOMENTS, st.floats(0, 1))
@example([window("02:30", "05:00")], datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 0.5)
@example([window("00:00", "01:00", ALL, "America/Sao_Paulo")], datetime(2030, 1, 1), 0.5)
def test_what_is_open_stays_open_until_it_is_said_to_close(
    windows: list[Window], now: datetime, part: float
) -> None:
    """Open until then and closed at that moment; or closed until what opens next, and open then."""
    now = now.replace(tzinfo=UTC)
    opening, coming = current(windows, now), upcoming(windows, now)
    tick = timedelta(microseconds=1)
    if opening:
        assert opening.start <= now < opening.end
        within = now + part * (opening.end - now)
        assert current(windows, min(within, opening.end - tick)) is not None
        if opening.left(now) < 7 * 86400:  # else it is always open
            assert current(windows, opening.end) is None
    else:
        assert coming is not None
        assert current(windows, min(now + part * (coming.start - now), coming.start - tick)) is None
    if coming:
        assert now < coming.start < coming.end
        assert current(windows, coming.start) is not None


@settings(max_examples=300)
@given(WINDOWS, MOMENTS)
def test_far_from_a_change_it_is_open_when_the_clocks_show_so(each: Window, now: datetime) -> None:
    """Where no clock is changed around then, the plain comparison of clocks says the same."""
    zone = ZoneInfo(each.zone)
    near = [(now + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(-50, 51, 1)]
    assume(len(set(near)) == 1)
    local = now.astimezone(zone)
    shown, today = local.time(), local.weekday()
    if each.opens < each.closes:
        expected = today in each.days and each.opens <= shown < each.closes
    else:
        began = today in each.days and shown >= each.opens
        goes_on = (today - 1) % 7 in each.days and shown < each.closes
        expected = began or goes_on
    assert (current([each], now) is not None) is expected
