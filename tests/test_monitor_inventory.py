"""`logs` and `monitor` in the inventory: what they may say, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.application import Log, Monitor
from runbook.environment import Environment
from runbook.inventory import load
from tests.inventories import GOOD, mistakes_in, write

ALL = """\
    logs:
      api: {role: app, file: "/var/log/{host}/api-*.log", level: error}
      worker: {role: db, unit: shop-worker@1}
      web: {role: app, command: "docker logs --since {since} --timestamps web 2>&1"}
"""


def read(tmp_path: Path, more: str) -> Environment:
    """Return the good inventory's environment with more in it."""
    return load(write(tmp_path, GOOD + more)).environment("staging")


def test_logs_of_each_kind_are_read(tmp_path: Path) -> None:
    """A log is a file, a unit or a command, on the hosts with a role."""
    assert read(tmp_path, ALL).logs == (
        Log("api", "app", file="/var/log/{host}/api-*.log", level="error"),
        Log("worker", "db", unit="shop-worker@1"),
        Log("web", "app", command="docker logs --since {since} --timestamps web 2>&1"),
    )


def test_monitor_has_defaults_and_its_own_values(tmp_path: Path) -> None:
    """Without the section its defaults hold; sizes are written in MiB, times as durations."""
    assert read(tmp_path, "").monitor == Monitor()
    said = "{baseline: 2d, history: 64, interval: 1s, factor: 3, quiet: 7d, level: warning}"
    wanted = Monitor(172800.0, 64 << 20, 1.0, 3, 604800.0, "warning")
    assert read(tmp_path, f"    monitor: {said}\n").monitor == wanted


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("{role: app}", "exactly one of file, unit, command"),
        ("{role: app, file: /a/b, unit: c}", "exactly one of file, unit, command"),
        ("{role: shop, unit: c}", "no role shop"),
        ("{role: app, file: /a*/b}", "a file on the host"),
        ('{role: app, file: "/a/{name}"}', "a file on the host"),
        ("{role: app, file: ~/b}", "a file on the host"),
        ("{role: app, unit: a b}", "a systemd unit"),
        ("{role: app, command: docker logs web}", "{since}"),
        ('{role: app, command: "logs {since} {until}"}', "{since}"),
        ("{role: app, unit: c, level: fatal}", "one of info, warning, error"),
    ],
)
def test_a_wrong_log_is_a_mistake_with_its_place(log: str, said: str) -> None:
    """Each mistake names the log and what was expected."""
    found = [str(mistake) for mistake in mistakes_in(f"{GOOD}    logs:\n      api: {log}\n")]
    assert len(found) == 1
    assert "logs.api" in found[0]
    assert said in found[0]
