"""Journals of made-up runs, written by the program's own journal, and their pages read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from runbook.errors import Outcome
from runbook.events import (
    Alert,
    CheckRow,
    Counted,
    Event,
    Measured,
    Moment,
    Notified,
    Rate,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    StepStarted,
    StepWaiting,
    TableRows,
)
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Check, Statement
from runbook.plan.steps import Command
from runbook.report.folding import fold
from runbook.report.page import Source, page
from runbook.report.reading import lines
from runbook.telling.journal import Journal

START = "2026-11-22T02:00:00+00:00"
RUN = "20261122T020000Z-7c1e"
DUMP = Command(phase="backup", title="dump shop", where="db1", text="dump\nverify")
THERE = Statement(
    phase="migrate",
    title="column carts.note",
    where="shop@db1",
    text="DO 0",
    found="text NULL",
    done=True,
    change="notes",
    table="carts",
    checksum="1",
)
ALTER = replace(
    THERE,
    title="index carts.idx",
    text="ALTER TABLE carts\n ADD INDEX idx (id)",
    origin="sql/notes/migrate/1.sql:3",
    found="absent",
    cost="in the order of 2 s",
    done=False,
)
VERIFY = Check(
    phase="verify", title="10_columns", where="shop@db1", text="SELECT 1", statements=("SELECT 1",)
)
PLAN = Plan(
    environment="staging",
    phase="migrate",
    change="notes",
    steps=(DUMP, THERE, ALTER, VERIFY),
    findings=(
        Finding("SSH", "db1", Level.OK, "reached"),
        Finding("backup", "db1", Level.WARNING, "no verified one", "one is taken first"),
    ),
    notes=("tell the owners",),
    session=("migrator@127.0.0.1:3306",),
    command="invoke migrate --env=staging",
)
HOLDS = CheckRow("column note", "text NULL", "text NULL")
WRONG = CheckRow("index idx", "(id)", "absent")
BEGUN = RunStarted(RUN, PLAN, PLAN.digest, "ada", "ops1", START, "policy.confirm is none")
EVENTS: tuple[tuple[float, Event], ...] = (
    (0, BEGUN),
    (0, Counted(Moment.BEFORE, (TableRows("carts", 1234567), TableRows("marks", None)))),
    (1, StepStarted(1, DUMP)),
    (2, StepProgress(1, 1000, "bytes", 4000, 3.0, "dumping")),
    (3, StepFinished(1, DUMP, Outcome.CHANGED, 2.0, "shop.sql.zst", (), ("one", "two"))),
    (3, StepFinished(2, THERE, Outcome.OK, 0.0, "text NULL")),
    (3, StepStarted(3, ALTER)),
    (4, StepWaiting(3, "lock held by session 7")),
    (5, StepWaiting(3, "lock held by session 7")),
    (7, StepFinished(3, ALTER, Outcome.CHANGED, 4.0, "added index:carts.idx")),
    (7, StepStarted(4, VERIFY)),
    (8, StepFinished(4, VERIFY, Outcome.FAILED, 1.0, "1 of 2 do not hold", (HOLDS, WRONG))),
    (8, Alert(START, "app1", "spike of errors", "40 a minute", "look at it")),
    (8, Measured(4, "2026-11-22T02:00:00+00:00", (Rate("errors of app1", 3, 2.5),))),
    (8, Measured(4, "2026-11-22T02:01:00+00:00", (Rate("errors of app1", 40, 2.5, True),))),
    (8, Counted(Moment.AFTER, (TableRows("carts", 1234568), TableRows("marks", 3, exact=False)))),
    (8, Notified("chat", "start")),
    (10, RunFinished(RUN, Outcome.FAILED, 10.0, "", "Resume: invoke migrate --env=staging")),
    (10, Notified("pager", "end", "no answer")),
)


def journal(folder: Path, events: tuple[tuple[float, Event], ...] = EVENTS) -> Path:
    """Write events, each at its second, and return the journal's path."""
    kept = Journal(folder, RUN)
    for _, event in events:
        kept(event)
    kept.close()
    told = list(map(json.loads, kept.path.read_text().splitlines()))
    for line, (second, event) in zip(told, events, strict=True):
        if not isinstance(event, Measured | Alert | RunStarted):
            minutes, seconds = divmod(second, 60)
            line["at"] = f"2026-11-22T02:{minutes:02.0f}:{seconds:06.3f}+00:00"
    kept.path.write_text("".join(json.dumps(line) + "\n" for line in told))
    return kept.path


def changed(value: Any, change: Callable[[str], str], keep: frozenset[str]) -> Any:
    """Return a JSON value with every string changed, but for the keys in `keep`."""
    if isinstance(value, dict):
        return {k: v if k in keep else changed(v, change, keep) for k, v in value.items()}
    if isinstance(value, list):
        return [changed(item, change, keep) for item in value]
    return change(value) if isinstance(value, str) and value else value


def page_of(data: bytes) -> Page:
    """Return the page of a journal, read back."""
    read = Page()
    read.feed(page(fold(lines(data)), Source("run.jsonl", "0" * 64, len(data))))
    read.close()
    return read


@dataclass
class Element:
    """An element of a page: its tag, attributes and text."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """A page as a browser's parser sees it: every element in order, and all text."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element; what is around it is parted by a space."""
        self.handle_data(" ")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in {"meta"}:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element without content."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        """Add text to every open element."""
        if not any(element.tag == "style" for element in self.open):
            self.text += data
        for element in self.open:
            element.text += data

    def of(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a tag; `cls` is a class that they have."""
        wanted = attributes.pop("cls", None)
        return [
            e
            for e in self.elements
            if e.tag == tag
            and (wanted is None or wanted in e.attributes.get("class", "").split())
            and all(e.attributes.get(k) == v for k, v in attributes.items())
        ]
