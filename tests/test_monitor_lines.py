"""What lines of logs say: levels, times, shapes; and that nothing in them can do harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.monitor import lines, times
from runbook.monitor.harvest import LONGEST_LINE, Reading, harvest
from runbook.monitor.lines import Severity, read
from runbook.monitor.shapes import shape

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC).timestamp()
AT = datetime(2025, 12, 17, 10, 0, 5, tzinfo=UTC).timestamp()
HOW = Reading(INFO, ERROR, 0.0, NOW, 100.0, 200.0)

KNOWN = [
    ('{"level":"error","time":"2025-12-17T10:00:05Z","msg":"cannot save"}', ERROR, "cannot save"),
    ('{"level":50,"time":1765965605000,"msg":"cannot save"}', ERROR, "cannot save"),
    ('{"level":40,"msg":"slow"}', WARNING, "slow"),
    ('{"level":30,"msg":"no errors"}', INFO, ""),
    ('{"severity":"CRITICAL","message":"down"}', ERROR, "down"),
    ('{"log":{"level":"error"},"message":"down"}', ERROR, "down"),
    ('{"op":"job.batch","error":"Deadlock"}', ERROR, "job.batch Deadlock"),
    ('{"op":"job.summary","error":null}', INFO, ""),
    ('{"level":"error","err":{"code":"ER_DUP_ENTRY","message":"twice"}}', ERROR,
     "ER_DUP_ENTRY twice"),
    ('2025-12-17T10:00:05.5Z stderr F {"level":"error","msg":"x y"}', ERROR, "x y"),
    ('{"log":"ERROR no pool\\n","stream":"stderr","time":"2025-12-17T10:00:05Z"}', ERROR,
     "no pool"),
    ('{"__REALTIME_TIMESTAMP":"1765965605000000","PRIORITY":"3","MESSAGE":"gone"}', ERROR, "gone"),
    ('{"__REALTIME_TIMESTAMP":"1765965605000000","PRIORITY":"6",'
     '"MESSAGE":"{\\"level\\":50,\\"msg\\":\\"boom\\"}"}', ERROR, "boom"),
    ('{"__REALTIME_TIMESTAMP":"1","PRIORITY":"3","MESSAGE":[98,111,255]}', ERROR, "bo\ufffd"),
    ("2025-12-17 10:00:05,123 ERROR [db] no connection", ERROR, "[db] no connection"),
    ("2025-12-17T10:00:05Z INFO done with 0 ERROR lines", INFO, ""),
    ("2025/12/17 10:00:05 [error] 12#0: upstream timed out", ERROR, "#: upstream timed out"),
    ("[Wed Dec 17 10:00:05 2025] [core:error] [pid 7] no file", ERROR, "[pid #] no file"),
    ("level=error msg=\"no route\" host=a", ERROR, "no route"),
    ("TypeError: x is not a function", ERROR, "TypeError: x is not a function"),
    ("java.lang.IllegalStateException", ERROR, "java.lang.IllegalStateException"),
    ("    at save (/srv/app/db.js:10:3)", INFO, ""),
    ("Dec 17 10:00:05 app1 api[12]: error: refused", ERROR, "refused"),
    ("\x1b[31merror\x1b[39m: red", ERROR, "red"),
    ('1.2.3.4 - - [17/Dec/2025:10:00:05 +0000] "GET /events?id=4 HTTP/1.1" 502 12', ERROR,
     "server error: GET /events?…"),
    ('1.2.3.4 - - [17/Dec/2025:10:00:05 +0000] "GET /events HTTP/1.1" 200 512', INFO, ""),
    ("npm WARN deprecated", WARNING, "deprecated"),
    ("there was an error in the morning", INFO, ""),
    ('{"level":"error","msg":"cut', ERROR, '"'),
]  # fmt: skip


@pytest.mark.parametrize(("line", "severity", "said"), KNOWN)
def test_levels_and_messages_of_known_forms(line: str, severity: Severity, said: str) -> None:
    """Each form that loggers write is read as the level it means, and its message is found."""
    got = read(line, INFO, 0.0, NOW)
    assert got.severity is severity
    assert shape(got.message).startswith(shape(said))


@pytest.mark.parametrize(
    "line",
    [
        "2025-12-17T10:00:05Z x",
        "2025-12-17 10:00:05,000 x",
        "2025-12-17T12:00:05.000000000+02:00 x",
        "2025-12-17T10:00:05+0000 x",
        "[2025-12-17 10:00:05.000] x",
        "api-1  | 2025-12-17T10:00:05Z x",
        "2025/12/17 10:00:05 [error] x",
        '1.2.3.4 - - [17/Dec/2025:11:00:05 +0100] "GET /" 200',
        "Dec 17 10:00:05 host x",
        "<13>Dec 17 10:00:05 host x",
        "1765965605 x",
        "1765965605.000 x",
        "1765965605000 x",
        '{"time":"2025-12-17T10:00:05Z"}',
        '{"timestamp":"2025-12-17T10:00:05.000+00:00"}',
        '{"ts":1765965605.0}',
        '{"time":1765965605000}',
        '{"@timestamp":"1765965605000"}',
    ],
)
def test_times_of_known_forms(line: str) -> None:
    """Each form of a time is read as the same moment."""
    assert read(line, INFO, 0.0, NOW).time == AT


@pytest.mark.parametrize(
    "line", ["2025-13-45T10:00:05Z x", "12345 x", "Foo 17 10:00:05", '{"t":5}']
)
def test_what_is_no_time_is_none(line: str) -> None:
    """A month that does not exist, or a small number, is no time."""
    assert read(line, INFO, 0.0, NOW).time is None


@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)),
    st.integers(-14 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters)),
    st.sampled_from([" ", "T"]),
    st.sampled_from(["none", "zone"]),
)
def test_any_moment_is_read_back(when: datetime, zone: timedelta, mark: str, has: str) -> None:
    """An ISO time in any zone is read exactly; without a zone it is the host's."""
    moment = when.replace(tzinfo=timezone(zone))
    text = moment.isoformat(mark) if has == "zone" else when.isoformat(mark)
    got = times.at_head(f"{text} hello", zone.total_seconds(), NOW)
    assert got == pytest.approx(moment.timestamp(), abs=1e-5)


