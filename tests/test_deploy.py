"""Deploy, as whole commands on real hosts: rolling, canary, putting back, resuming."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tests.rollout import (
    APPS,
    BRIEFLY,
    ENDS,
    GOOD,
    ILL,
    ILL_HERE,
    LATE,
    LIES,
    Rollout,
    deployed,
    rollout,
    running,
    runs,
    when,
)


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Iterator[Rollout]:
    """Return a place whose hosts run a first release."""
    with running(mariadb, tmp_path) as made:
        yield made


def test_a_release_rolls_over_the_hosts_and_then_is_there(place: Rollout) -> None:
    """The first run deploys to both hosts in turn, the second changes and restarts nothing."""
    new = place.release(LATE)
    first = deployed(place)
    assert (first.status, first.document["outcome"]) == (0, "changed")
    assert runs(place) == [new, new]
    assert [place.restarts(host) for host in APPS] == [1, 1]
    restarted = [s["where"] for s in first.document["steps"] if s["title"] == "restart"]
    assert restarted == ["app1", "app2"]
    second = deployed(place)
    assert (second.status, second.document["outcome"]) == (0, "ok")
    assert [place.restarts(host) for host in APPS] == [1, 1]


def test_a_dry_run_only_looks(place: Rollout) -> None:
    """A preview fetches and restarts nothing, and pins the branch to its commit."""
    new = place.release(GOOD)
    ran = deployed(place, dry_run=True)
    assert ran.status == 0
    assert f"main is {new} now" in ran.document["notes"][0]
    assert place.restarts("app1") == 0
    assert not (place.folder("app1") / ".runbook").exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (ILL, "its health check ended with status 1: not well"),
        pytest.param(LIES, "it runs something-else, not", marks=pytest.mark.wide),
        pytest.param(ENDS, "no database", marks=pytest.mark.wide),
    ],
    ids=["ill", "another release", "ends at once"],
)
def test_a_release_that_does_not_get_well_is_put_back_from_the_canary(
    place: Rollout, run: str, said: str
) -> None:
    """The first host goes back to what ran, the second is never touched, and all is said."""
    (old, _), bad = runs(place), place.release(run)
    ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert said in ran.said
    assert runs(place) == [old, old]
    assert [place.restarts(host) for host in APPS] == [2, 0]
    assert f"what runs where: app1, app2: {old}" in ran.document["advice"]
    assert not (place.folder("app1") / ".runbook" / "turn").exists()
    assert bad != old


def test_a_release_is_put_back_by_the_command_that_the_inventory_names(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """With deploy.rollback that one command puts back, and the preview shows it filled in."""
    command = (
        "echo {release} {previous} >>{folder}/put-back;"
        " ln -sfn releases/{previous} {folder}/current &&"
        f" {tmp_path}/app-ctl restart {{folder}}"
    )
    with running(mariadb, tmp_path, deploy={"rollback": command}) as place:
        (old, _), bad = runs(place), place.release(ILL)
        preview = deployed(place, dry_run=True)
        planned = [s for s in preview.document["planned"] if s["rescues"] and s["where"] == "app1"]
        (back,) = (step["text"] for step in planned if step["title"].startswith("put back"))
        folder = place.folder("app1")
        assert f"echo {bad} {old} >>{folder}/put-back; ln -sfn releases/{old} {folder}/" in back
        with place.bench.start("deploy", "--env=test", "--release=main", "--dry-run") as process:
            shown, _ = process.communicate(timeout=60)
        assert f"rescue app1: put back {old[:12]}" in shown
        assert f"      | echo {bad} {old} >>{folder}/put-back" in shown
        ran = deployed(place, plan=preview.document["plan"])
        assert (ran.status, ran.document["outcome"]) == (1, "failed")
        assert runs(place) == [old, old]
        assert (folder / "put-back").read_text() == f"{bad} {old}\n"
        assert [place.restarts(host) for host in APPS] == [2, 0]
        assert f"what runs where: app1, app2: {old}" in ran.document["advice"]


@pytest.mark.wide
def test_well_for_a_moment_is_not_well(mariadb: Sandbox, tmp_path: Path) -> None:
    """A release whose health breaks off before it was steady is put back."""
    with running(mariadb, tmp_path, deploy={"steady": "1s"}) as place:
        (old, _) = runs(place)
        place.release(BRIEFLY)
        assert deployed(place).status == 1
        assert runs(place) == [old, old]


def test_a_failure_behind_the_canary_keeps_what_is_done(place: Rollout) -> None:
    """What is well stays on the new release; the failed host goes back; both are named."""
    (old, _), new = runs(place), place.release(ILL_HERE)
    (place.folder("app2") / "bad").touch()
    ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert runs(place) == [new, old]
    assert f"app1: {new}; app2: {old}" in ran.document["advice"]
    (place.folder("app2") / "bad").unlink()
    again = deployed(place)
    assert (again.status, runs(place)) == (0, [new, new])
    assert place.restarts("app1") == 1


def test_a_batch_is_put_back_together(mariadb: Sandbox, tmp_path: Path) -> None:
    """Of a batch of two one is ill: both go back, and the canary stays."""
    made = rollout(mariadb, tmp_path, deploy={"batch": 2}, hosts={"db1": {"roles": ["db", "app"]}})
    try:
        old = made.release(GOOD)
        made.seed(old, *APPS, "db1")
        new = made.release(ILL_HERE)
        (made.folder("db1") / "bad").touch()
        ran = deployed(made)
        assert ran.status == 1
        assert [made.running(host) for host in (*APPS, "db1")] == [new, old, old]
        assert [made.restarts(host) for host in (*APPS, "db1")] == [1, 2, 2]
    finally:
        made.end()


def test_what_cannot_be_put_back_is_said_and_the_next_run_still_knows_the_way(
    place: Rollout,
) -> None:
    """A stuck host is named; later runs go back to the release from before the first of them."""
    (old, _) = runs(place)
    place.release(ILL)
    stuck = place.folder("app1") / "stuck"
    stuck.touch()
    ran = deployed(place)
    assert ran.status == 1
    assert "Not put back: app1: exit status 1: put back: restart" in ran.document["advice"]
    stuck.unlink()
    again = deployed(place)
    assert again.status == 1
    assert "a run was cut off while it replaced" in again.said
    assert runs(place) == [old, old]


def test_what_was_fetched_is_compared_before_anything_restarts(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """A fetch that brings another commit than was asked for stops the roll."""
    lying = (
        "rm -rf {folder}/releases/{release}; cp -r {folder}/current/ {folder}/releases/{release}"
    )
    with running(mariadb, tmp_path, deploy={"fetch": lying}) as place:
        (old, _), new = runs(place), place.release(GOOD)
        ran = deployed(place)
        assert (ran.status, ran.document["outcome"]) == (1, "failed")
        assert f"expected {new}, is {old}" in ran.document["message"]
        assert runs(place) == [old, old]
        assert [place.restarts(host) for host in APPS] == [0, 0]


def test_an_install_that_fails_on_any_host_stops_before_the_first_restart(place: Rollout) -> None:
    """Everything is ready everywhere before the canary's turn begins."""
    (old, _) = runs(place)
    place.release(GOOD, install="! [ -e ../../bad ] || { echo no space >&2; exit 3; }")
    (place.folder("app2") / "bad").touch()
    ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "no space" in ran.document["message"]
    assert [place.restarts(host) for host in APPS] == [0, 0]
    assert f"what runs where: app1, app2: {old}" in ran.document["advice"]


