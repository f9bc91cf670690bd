"""The report: what a page tells of a run, and where it draws it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from runbook.errors import Outcome
from runbook.events import Alert, Event, RunFinished, StepFinished, StepOutput, StepStarted
from runbook.report.chart import rates, time_lines
from runbook.report.folding import fold
from runbook.report.markdown import markdown
from runbook.report.model import Point, Series
from runbook.report.page import HERE
from runbook.report.reading import lines
from runbook.report.verdict import verdict
from tests.journals import ALTER, BEGUN, DUMP, EVENTS, PLAN, START, VERIFY, Page, journal, page_of


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """Return the page of a run in which a check does not hold."""
    return page_of(journal(tmp_path).read_bytes())


def words(text: str) -> str:
    """Return text with single spaces."""
    return " ".join(text.split())


def test_the_verdict_comes_first_then_what_failed(page: Page) -> None:
    """The one heading is the verdict; the first section has the failed check, both values."""
    (head,) = page.of("h1")
    assert head.text == "Failed: 1 of 2 checks does not hold"
    sections = page.of("section")
    assert words(sections[0].text).startswith("What failed ✕ failed Step 4 shop@db1: 10_columns")
    assert page.of("td", **{"data-label": "expected"})[0].text.strip() == "(id)"
    assert page.of("td", **{"data-label": "actual"})[0].text.strip() == "absent"
    assert "invoke migrate --env=staging" in [e.text for e in page.of("code")]
    assert words(sections[1].text) == (
        "To heed alert 2026-11-22 02:00:00 UTC app1: spike of errors: 40 a minute → look at it"
        " warning pager was not told of the end: no answer"
        " note tell the owners warning db1: backup: no verified one → one is taken first"
    )


def test_every_step_tells_its_time_outcome_and_output(page: Page) -> None:
    """Each step of the plan is there in order with outcome, seconds, texts, output and waits."""
    steps = [words(e.text) for e in page.of("li") if e.attributes.get("id", "").startswith("step")]
    assert steps == [
        "1 backup dump shop db1 ✓ changed 2 s shop.sql.zst 02:00:01 \u2013 02:00:03"
        " output 2 lines one two sent 2 lines dump verify",
        "2 migrate column carts.note shop@db1 ✓ ok text NULL",
        "3 migrate index carts.idx shop@db1 ✓ changed 4 s added index:carts.idx"
        " held back 2 times from 02:00:04 on: lock held by session 7 02:00:03 \u2013 02:00:07"
        " sent 2 lines ALTER TABLE carts ADD INDEX idx (id)"
        " planned found absent estimated in the order of 2 s from sql/notes/migrate/1.sql:3",
        "4 verify 10_columns shop@db1 ✕ failed 1 s 1 of 2 do not hold 02:00:07 \u2013 02:00:08"
        " sent SELECT 1",
    ]


def test_it_tells_by_whom_and_the_rows_before_and_after(page: Page) -> None:
    """Operator, machine, confirmation, plan and command are there, and each table's rows."""
    facts = dict(zip(_texts(page, "dt"), _texts(page, "dd"), strict=True))
    assert facts["By"] == "ada on ops1"
    assert facts["Confirmed by"] == "policy.confirm is none"
    assert facts["Told"] == "chat of the start"
    assert facts["Command"] == "invoke migrate --env=staging"
    rows = [words(e.text) for e in page.of("tr")]
    assert "carts 1,234,567 1,234,568" in rows
    assert "marks no table about 3" in rows


def _texts(page: Page, tag: str) -> list[str]:
    return [words(e.text) for e in page.of(tag)]


def test_the_time_line_is_to_scale(tmp_path: Path) -> None:
    """A bar's place and width are its step's share of the time, and waits are where they were."""
    (line,) = time_lines(fold(lines(journal(tmp_path).read_bytes())))
    bars = {bar.step.number: bar for lane in line.lanes for bar in lane.bars}
    places = {n: (bar.at, bar.width) for n, bar in bars.items()}
    assert places == {1: (10.0, 20.0), 3: (30.0, 40.0), 4: (70.0, 10.0)}
    assert bars[3].waits == (40.0, 50.0)
    assert [(lane.phase, lane.seconds) for lane in line.lanes] == [
        ("backup", 2.0),
        ("migrate", 4.0),
        ("verify", 1.0),
    ]
    assert [(tick.at, tick.label) for tick in line.ticks][:3] == [
        (0.0, "0"),
        (20.0, "2 s"),
        (40.0, "4 s"),
    ]


