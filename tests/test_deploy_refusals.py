"""What deploy refuses before it touches anything: names, what is missing, who else is at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.rollout import (
    GOOD,
    LATE,
    Rollout,
    deployed,
    rollout,
    running,
    runs,
    when,
)
from tests.support import Ran, bench


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Iterator[Rollout]:
    """Return a place whose hosts run a first release."""
    with running(mariadb, tmp_path) as made:
        yield made


def test_a_plan_is_of_a_commit_and_not_of_a_branch(place: Rollout) -> None:
    """When the branch moves on, the previewed digest runs the previewed commit or nothing."""
    new = place.release(GOOD)
    digest = deployed(place, dry_run=True).document["plan"]
    place.release(LATE)
    assert deployed(place, plan=digest).status == 3
    ran = deployed(place, release=new, plan=digest)
    assert ran.status == 0
    assert runs(place) == [new, new]


def test_nothing_restarts_while_somebody_migrates(place: Rollout) -> None:
    """Deploy and migrate have one lock: each refuses while the other is at work, and names it."""
    place.release(LATE)
    with place.bench.sandbox.root_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('runbook:vaulteer', 0)")
        assert deployed(place).status == 3
        assert deployed(place, dry_run=True).status == 3
    found: list[Ran] = []
    with when(
        lambda: place.restarts("app1") == 1,
        lambda: found.append(place.bench.run("migrate", dry_run=True)),
    ):
        assert deployed(place).status == 0
    assert found[0].status == 3
    assert "(deploy, run " in found[0].said


NO_NAMES = ("", "a;b", "$(id)", "-x", "a b", "a..b", "main\n", "{release}", "ä", "x" * 300)


def test_a_name_that_a_shell_might_read_is_refused(mariadb: Sandbox, tmp_path: Path) -> None:
    """A release's name is one plain word; another one reaches no host."""
    place = rollout(mariadb, tmp_path)
    for name in NO_NAMES:
        ran = deployed(place, release=name)
        assert (ran.status, ran.document["outcome"]) == (2, "refused"), name
    assert not mariadb.commands("app1")


def test_refusals_say_what_would_satisfy_them(mariadb: Sandbox, tmp_path: Path) -> None:
    """No such branch, a missing program, a full disk: each is refused before anything."""
    with running(mariadb, tmp_path, deploy={"needs": ["nonesuch"], "space": 10_000_000}) as place:
        ran = deployed(place, release="nonesuch")
        assert ran.status == 3
        assert "deploy.resolve" in ran.document["advice"]
        place.release(GOOD)
        ran = deployed(place)
        assert ran.status == 3
        refused = {f["what"] for f in ran.document["findings"] if f["level"] == "refused"}
        assert refused == {"tools", "disk"}


def test_without_a_section_the_refusal_shows_one(mariadb: Sandbox, tmp_path: Path) -> None:
    """An environment that does not say how to deploy is told how to say it."""
    ran = bench(mariadb, tmp_path).run("deploy", release="main")
    assert ran.status == 2
    assert "restart: sudo -n systemctl restart" in ran.document["advice"]
