"""The database password in what a host says: it goes out nowhere, whatever it got into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.steps import Command
from runbook.telling.document import Document
from sandbox.sandbox import Sandbox
from tests.support import Bench, bench


def leaking(sandbox: Sandbox, folder: Path, status: int) -> tuple[Bench, str]:
    """Return a bench whose health check prints the database password and ends with a status."""
    password = sandbox.password("migrator")
    command = f"cat {sandbox.root / 'migrator.password'}; exit {status}"
    return bench(sandbox, folder, health={"chatty": {"role": "db", "command": command}}), password


@pytest.mark.wide
def test_a_health_check_that_prints_the_password_shows_it_nowhere(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Findings, preview, document, journal and what is kept hold a mark in its place."""
    for status, exits in ((1, (3, 3, 3)), (0, (0, 0, 0))):
        place, password = leaking(mariadb, tmp_path, status)
        said = []
        for words, ends in zip(
            (("preflight",), ("migrate", "--dry-run"), ("migrate",)), exits, strict=True
        ):
            for json_too in ((), ("--json",)):
                with place.start(*words, "--env=test", *json_too) as process:
                    out, _ = process.communicate(timeout=120)
                assert process.returncode == ends, out
                said.append(out)
        kept = [file.read_text() for file in (tmp_path / ".runbook").rglob("*") if file.is_file()]
        assert kept
        assert not [text for text in (*said, *kept) if password in text]
        assert "•••" in said[0]


def test_a_document_holds_no_secret() -> None:
    """Not in a plan's notes, findings and steps, nor in what ended the command."""
    step = Command(phase="x", title="hunter2", where="hunter2", text="echo hunter2", cost="hunter2")
    finding = Finding("hunter2", "hunter2", Level.REFUSED, "hunter2", "hunter2")
    plan = Plan("e", "x", "c", (step,), (finding,), ("hunter2",))
    document = Document("x", "e", dry_run=False, secrets=lambda: ("hunter2",))
    document.plan = plan
    text = document.text("refused", 3, RunbookError("hunter2", advice="hunter2"))
    assert "hunter2" not in text
    said = json.loads(text)
    assert said["findings"][0]["level"] == "refused"
    assert said["plan"] == plan.digest
