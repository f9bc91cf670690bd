"""A whole window while hosts, a worker or the time for it go away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.plan import gate as gates
from sandbox.sandbox import Sandbox
from tests.rollout import APPS, GOOD, ILL, LATE, Rollout, cut, runs, when
from tests.standins import whole
from tests.support import MYSQL_IS_WIDE, Ran
from tests.test_gate import windows


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Iterator[Rollout]:
    """Return a place where every phase has something to do."""
    with whole(sandbox, tmp_path) as made:
        yield made


def window(place: Rollout, **options: object) -> Ran:
    """Run the whole window."""
    return place.bench.run("run", release="main", triggers=True, **options)


def finishes(place: Rollout, release: str) -> None:
    """Check that with everything there again the same command does what is left."""
    place.bench.sandbox.resume()
    ran = window(place)
    assert ran.status == 0, ran.why
    assert runs(place) == [release, release]
    assert window(place).status == 0


def ends(ran: Ran) -> dict[str, set[str]]:
    """Return how the steps of each phase ended."""
    found: dict[str, set[str]] = {}
    for step in ran.document["steps"]:
        found.setdefault(step["phase"], set()).add(step["outcome"])
    return found


def columns(place: Rollout) -> set[str]:
    """Return the columns of the table that is migrated, at this moment."""
    rows = place.bench.sandbox.query("SHOW COLUMNS FROM vaulteer.event_participants")
    return {str(row[0]) for row in rows}


@MYSQL_IS_WIDE
def test_a_host_that_is_down_before_the_window_refuses_all_of_it(place: Rollout) -> None:
    """Nothing is touched, no dump taken, and the host is named; up again, the window runs."""
    new, before = place.release(GOOD), place.bench.schema()
    cut(place, "app2")
    preview, ran = window(place, dry_run=True), window(place)
    assert (preview.status, ran.status, ran.document["outcome"]) == (3, 3, "refused")
    assert ran.document["steps"] == []
    refused = {f["where"] for f in ran.document["findings"] if f["level"] == "refused"}
    assert refused == {"app2"}
    assert place.bench.schema() == before
    assert [place.restarts(host) for host in APPS] == [0, 0]
    assert not (place.bench.folder / "backups").exists()
    finishes(place, new)


@pytest.mark.wide
@MYSQL_IS_WIDE
def test_a_host_that_goes_down_in_its_turn_stops_before_the_migration(place: Rollout) -> None:
    """The other host and the schema are as they were, all is said, and the rest comes later."""
    (old, _), new, before = runs(place), place.release(LATE), place.bench.schema()
    with when(lambda: place.restarts("app1") == 1, lambda: cut(place, "app1")):
        ran = window(place)
    assert ran.status in {1, 4}
    assert "what runs where: app1: unknown" in ran.document["advice"]
    assert f"app2: {old}" in ran.document["advice"]
    assert ends(ran).keys() <= {"preflight", "backup", "deploy"}
    assert place.bench.schema() == before
    assert place.restarts("app2") == 0
    finishes(place, new)


@MYSQL_IS_WIDE
def test_a_release_that_does_not_get_well_stops_before_the_migration(place: Rollout) -> None:
    """It is put back, the other host and the schema are as they were; a good one goes through."""
    (old, _), before = runs(place), place.bench.schema()
    place.release(ILL)
    ran = window(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "its health check ended with status 1: not well" in ran.said
    assert ends(ran).keys() <= {"preflight", "backup", "deploy"}
    assert runs(place) == [old, old]
    assert [place.restarts(host) for host in APPS] == [2, 0]
    assert place.bench.schema() == before
    finishes(place, place.release(GOOD))


@pytest.mark.wide
@MYSQL_IS_WIDE
def test_a_host_that_goes_down_after_its_turn_is_missed_before_the_migration(
    place: Rollout,
) -> None:
    """The roll is done and its end is asked of every host: without one nothing is migrated."""
    new, before = place.release(LATE), place.bench.schema()
    with when(lambda: place.restarts("app2") == 1, lambda: cut(place, "app1")):
        ran = window(place)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "failed" in ends(ran)["deploy"]
    assert ends(ran)["migrate"] <= {"skipped", "ok"}
    assert place.bench.schema() == before
    finishes(place, new)


@MYSQL_IS_WIDE
def test_a_host_that_goes_down_while_the_database_migrates(place: Rollout) -> None:
    """The migration ends as it should; what needs the host fails by its name, and comes later."""
    new = place.release(GOOD)
    with when(lambda: "attendance_notes" in columns(place), lambda: cut(place, "app1")):
        ran = window(place)
    assert ran.status in {1, 4}
    assert "app1" in ran.document["message"]
    told = ends(ran)
    assert told["migrate"] <= {"ok", "changed"}
    assert told["verify"] == {"ok"}
    assert "triggers" not in told
    finishes(place, new)


@MYSQL_IS_WIDE
def test_a_window_that_closes_after_the_roll_leaves_the_migration_for_the_next(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun is ended, what is next is not begun, and the next window does just that."""
    open_now = windows(timedelta(hours=-1), timedelta(hours=2))
    with whole(sandbox, tmp_path, windows=open_now) as place:
        new, before = place.release(GOOD), place.bench.schema()

        def clock() -> datetime:
            rolled = runs(place) == [new, new]
            return datetime.now(UTC) + timedelta(hours=4 if rolled else 0)

        monkeypatch.setattr(gates, "_now", clock)
        ran = window(place)
        assert (ran.status, ran.document["outcome"]) == (130, "stopped")
        assert "the window has closed" in ran.document["message"]
        assert ends(ran)["deploy"] <= {"ok", "changed"}
        assert place.bench.schema() == before
        assert window(place).status == 3
        monkeypatch.setattr(gates, "_now", lambda: datetime.now(UTC))
        finishes(place, new)
        assert [place.restarts(host) for host in APPS] == [1, 1]
