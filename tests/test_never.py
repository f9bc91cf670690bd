"""policy.never: what it forbids is refused as a command, and within a window, before anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from runbook.command.commands import COMMANDS
from runbook.inventory.shape import PHASES
from runbook.plan.order import ORDER
from sandbox.sandbox import Sandbox
from tests.rollout import APPS, GOOD, Rollout
from tests.standins import whole
from tests.support import Ran

ASKED: dict[str, dict[str, Any]] = {
    "restore": {"into": "vaulteer_restore_1"},
    "deploy": {"release": "main"},
    "watch": {"install": True},
    "monitor": {"once": True},
    "run": {"release": "main", "triggers": True, "hours": "1"},
}
"""What is typed so that each command has something to do."""


@pytest.fixture(scope="module")
def place(mariadb_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollout]:
    """Return a place with everything still to do; no test of this file changes it."""
    with whole(mariadb_server, tmp_path_factory.mktemp("never")) as made:
        made.release(GOOD)
        yield made


def forbidding(place: Rollout, phase: str) -> None:
    """Let the policy forbid one phase."""
    file = place.bench.folder / "inventory.yaml"
    tree = yaml.safe_load(file.read_text())
    tree["environments"]["test"]["policy"]["never"] = [phase]
    file.write_text(yaml.safe_dump(tree))


def refused(place: Rollout, ran: Ran, phase: str) -> None:
    """Check that nothing was done since the policy forbids this phase."""
    assert (ran.status, ran.document["outcome"]) == (3, "refused"), ran.why
    assert ran.document["message"] == f"policy.never forbids {phase} in test"
    assert "inventory.yaml:" in ran.document["advice"]
    assert (ran.document["steps"], ran.document["journal"]) == ([], None)
    tables = place.bench.schema()
    assert "event_attendance_audit" not in tables
    assert not (place.bench.folder / "backups").exists()
    assert [place.restarts(host) for host in APPS] == [0, 0]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_forbidden_command_is_refused(place: Rollout, command: str) -> None:
    """Each command there is can be forbidden; no host is even asked, and it says where."""
    forbidding(place, command)
    place.bench.sandbox.clear_commands()
    refused(place, place.bench.run(command, **ASKED.get(command, {})), command)
    assert not [host for host in APPS if place.bench.sandbox.commands(host)]


@pytest.mark.parametrize("phase", ORDER[1:])
def test_a_forbidden_phase_is_kept_out_of_a_window(place: Rollout, phase: str) -> None:
    """A window with it is refused and says how to leave it out; tests leave themselves out."""
    forbidding(place, phase)
    if phase == "smoke":
        planned = place.bench.run("run", dry_run=True).document["planned"]
        (left,) = (s for s in planned if s["phase"] == phase)
        assert (left["kind"], left["text"]) == ("skip", "policy.never forbids it in test")
        return
    ran = place.bench.run("run", **ASKED["run"])
    refused(place, ran, phase)
    assert f'--skip="{phase}: policy"' in ran.document["advice"]


def test_every_phase_that_can_be_forbidden_is_one() -> None:
    """The inventory accepts the names of the commands that open connections, and no other."""
    assert set(PHASES) - {"report"} == set(COMMANDS)