def test_a_syslog_time_is_of_the_latest_year_that_is_not_in_the_future() -> None:
    """In January a line of December is last year's."""
    assert times.at_head("Dec 31 23:00:00 x", 0.0, NOW) == pytest.approx(NOW - 10 * 86400 + 39600)
    january = times.at_head("Jan 10 11:00:00 x", 0.0, NOW)
    assert january == pytest.approx(NOW - 3600)


@given(st.one_of(st.text(), st.binary().map(lambda b: b.decode(errors="replace"))))
def test_any_line_can_be_read(line: str) -> None:
    """Whatever a line holds, it is read without an error, and its shape is short."""
    got = read(line, INFO, 0.0, NOW)
    assert len(shape(got.message)) <= 160


_KEYS = st.sampled_from(
    "level severity msg message err error time ts log stream MESSAGE PRIORITY op code x "
    "__REALTIME_TIMESTAMP".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, JSON, max_size=6))
def test_any_object_can_be_read(said: dict[str, object]) -> None:
    """Whatever types an object's values have, it is read without an error."""
    read(json.dumps(said), INFO, 0.0, NOW)


@given(st.sampled_from(KNOWN), st.sampled_from(["", " ", "\r"]))
def test_what_counts_is_not_passed_over(known: tuple[str, Severity, str], end: str) -> None:
    """A line that is a warning or worse has one of the needles by which lines are chosen."""
    line, severity, _ = known
    data = (line + end).lower().encode()
    chosen = any(n in data for n in lines.NEEDLES) or any(n.search(data) for n in lines.NUMBERS)
    assert chosen or severity is INFO


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user 42 not found", "user 7 not found"),
        ("took 12ms", "took 3500ms"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id 6fa459ea-ee8a-3ca4-894e-db77e160355e"),
        ("token 7f3a9c1b2d failed", "token 0a1b2c3d4e5f failed"),
        ('name "Ann" is taken', 'name "Bo Li" is taken'),
        ("mail to ann@example.com bounced", "mail to bo.li@example.org bounced"),
        ("GET /events/4/people?x=1 failed", "GET /events/17/people?y=2&z=3 failed"),
        ("worker-1 died", "worker-12 died"),
        ("rows 1, 2, 3 differ", "rows 4, 5, 6, 7, 8 differ"),
        ("connect ECONNREFUSED 127.0.0.1:3306", "connect ECONNREFUSED 10.0.0.17:3307"),
        ("at 2025-12-17T10:00:05.123Z late", "at 2026-01-02T03:04:05.006Z late"),
    ],
)
def test_like_messages_have_one_shape(one: str, other: str) -> None:
    """Numbers, ids, names, addresses and times do not make another kind of message."""
    assert shape(one) == shape(other)


