"""What a test runner reports: jest's JSON or JUnit's XML, counted test by test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
INSIDE = ">"
"""Between the names of a group and of a test in it."""


@dataclass(frozen=True)
class Case:
    """One test, or a file of tests that failed as a whole: how it ended, and what it said."""

    name: str
    ended: str
    message: str = ""


@dataclass(frozen=True)
class Report:
    """All that a runner says of one run; `doubt` is why it does not call that a success."""

    tests: tuple[Case, ...]
    doubt: str = ""

    def ended(self, how: str) -> tuple[Case, ...]:
        """Return the tests that ended like that."""
        return tuple(test for test in self.tests if test.ended == how)


def read(text: str) -> Report:
    """Read a report, whichever of the two it is; in front of JSON there may be other lines.

    Raises:
        ValueError: it is neither, or is not whole.
    """
    if text.lstrip().startswith("<"):
        return _junit(text)
    return _jest(text)


def _jest(text: str) -> Report:
    for line in (text, *reversed(text.split("\n"))):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and isinstance(said.get("testResults"), list):
            break
    else:
        raise ValueError("it is neither the JSON of jest nor the XML of JUnit")
    tests = tuple(test for suite in said["testResults"] for test in _of_suite(suite))
    report = Report(tests)
    total = said.get("numTotalTests")
    if isinstance(total, int) and total != sum(not _whole(test) for test in tests):
        return Report(tests, f"it counts {total} tests and lists others")
    if said.get("wasInterrupted") is True:
        return Report(tests, "the runner was interrupted")
    if said.get("success") is False and not report.ended(FAILED):
        return Report(tests, "the runner does not call it a success")
    return report


def _of_suite(suite: object) -> Iterator[Case]:
    if not isinstance(suite, dict):
        raise ValueError("a suite of it is no object")
    failed = False
    for case in _list(suite.get("assertionResults")):
        if not isinstance(case, dict):
            raise ValueError("a test of it is no object")
        names = (*_list(case.get("ancestorTitles")), case.get("title") or case.get("fullName"))
        status = case.get("status")
        ended = str(status) if status in (PASSED, FAILED) else SKIPPED
        failed = failed or ended == FAILED
        message = "\n".join(map(str, _list(case.get("failureMessages"))))
        yield Case(f" {INSIDE} ".join(map(str, names)), ended, message)
    if suite.get("status") == FAILED and not failed:
        yield Case(f"{suite.get('name')}{_SUITE}", FAILED, str(suite.get("message") or ""))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_SUITE = " as a whole"


def _whole(test: Case) -> bool:
    return test.ended == FAILED and test.name.endswith(_SUITE)


def _junit(text: str) -> Report:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it is XML with declarations of its own, which no runner writes")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without declarations nothing expands
    except ElementTree.ParseError as error:
        raise ValueError(f"its XML is not whole: {error}") from error
    return Report(tuple(map(_of_case, root.iter("testcase"))))


def _of_case(case: ElementTree.Element) -> Case:
    name = f" {INSIDE} ".join(filter(None, (case.get("classname"), case.get("name"))))
    for kind in ("failure", "error"):
        for element in case.iter(kind):
            said = (element.get("message"), element.text)
            return Case(name, FAILED, "\n".join(each.strip() for each in said if each))
    return Case(name, SKIPPED if case.find("skipped") is not None else PASSED)
