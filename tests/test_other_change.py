"""Another, unrelated change goes through the same code: nothing in it knows the first one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox.sandbox import Sandbox
from tests.support import PROJECT, bench

CHANGES = PROJECT / "tests" / "changes"


def test_the_package_names_no_table_of_the_change() -> None:
    """Nowhere in runbook/ stands the word that every name of the shipped change begins with."""
    names = "attendance|event_participants|vaulteer"
    found = subprocess.run(
        ["grep", "-rliE", "--exclude-dir=__pycache__", names, "runbook"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_another_change_goes_there_and_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Migrate, verify, export, rollback and migrate again, for a library's loans."""
    base = (CHANGES / "library.base.sql").read_text()
    sandbox.load(f"USE vaulteer;\n{base}")
    place = bench(sandbox, tmp_path, change=str(CHANGES / "library"))
    before = place.schema()
    digest = place.run("migrate", dry_run=True).document["plan"]
    ran = place.run("migrate", plan=digest)
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.document["message"]
    assert place.run("verify").status == 0
    assert place.run("migrate").document["outcome"] == "ok"
    assert place.schema() != before
    assert place.run("export").status == 0
    ran = place.run("rollback")
    assert ran.status == 0, ran.document["message"]
    assert place.schema() == before
    assert place.run("migrate").document["outcome"] == "changed"
