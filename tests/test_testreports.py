"""What test runners report is counted test by test, and nothing is taken for a success lightly."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import Outcome
from runbook.hosts.testreports import FAILED, PASSED, SKIPPED, read
from runbook.perform.suite import judged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = ("assertionResults", "status", "name", "message", "title", "ancestorTitles", "success")


def jest(*suites: dict[str, Any], **more: Any) -> str:
    """Return a report as jest writes it, of these suites."""
    cases = [case for suite in suites for case in suite.get("assertionResults", [])]
    said = {"numTotalTests": len(cases), "success": True, "testResults": suites, **more}
    return json.dumps(said)


def suite(*statuses: str, **more: Any) -> dict[str, Any]:
    """Return a suite whose tests ended like that."""
    cases = [
        {
            "ancestorTitles": ["group"],
            "title": f"test {n}",
            "status": status,
            "failureMessages": ["Error: no\n    at file.js:1"] if status == "failed" else [],
        }
        for n, status in enumerate(statuses)
    ]
    return {"name": "/srv/a.test.js", "status": "passed", "assertionResults": cases, **more}


def test_tests_of_jest_are_counted_by_how_they_ended() -> None:
    """Passed and failed are what they say; pending, todo and disabled did not run."""
    report = read(jest(suite("passed", "failed", "pending", "todo"), suite("passed")))
    assert [len(report.ended(how)) for how in (PASSED, FAILED, SKIPPED)] == [2, 1, 2]
    (failed,) = report.ended(FAILED)
    assert (failed.name, failed.message) == ("group > test 1", "Error: no\n    at file.js:1")


def test_a_file_of_tests_that_did_not_even_load_has_failed() -> None:
    """A suite that failed without a test of it having failed counts as one failure."""
    broken = suite(status="failed", message="SyntaxError: Unexpected token")
    report = read(jest(suite("passed"), broken))
    (failed,) = report.ended(FAILED)
    assert (failed.name, failed.message) == (
        "/srv/a.test.js as a whole",
        "SyntaxError: Unexpected token",
    )


def test_other_lines_on_standard_output_do_not_hide_the_report() -> None:
    """What npm and the tests themselves print beside the report is passed over."""
    printed = f'npm warn config\n{{"op": "start"}}\n{jest(suite("passed"))}\nbye\n'
    assert len(read(printed).ended(PASSED)) == 1


def test_junit_as_pytest_writes_it(tmp_path: Path) -> None:
    """A real report of pytest: passed, failed, in error and skipped."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "def test_skipped(): pytest.skip('not here')\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError('no disk')\n"
        "def test_error(broken): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", "-p", "no:randomly"]
    subprocess.run([*command, "--rootdir=."], cwd=tmp_path, check=False, capture_output=True)
    report = read((tmp_path / "report.xml").read_text())
    assert [len(report.ended(how)) for how in (PASSED, FAILED, SKIPPED)] == [1, 2, 1]
    bad, error = report.ended(FAILED)
    assert (bad.name, error.name) == ("test_it > test_bad", "test_it > test_error")
    assert "assert 1 == 2" in bad.message
    assert "no disk" in error.message


@pytest.mark.parametrize(
    ("text", "status", "outcome", "said"),
    [
        (jest(suite("passed", "passed")), 0, Outcome.OK, "2 passed"),
        (jest(suite("passed", "pending")), 0, Outcome.OK, "1 passed, 1 skipped"),
        (jest(suite("passed", "failed")), 0, Outcome.FAILED, "1 passed, 1 failed"),
        (jest(), 0, Outcome.FAILED, "no test ran"),
        (jest(suite("pending")), 0, Outcome.FAILED, "0 passed, 1 skipped: no test ran"),
        (jest(suite("passed")), 1, Outcome.FAILED, "but the runner ended with status 1"),
        (jest(suite("passed"), success=False), 0, Outcome.FAILED, "not call it a success"),
        (jest(suite("passed"), wasInterrupted=True), 0, Outcome.FAILED, "was interrupted"),
        (jest(suite("passed"), numTotalTests=2), 0, Outcome.FAILED, "counts 2 tests"),
        ("<testsuites/>", 0, Outcome.FAILED, "no test ran"),
        ('<testsuite><testcase name="a"/></testsuite>', 0, Outcome.OK, "1 passed"),
    ],
)
def test_report_and_status_must_agree(text: str, status: int, outcome: Outcome, said: str) -> None:
    """Tests went well only if some ran, none failed, and their runner says so too."""
    result = judged(read(text), status, ("the log",))
    assert (result.outcome, said in result.detail) == (outcome, True)


def test_failures_are_shown_by_name_and_first_lines() -> None:
    """Every failed test is a row; the messages that fit stand in the output, without controls."""
    case = suite(*["failed"] * 5)
    for one in case["assertionResults"]:
        one["failureMessages"] = ["\x1b[31mError\x1b[0m: \x07no\n" + "at a.js\n" * 50]
    result = judged(read(jest(case)), 1, ())
    assert [(row.name, row.expected, row.actual) for row in result.checks] == [
        (f"group > test {n}", "passed", r"Error: \x07no") for n in range(5)
    ]
    assert len(result.output) <= 20
    assert result.output[:2] == ("group > test 0", r"  Error: \x07no")
    assert result.output[-1] == "… and 2 more"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "All 6 tests passed",
        '{"testResults": ',
        '{"op": "start"}',
        "<testsuite><testcase>",
        '<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>',
    ],
)
def test_what_is_no_whole_report_is_none(text: str) -> None:
    """Text, half a report, or XML with declarations is not counted at all."""
    with pytest.raises(ValueError, match=r"\w"):
        read(text)


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_report_breaks_the_reader(value: object) -> None:
    """Whatever JSON stands where suites and tests belong is counted or refused."""
    for suites in (value, [value], [{"assertionResults": [value]}]):
        with contextlib.suppress(ValueError):
            read(json.dumps({"testResults": suites}))


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is read or refused with a ValueError."""
    for each in (text, f"<{text}", f"{{{text}"):
        with contextlib.suppress(ValueError):
            read(each)