def test_a_phase_that_fills_the_time_line_is_left_out_of_a_second_one(tmp_path: Path) -> None:
    """Beside a day of watching, the minutes of the migration have a time line of their own."""
    long = (
        *EVENTS[:10],
        (7.0, StepStarted(4, VERIFY)),
        (3000.0, StepFinished(4, VERIFY, Outcome.OK, 2993.0)),
    )
    whole, rest = time_lines(fold(lines(journal(tmp_path, long).read_bytes())))
    assert [lane.phase for lane in whole.lanes] == ["backup", "migrate", "verify"]
    assert rest.without == "verify"
    assert [lane.phase for lane in rest.lanes] == ["backup", "migrate"]
    assert rest.lanes[1].bars[0].width > 60


def test_rates_are_drawn_to_a_scale_of_at_least_one() -> None:
    """A curve's height is its share of the highest minute: next to no errors, next to nothing."""
    at = datetime(2026, 11, 22, 2, tzinfo=UTC)
    shown = rates(
        (
            Series("calm", (Point(at, 0, 0.02, alarming=False),)),
            Series("high", (Point(at, 40, 10.0, alarming=True),)),
        )
    )
    assert shown is not None
    assert [(c.line, c.usual) for c in shown.curves] == [
        ("500.00,100.00", "500.00,98.00"),
        ("500.00,0.00", "500.00,75.00"),
    ]


def test_a_killed_run_says_where_its_journal_ends(tmp_path: Path) -> None:
    """Without an end, the step in hand and its progress are told, and what to type."""
    data = b"\n".join(journal(tmp_path).read_bytes().split(b"\n")[:4])
    page = page_of(data)
    (head,) = page.of("h1")
    assert head.text == "No end is written: in step 1 of 4, dumping 1,000 of 4,000 bytes"
    assert words(page.of("header")[0].text).endswith(
        "Nothing is written after 2026-11-22 02:00:02 UTC. It is still going on, or was killed."
        " What to do next Where it stands invoke status --env=staging"
        " Resume, once it is not running invoke migrate --env=staging"
    )
    assert "not reached" in page.text


def test_what_a_step_printed_is_told_of_a_run_that_was_killed(tmp_path: Path) -> None:
    """Lines that arrived while a step ran are its output where no end tells any."""
    events = (*EVENTS[:3], (2.0, StepOutput(1, ("one of 3", "two of 3"))))
    run = fold(lines(journal(tmp_path, events).read_bytes()))
    assert run.steps[0].output == ("one of 3", "two of 3")


def test_what_only_puts_a_failure_right_is_not_needed(tmp_path: Path) -> None:
    """A step that would have rescued others is not one that was not reached."""
    rescue = replace(DUMP, rescues=("batch 1",))
    begun = replace(BEGUN, plan=replace(PLAN, steps=(DUMP, rescue)))
    run = fold(lines(journal(tmp_path, ((0.0, begun),)).read_bytes()))
    assert [step.outcome for step in run.steps] == ["not reached", "not needed"]
    assert run.of == ""  # two steps would be one too many


def test_every_kind_of_event_is_known() -> None:
    """No event of this program is a line that its report does not know."""
    kinds = {kind.__name__ for kind in get_args(Event)} - {"Looking"}
    told = (json.dumps({"event": kind, "number": 1}) for kind in kinds)
    assert fold(lines("\n".join(told).encode())).unknown == ()


