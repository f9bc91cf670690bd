"""The package knows no change and no application by name."""

from __future__ import annotations

import subprocess

from tests.support import PROJECT


def test_the_package_names_no_table_of_the_change() -> None:
    """Nowhere in runbook/ stands a name of the shipped change or its application."""
    names = "attendance|event_participants|vaulteer"
    found = subprocess.run(
        ["grep", "-rliE", "--exclude-dir=__pycache__", names, "runbook"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
