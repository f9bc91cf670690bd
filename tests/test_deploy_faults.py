"""Deploy while hosts, connections, the database session and the program itself go away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.contents import cut_sessions
from sandbox.sandbox import Sandbox
from tests.rollout import (
    APPS,
    GOOD,
    ILL,
    ILL_HERE,
    LATE,
    Rollout,
    cut,
    deployed,
    killed,
    running,
    runs,
    when,
)
from tests.support import MYSQL_IS_WIDE


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Iterator[Rollout]:
    """Return a place whose hosts run a first release."""
    with running(mariadb, tmp_path) as made:
        yield made


# Hosts that go away


def test_a_host_that_is_down_before_its_turn_refuses_the_whole(place: Rollout) -> None:
    """Nothing is touched while a host cannot be looked at; it is named."""
    place.release(GOOD)
    listener = place.bench.sandbox.hosts["app2"].process()
    assert listener
    listener.end()
    ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (3, "refused")
    assert [f["where"] for f in ran.document["findings"] if f["level"] == "refused"] == ["app2"]
    assert [place.restarts(host) for host in APPS] == [0, 0]


def test_a_host_that_goes_down_in_its_turn(place: Rollout) -> None:
    """It is not put back, which is said; when it is up again the same command finishes it."""
    (old, _), new = runs(place), place.release(ILL_HERE)
    (place.folder("app2") / "bad").touch()
    with when(lambda: place.restarts("app2") == 1, lambda: cut(place, "app2")):
        ran = deployed(place)
    assert ran.status in {1, 4}
    assert "Not put back: app2" in ran.document["advice"]
    assert f"app1: {new}; app2: unknown" in ran.document["advice"]
    place.bench.sandbox.resume()
    (place.folder("app2") / "bad").unlink()
    assert deployed(place).status == 0
    assert runs(place) == [new, new]
    assert place.restarts("app1") == 1
    assert old != new


@pytest.mark.wide
def test_a_host_that_goes_down_after_its_turn(place: Rollout) -> None:
    """The roll ends, and at its end that host is missed: the run does not count as done."""
    new = place.release(GOOD)
    with when(lambda: place.restarts("app2") == 1, lambda: cut(place, "app1")):
        ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    last = ran.document["steps"][-1]
    assert [row["holds"] for row in last["checks"]] == [False, True]
    assert runs(place) == [new, new]


def test_an_install_goes_on_without_its_connection(place: Rollout) -> None:
    """When the connection dies under an install, the next run finds it and does not start two."""
    new = place.release(GOOD, install="sleep 1.5")
    with when(lambda: "install" in place.made("app1"), lambda: cut(place, "app1")):
        ran = deployed(place)
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    place.bench.sandbox.resume()
    assert deployed(place).status == 0
    assert runs(place) == [new, new]
    assert place.made("app1") == ["fetch", "install"]


# Beside a migration


@MYSQL_IS_WIDE
def test_nothing_is_deployed_beside_a_migration(sandbox: Sandbox, tmp_path: Path) -> None:
    """While a migration waits for a table a deploy is refused, named who is at it; then it goes."""
    short = {"lock_wait": "1s", "lock_give_up": "60s"}
    with running(sandbox, tmp_path, timeouts=short) as place, sandbox.root_connection() as other:
        new = place.release(GOOD)
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT COUNT(*) FROM event_participants")
            with place.bench.start("migrate", "--env=test") as process:
                assert process.stdout
                while "held by session" not in process.stdout.readline():
                    assert process.poll() is None
                for ran in (deployed(place, dry_run=True), deployed(place)):
                    assert (ran.status, ran.document["steps"]) == (3, [])
                    assert "(migrate, run " in ran.said
                cursor.execute("COMMIT")
                out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        assert [place.restarts(host) for host in APPS] == [0, 0]
        assert deployed(place).status == 0
        assert runs(place) == [new, new]


# Killed


QUICK = {7}
"""While the canary is waited for."""


@pytest.mark.parametrize(
    "steps", [n if n in QUICK else pytest.param(n, marks=pytest.mark.wide) for n in range(1, 13)]
)
def test_killed_at_any_point_the_same_command_does_what_is_left(
    mariadb: Sandbox, tmp_path: Path, steps: int
) -> None:
    """After a kill both hosts end on the release, by what the approved plan still holds."""
    with running(mariadb, tmp_path, policy={"confirm": "plan"}) as place:
        new = place.release(LATE)
        digest = deployed(place, dry_run=True).document["plan"]
        killed(place, steps, f"release={new}", f"plan={digest}")
        before = place.restarts("app1")
        ran = deployed(place, release=new, plan=digest)
        assert ran.status == 0, ran.document["message"]
        assert runs(place) == [new, new]
        assert not list(place.bench.folder.glob("srv/*/.runbook/turn"))
        assert place.made("app1") == ["fetch", "install"]
        assert place.restarts("app1") <= before + 1


@pytest.mark.wide
@pytest.mark.parametrize("steps", range(4, 9))
def test_killed_with_a_release_that_is_ill(mariadb: Sandbox, tmp_path: Path, steps: int) -> None:
    """Whatever was in hand, the next run still knows what to put back, and does."""
    with running(mariadb, tmp_path) as place:
        (old, _), bad = runs(place), place.release(ILL)
        killed(place, steps, f"release={bad}")
        assert deployed(place).status == 1
        assert runs(place) == [old, old]


@pytest.mark.wide
def test_without_the_lock_nothing_is_put_back(place: Rollout) -> None:
    """When the database session dies somebody else may migrate: no host is restarted any more."""
    place.release(ILL)
    sandbox = place.bench.sandbox
    with when(lambda: place.restarts("app1") == 1, lambda: cut_sessions(sandbox.query)):
        ran = deployed(place)
    assert ran.status in {1, 4}
    assert "Not put back: " in ran.document["advice"]
    assert place.restarts("app1") == 1