def test_a_quoted_identifier_stays() -> None:
    """Which column is unknown is what such a message is about; whose value it was is not kept."""
    assert shape("Unknown column 'a_status' in 'where clause'") != shape(
        "Unknown column 'b_status'"
    )
    assert "Ann" not in shape("Duplicate entry 'Ann' for key 'users.name'")
    assert "users.name" in shape("Duplicate entry 'Ann' for key 'users.name'")


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_digits_never_tell_shapes_apart(text: str, one: int, other: int) -> None:
    """No shape holds a digit of the message, and a number's value never matters."""
    assert shape(f"{text} {one}") == shape(f"{text} {other}")
    assert not [char for char in shape(f"{text} {one}") if char in "123456789"]


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 1500), st.booleans())
def test_pieces_cut_anywhere_count_every_line_once(
    written: list[bytes], at: int, final: bool
) -> None:
    """However bytes are cut in two, each line counts once, and no line is cut."""
    rows = [line.replace(b"\n", b"") for line in written]
    data = b"".join(b"ERROR " + line + b"\n" for line in rows) + b"ERROR rest" * final
    how = Reading(ERROR, ERROR, 0.0, NOW, 0.0, 1.0, final=False)
    first = harvest(data[:at], how)
    last = harvest(data[first.used :], Reading(ERROR, ERROR, 0.0, NOW, 0.0, 1.0, final=final))
    assert first.lines + last.lines == len(rows) + final
    assert first.used + last.used == len(data)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_harvested(data: bytes) -> None:
    """Invalid UTF-8, NULs and half lines are harvested without an error."""
    got = harvest(data, HOW)
    assert got.lines == data.count(b"\n")


def test_a_line_without_a_time_takes_its_neighbours_or_its_place() -> None:
    """A thrown error has the time of the line before it; with none near, it lies in between."""
    near = harvest(b"2025-12-17T10:00:05Z INFO begin\nTypeError: x\n", HOW)
    assert [event.time for event in near.events] == [AT]
    alone = harvest(b"begin\n" * 9 + b"Error: x\n" + b"end\n" * 10, HOW)
    assert [100 < event.time < 200 for event in alone.events] == [True]


def test_an_enormous_line_counts_once_and_its_rest_is_passed_over() -> None:
    """A line longer than a piece is counted by its beginning."""
    how = Reading(ERROR, ERROR, 0.0, NOW, 0.0, 1.0)
    begun = harvest(b"ERROR " + b"x" * LONGEST_LINE, how)
    assert (begun.lines, len(begun.events), begun.inside) == (1, 1, True)
    more = harvest(b"x" * LONGEST_LINE, Reading(ERROR, ERROR, 0.0, NOW, 0.0, 1.0, inside=True))
    assert (more.lines, more.events, more.inside) == (0, (), True)
    end = harvest(b"xxx\nERROR y\n", Reading(ERROR, ERROR, 0.0, NOW, 0.0, 1.0, inside=True))
    assert (end.lines, [event.shape for event in end.events]) == (1, ["y"])
