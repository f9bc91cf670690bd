"""`invoke report`: which journal it takes, where it writes, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from runbook.report.command import main
from sandbox.sandbox import Sandbox
from tests.inventories import GOOD, write
from tests.journals import RUN, Page, journal
from tests.support import DOCUMENT, bench

OTHER = "20261122T030000Z-0000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an inventory that nothing listens for, and a journal of `staging`."""
    write(tmp_path, GOOD)
    kept = tmp_path / ".runbook" / "staging" / "journal"
    kept.mkdir(parents=True)
    journal(kept)
    return tmp_path


def reported(
    folder: Path, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[int, dict[str, Any]]:
    """Report and return exit status and document."""
    status = main("staging", folder, as_json=True, **options)
    document = json.loads(capsys.readouterr().out)
    DOCUMENT.validate(document)
    return status, document


def test_a_real_run_becomes_a_page(mariadb: Sandbox, tmp_path: Path) -> None:
    """Of a migration the page has every step, all checks, rows before and after, and no secret."""
    place = bench(mariadb, tmp_path)
    ran = place.run("migrate")
    assert ran.status == 0
    with place.start("report", "--env=test") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    page = Page()
    text = Path(out.splitlines()[-1]).read_text()
    page.feed(text)
    (head,) = page.of("h1")
    checks = sum(len(step["checks"]) for step in ran.document["steps"])
    changed = ran.outcomes.count("changed")
    assert head.text == f"Done: {changed} steps changed something, all checks hold ({checks})"
    steps = [e for e in page.of("li") if e.attributes.get("id", "").startswith("step-")]
    assert [e.attributes["class"] for e in steps] == ran.outcomes
    titles = [step["title"] for step in ran.document["steps"]]
    assert all(title in e.text for title, e in zip(titles, steps, strict=True))
    rows = [" ".join(e.text.split()) for e in page.of("tr")]
    assert {"event_participants 500 500", "event_attendance_audit no table 0"} <= set(rows)
    assert mariadb.password("migrator") not in text
    with place.start("--dry", "report", "--env=test") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "only writes a file here" in out


def test_the_latest_run_is_taken_and_the_page_is_its_owners(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --run it is the latest; the file lies beside the journals, for its owner's eyes."""
    status, document = reported(folder, capsys)
    file = folder / ".runbook" / "staging" / "reports" / f"{RUN}.html"
    assert (status, document["outcome"], document["run"]) == (0, "ok", RUN)
    assert document["report"] == str(file)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (folder / ".runbook" / "staging" / "journal" / f"{OTHER}.jsonl").write_text("")
    assert reported(folder, capsys)[1]["run"] == OTHER
    assert reported(folder, capsys, run=RUN)[1]["run"] == RUN


def test_of_two_runs_of_one_second_the_later_one_is_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the names' second is the same, the file that was written last is the latest run."""
    kept = folder / ".runbook" / "staging" / "journal"
    later = f"{RUN[:16]}-0000"
    (kept / f"{later}.jsonl").write_text("{")
    os.utime(kept / f"{RUN}.jsonl", (time.time() - 60,) * 2)
    assert reported(folder, capsys)[1]["run"] == later


def test_a_ticket_goes_to_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --output=- nothing but the text is there, and nothing is written."""
    assert main("staging", folder, markdown=True, output="-") == 0
    assert capsys.readouterr().out.startswith("## migrate staging notes: Failed: 1 of 2 checks")
    assert not (folder / ".runbook" / "staging" / "reports").exists()
    assert main("staging", folder, run="none", output="-") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no run of that name" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run": RUN[:-1]}, f"Did you mean --run={RUN}?"),
        ({"run": "../../x"}, "no run of that name has a journal"),
        ({"output": "-"}, "both want standard output"),
        ({"output": "none/page.html"}, "cannot be written"),
        ({"output": "."}, "cannot be written"),
    ],
)
def test_a_mistake_is_said_in_one_line_and_leaves_nothing(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    said: str,
) -> None:
    """A run that is not there, or a file that cannot be, is a usage error with what would do."""
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    status, document = reported(folder, capsys, **options)
    assert status == 2
    assert said in f"{document['message']} {document['advice']}"
    assert sorted(folder.rglob("*")) == before


def test_without_a_journal_it_says_where_one_would_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing ran, or ran elsewhere, it says so; where policy forbids, it refuses."""
    write(tmp_path, GOOD)
    status, document = reported(tmp_path, capsys)
    assert status == 2
    assert "no run of staging has a journal" in document["message"]
    write(tmp_path, GOOD.replace("never: [smoke]", "never: [report]"))
    status, document = reported(tmp_path, capsys)
    assert (status, document["message"]) == (3, "policy.never forbids report in staging")


def test_only_files_are_taken_for_journals(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe, a folder, a link that leads nowhere and a name of other bytes are passed over."""
    kept = folder / ".runbook" / "staging" / "journal"
    os.mkfifo(kept / "20991231T000000Z-0001.jsonl")
    (kept / "20991231T000000Z-0002.jsonl").mkdir()
    (kept / "20991231T000000Z-0003.jsonl").symlink_to("gone")
    Path(os.fsdecode(bytes(kept) + b"/20991231T000000Z-\xff.jsonl")).touch()
    status, document = reported(folder, capsys)
    assert (status, document["run"]) == (0, RUN)
    status, document = reported(folder, capsys, run="20991231T000000Z-0001")
    assert (status, "There are 1;" in document["advice"]) == (2, True)


def test_a_report_wants_no_file_but_the_journal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where keys and known hosts are gone, as after the sandbox, runs can still be reported on."""
    write(folder, GOOD.replace("user: deploy", "user: deploy\n      known_hosts: gone"))
    status, document = reported(folder, capsys)
    assert (status, document["outcome"]) == (0, "ok")
