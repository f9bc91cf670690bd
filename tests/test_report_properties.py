"""The report under any text and any damage: every value is shown as it is, and nothing raises."""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runbook.report.folding import fold
from runbook.report.markdown import markdown
from runbook.report.page import Source, page
from runbook.report.reading import lines
from runbook.report.words import advised
from runbook.visible import clean
from tests.journals import Page, changed, journal, page_of

OURS = frozenset(
    {"event", "at", "outcome", "moment", "kind", "digest", "level", "series", "timeout"}
)
"""The keys whose values mean something; `series` and the like are told once."""
HIDDEN = frozenset({"checksum", "change", "statements", "table", "unit"})
"""The keys that the page leaves out, or that stand there elsewhere."""
EVIL = st.text(min_size=1, max_size=12) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</pre></style></title><img src=x onerror=alert(1)>",
        '" onmouseover="alert(1)',
        "' x='",
        "&lt;&amp;&#60;",
        "{{ 7 * 7 }}{% raw %}",
        "]]>-->",
        "a\x1b[31mred\x1b[0m\x00\r",
        "\u202egpj.exe\u2066",
        "\ud800",
        "x|y\\|z",
        "`a` ``b`` ***c*** ~~d~~ $e$",
        "[link](javascript:alert(1)) ![](x) <http://x.example>",
        "# one\n- two\n1. three\n> four\n| a | b |\n```",
    ]
)
BLOCKS = frozenset(
    {"heading", "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th"}
    | {"td", ""}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@cache
def told() -> bytes:
    """Return the journal of a run in which everything occurs."""
    with tempfile.TemporaryDirectory() as folder:
        return journal(Path(folder)).read_bytes()


def texts(value: Any) -> list[str]:
    """Return every string of a JSON value that the report shows."""
    if isinstance(value, dict):
        shown = [v for k, v in value.items() if k not in OURS | HIDDEN]
        return [text for v in shown for text in texts(v)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def evil_journal(evil: str) -> tuple[bytes, list[str]]:
    """Return a journal whose every text is evil and its own, and the texts that are shown."""
    count = iter(range(10**6))
    events = [
        changed(json.loads(line), lambda _: f"{evil}x{next(count)}y", OURS)
        for line in told().splitlines()
    ]
    # What stands here again is told where it was told first; a done step sends nothing.
    for event in events:
        if event["event"] in {"StepStarted", "StepFinished"}:
            event["step"] = {}
        if event["event"] == "StepProgress":
            event["number"] = 4  # of a step that went well nobody asks how far it had come
    plan = events[0]["plan"]
    done = [step for step in plan["steps"] if step["done"]]
    end = next(event for event in events if event["event"] == "RunFinished")
    end["message"] = end["advice"]
    hidden = {
        end["run"],
        *(s["text"] for s in done),
        *(f["advice"] for f in plan["findings"][:1]),
    }
    shown = [text for event in events for text in texts(event) if text not in hidden]
    return "\n".join(map(json.dumps, events)).encode(), shown


@settings(max_examples=50)
@given(EVIL)
@example("\nfirst")
@example("invoke it: invoke that")
def test_every_value_is_escaped(evil: str) -> None:
    """Whatever text stands in a journal, the page shows that very text, and no other element."""
    data, shown = evil_journal(evil)
    read = page_of(data)
    harmless = harmless_page()
    assert {e.tag for e in read.elements} <= {e.tag for e in harmless.elements} | {"details"}
    attributes = {name for e in read.elements for name in e.attributes}
    assert attributes <= {name for e in harmless.elements for name in e.attributes}
    for text in shown:
        for line in clean(text).split("\n"):
            for part in advised(line):
                assert part in read.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", read.text)


@settings(max_examples=50)
@given(EVIL)
def test_every_value_of_a_ticket_is_escaped(evil: str) -> None:
    """Whatever text stands in a journal, Markdown has the same blocks, and shows that text."""
    tree = parsed(evil_journal(evil)[0])
    assert shape(tree) == harmless_shape()
    assert {token.type.rpartition("_")[0] for token in tree} <= BLOCKS
    inline = [child for token in tree for child in token.children or ()]
    kinds = {child.type for child in inline}
    assert kinds <= {"text", "code_inline", "softbreak", "hardbreak", "html_inline", "text_special"}
    assert {c.content for c in inline if c.type == "html_inline"} <= {"<code>", "</code>"}
    said = "".join(child.content or " " for child in inline)
    assert said.count(" ".join(clean(f"{evil}x").split())) >= 30


@cache
def harmless_page() -> Page:
    """Return the page of a journal whose texts mean nothing in HTML."""
    return page_of(evil_journal("x")[0])


@cache
def harmless_shape() -> list[str]:
    """Return the blocks of a ticket whose texts mean nothing in Markdown."""
    return shape(parsed(evil_journal("x")[0]))


def parsed(data: bytes) -> list[Token]:
    """Return a report's Markdown as a parser of GitHub's kind sees it."""
    text = markdown(fold(lines(data)))
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def shape(tokens: list[Token]) -> list[str]:
    """Return the blocks of a text in order, from the first table on: a lead has many lines."""
    types = [token.type for token in tokens]
    return types[types.index("table_open") :]


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_journal_never_raises(data: st.DataObject) -> None:
    """Cut off, overwritten, of other types, in another order: there is still a page and a text."""
    kept = told().split(b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(kept) - 1))
        match data.draw(st.sampled_from(("cut", "bytes", "json", "field", "swap", "drop"))):
            case "cut":
                kept[at] = kept[at][: data.draw(st.integers(0, len(kept[at])))]
            case "bytes":
                kept[at] = data.draw(st.binary(max_size=20))
            case "json":
                kept[at] = json.dumps(data.draw(JSON)).encode()
            case "field":
                kept[at] = other(kept[at], data)
            case "swap":
                kept[0], kept[at] = kept[at], kept[0]
            case _:
                del kept[at:]
                kept.append(b"")
    run = fold(lines(b"\n".join(kept)))
    assert page(run, Source("run.jsonl", "", 0)).rstrip().endswith("</html>")
    assert markdown(run)


def other(line: bytes, data: st.DataObject) -> bytes:
    """Return a line with one of its fields, however deep, of another type."""
    try:
        whole = json.loads(line)
    except ValueError:
        return line
    value: Any = whole
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(value[key], dict | list) or data.draw(st.booleans()):
            value[key] = data.draw(JSON)
            break
        value = value[key]
    return json.dumps(whole).encode()


def test_extremes_of_time_and_number_never_raise() -> None:
    """Times at both ends of the calendar, endless numbers and deep nests are only damage."""
    text = told().decode()
    for old, new in (
        ("2026-11-22", "0001-01-01"),
        ("2026-11-22", "9999-12-31"),
        ("+00:00", "-23:59"),
        ('"seconds": 2.0', '"seconds": 1e308'),
        ('"seconds": 2.0', '"seconds": -1e308'),
        ('"seconds": 2.0', '"seconds": NaN'),
        ('"number": 1,', f'"number": {"9" * 400},'),
        ('"done": 1000', f'"done": {"9" * 5000}'),
        ('"detail": "text NULL"', '"detail": ' + "[" * 100_000),
    ):
        run = fold(lines(text.replace(old, new).encode()))
        assert page(run, Source("run.jsonl", "", 0))
        assert markdown(run)
