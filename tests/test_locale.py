"""Whatever the locale: our files are read and written as UTF-8, and printing fails on nothing."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.support import DOCUMENT, PROJECT, Bench, bench

ASCII = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
OURS = ("tasks.py", "runbook", "sandbox", "bench")
ABOUT = "for trying „ß“ → out"
TOKEN = "t0k3n-of-the-chat"


def in_ascii(place: Bench, *words: str) -> tuple[int, str]:
    """Type `invoke …` where the locale is ASCII; return exit status and everything printed."""
    with place.start(*words, env=ASCII) as process:
        out, _ = process.communicate(timeout=120)
    assert "Traceback" not in out
    assert "a defect of this program" not in out
    return process.returncode, out


def test_every_file_and_pipe_of_text_says_its_encoding() -> None:
    """No call that reads or writes text leaves the encoding to the locale."""
    files = [file for each in OURS for file in (PROJECT / each, *(PROJECT / each).rglob("*.py"))]
    found = [
        f"{file.relative_to(PROJECT)}:{line}"
        for file in files
        if file.is_file()
        for line in by_locale(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("p.read_text()\np.read_text('utf-8')\np.write_text('x', encoding='utf-8')", [1]),
        ("p.write_text('x', newline='')\np.open()\nopen(p, 'w')\nos.fdopen(n, 'rb')", [1, 3]),
        ("os.open(p, 0)\nsftp.open(p, 'wx')\nos.fdopen(n, 'w')", [3]),
        ("run([], text=True)\nrun([], encoding='utf-8')\nrun([])\nT(text=x)", [1]),
    ],
)
def test_a_call_that_leaves_it_to_the_locale_is_found(code: str, lines: list[int]) -> None:
    """The calls that the test above looks for are those that it finds."""
    assert list(by_locale(code)) == lines


def by_locale(code: str) -> Iterator[int]:
    """Yield the lines with a call that reads or writes text in the locale's encoding.

    An `open` without a mode is not looked at: other things than files have one.
    """
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        said = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        modes = [word for word in words if isinstance(word, str)]
        positional = {"read_text": 1, "write_text": 2}.get(name)
        if "encoding" in said or (positional is not None and len(call.args) >= positional):
            continue
        opens = name in {"open", "fdopen"} and modes and "b" not in modes[-1]
        of_sftp = getattr(getattr(call.func, "value", None), "id", "") == "sftp"
        if positional is not None or (opens and not of_sftp) or said.get("text") is True:
            yield call.lineno


@pytest.mark.wide
def test_every_way_of_printing_in_an_ascii_locale(mariadb: Sandbox, tmp_path: Path) -> None:
    """There a list, a preview, a run, its page and a notice end as anywhere; JSON is whole."""
    url = tmp_path / "url"
    url.touch(mode=0o600)
    url.write_text(f"json://127.0.0.1:9/{TOKEN}", encoding="utf-8")
    place = bench(mariadb, tmp_path, about=ABOUT, notify={"nobody": {"url": {"file": str(url)}}})
    typed = (
        ("--list",),
        ("migrate", "--env=test", "--dry-run"),
        ("migrate", "--env=test", "--dry-run", "--full"),
        ("verify", "--env=nowhere"),
        ("verify", "--env=test"),
        ("backup", "--env=test"),
        ("report", "--env=test"),
        ("sandbox.up", "--server=none"),
    )
    ended = {words: in_ascii(place, *words) for words in typed}
    assert [status for status, _ in ended.values()] == [0, 0, 0, 2, 1, 0, 0, 2]
    preview = ended["migrate", "--env=test", "--dry-run"][1]
    assert "test is: for trying ??? ? out" in preview
    _, out = in_ascii(place, "migrate", "--env=test", "--json")
    document = json.loads(out)
    DOCUMENT.validate(document)
    assert document["outcome"] == "changed"
    assert {each["failure"] for each in document["notices"]} == {
        "A Connection error occurred sending JSON notification to •••."
    }
    _, out = in_ascii(place, "report", "--env=test", "--output=-")
    assert "•••" in out