@pytest.mark.parametrize(
    ("last", "headline"),
    [
        (RunFinished("r", Outcome.CHANGED, 1.0), "Done: 2 steps changed something; 1 alert is not"),
        (RunFinished("r", Outcome.FAILED, 1.0, "no room"), "Failed at step 3 of 4"),
        (RunFinished("r", Outcome.UNKNOWN, 1.0, "lost"), "Not known: the connection went away at"),
        (RunFinished("r", Outcome.STOPPED, 1.0), "Stopped at step 3 of 4"),
        (RunFinished("r", Outcome.REFUSED, 1.0), "Ended: refused at step 3 of 4"),
    ],
)
def test_each_way_to_end_has_its_verdict(tmp_path: Path, last: RunFinished, headline: str) -> None:
    """The verdict names how the run ended and, unless it ended well, at which step."""
    outcome = Outcome.CHANGED if last.outcome is Outcome.CHANGED else last.outcome
    alert = Alert(START, "app1", "spike", "many")
    events = (
        *EVENTS[:9],
        (7.0, StepFinished(3, ALTER, outcome, 4.0, "said")),
        (8.0, alert),
        (9.0, last),
    )
    said = verdict(fold(lines(journal(tmp_path, events).read_bytes())))
    assert said.headline.startswith(headline)
    if outcome is not Outcome.CHANGED:
        assert said.lead == f"shop@db1: index carts.idx\n{last.message or 'said'}"


def test_an_alert_that_has_passed_leaves_a_good_verdict(tmp_path: Path) -> None:
    """What was over before the end is told, and the verdict is that all is done."""
    events = (
        EVENTS[0],
        (1.0, StepFinished(1, DUMP, Outcome.CHANGED, 1.0)),
        (2.0, Alert(START, "app1", "spike", "many")),
        (3.0, Alert(START, "app1", "spike", "few again", over=True)),
        (4.0, RunFinished("r", Outcome.CHANGED, 4.0)),
    )
    data = journal(tmp_path, events).read_bytes()
    said = verdict(fold(lines(data)))
    assert (said.tone, said.headline) == ("good", "Done: 1 step changed something")
    assert "few again" in page_of(data).text


def test_the_page_needs_nothing_else_and_runs_nothing(page: Page) -> None:
    """No script, no link to elsewhere, and a policy that forbids both."""
    assert page.of("script") == []
    links = [e.attributes.get(k, "#") for e in page.elements for k in ("href", "src")]
    assert all(link.startswith("#") for link in links)
    ids = {e.attributes.get("id") for e in page.elements}
    assert {link[1:] for link in links if link != "#"} <= ids
    (policy,) = page.of("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_can_be_read_by_a_screen_reader(page: Page) -> None:
    """Language, one first heading, no level left out, named pictures, and heads of all cells."""
    assert page.of("html")[0].attributes["lang"] == "en"
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    for picture in page.of("svg", role="img"):
        named = picture.attributes.get("aria-label") or picture.attributes["aria-labelledby"]
        assert named
    assert all(e.attributes.get("scope") in {"col", "row"} for e in page.of("th"))
    labelled = [e.attributes["aria-labelledby"] for e in page.of("section")]
    assert len(set(labelled)) == len(labelled)


def test_every_colour_can_be_read_on_its_ground() -> None:
    """Text has a contrast of 4.5 or more, by day and by night."""
    css = (HERE / "page.css").read_text()
    for scheme in re.findall(r":root \{(.*?)\}", css, re.DOTALL):
        colours = dict(re.findall(r"--([\w-]+): #(\w+)", scheme))
        grounds = {name: f"{name}-bg" for name in ("good", "change", "bad", "open", "lost")}
        pairs = [*grounds.items(), *((name, "paper") for name in grounds), ("soft", "shade")]
        pairs += [("ink", "paper"), ("ink", "shade"), ("soft", "paper")]
        pairs += [("soft", ground) for ground in grounds.values()]
        low = {p: _contrast(colours[p[0]], colours[p[1]]) for p in pairs}
        assert {pair: value for pair, value in low.items() if value < 4.5} == {}


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    full = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_text_for_a_ticket_has_the_same_verdict_and_steps(tmp_path: Path) -> None:
    """Markdown has the verdict as heading, what failed, the rows and one line a step."""
    text = markdown(fold(lines(journal(tmp_path).read_bytes())))
    said = text.splitlines()
    assert said[0] == "## migrate staging notes: Failed: 1 of 2 checks does not hold"
    assert "- Resume `invoke migrate --env=staging`" in said
    assert "| `index idx` | `(id)` | `absent` |" in said
    assert "| `carts` | 1,234,567 | 1,234,568 |" in said
    assert "| 1 | backup | `db1` | dump shop | changed | 2 s | shop.sql.zst |" in said
    assert "1 of 2 checks hold." in said