def test_there_but_ill_is_restarted(place: Rollout) -> None:
    """A host that runs the release and is not well takes a turn, and one that is well does not."""
    (place.folder("app2") / "well").unlink()
    ran = deployed(place)
    assert ran.status == 0
    assert [place.restarts(host) for host in APPS] == [0, 1]


@pytest.mark.wide
def test_a_first_release_has_nothing_to_go_back_to(mariadb: Sandbox, tmp_path: Path) -> None:
    """On hosts where nothing runs a failed release stays, and that is said beforehand."""
    made = rollout(mariadb, tmp_path)
    try:
        made.release(ILL)
        ran = deployed(made)
        assert ran.status == 1
        assert "there is nothing to put back" in ran.said
        assert made.restarts("app1") == 1
    finally:
        made.end()


@pytest.mark.parametrize(
    "run", [pytest.param(GOOD, marks=pytest.mark.wide), ILL], ids=["gets well", "is put back"]
)
def test_what_hosts_receive_is_what_was_previewed(place: Rollout, run: str) -> None:
    """A dry run sends its look; a run sends the look and texts of the plan, put-back included."""
    place.release(run)
    sandbox = place.bench.sandbox
    sandbox.clear_commands()
    preview = deployed(place, dry_run=True)
    looked = {text for host in APPS for text in sandbox.commands(host)}
    ran = deployed(place)
    assert ran.document["plan"] == preview.document["plan"]
    sent = {text for host in APPS for text in sandbox.commands(host)} - looked
    shown = {text for step in preview.document["planned"] for text in texts(step)}
    assert sent <= shown
    assert len(sent) > 8


def texts(step: dict[str, Any]) -> list[str]:
    """Return everything that a step shows it will send."""
    more = [step[name] for name in ("watch", "report", "logs") if name in step]
    return [step["text"], *more, *step.get("checks", ()), *(t for _, t in step.get("asked", ()))]


def test_nothing_is_put_back_that_is_not_there_any_more(place: Rollout) -> None:
    """Where the files of what runs are gone, that is said beforehand, and a failure stays."""
    (old, _) = runs(place)
    shutil.rmtree(place.folder("app1") / "releases" / old)
    bad = place.release(ILL)
    ran = deployed(place)
    assert ran.status == 1
    assert "of which deploy.fetched finds nothing there" in ran.said
    assert place.restarts("app1") == 1
    assert f"app1: {bad}" in ran.document["advice"] or "unknown" in ran.document["advice"]


def test_a_stop_leaves_things_where_they_are_and_says_where(place: Rollout) -> None:
    """Stopped within a turn nothing is put back; the same command goes on from there."""
    (old, _), new = runs(place), place.release(LATE)
    process = place.bench.start("deploy", "--env=test", "--release=main")
    with when(lambda: place.restarts("app1") == 1, lambda: process.send_signal(signal.SIGTERM)):
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "what runs where" in said
    assert place.running("app2") == old
    assert place.restarts("app1") == 1
    assert deployed(place).status == 0
    assert runs(place) == [new, new]
