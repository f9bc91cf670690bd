"""The application's own runner outlives its run: nothing is restarted or undone beside it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.rollout import APPS, GOOD, Rollout, deployed, running, runs
from tests.support import MYSQL_IS_WIDE, Bench

COLUMN = (
    "mysql --defaults-extra-file={login} vaulteer"
    ' --execute "ALTER TABLE event_participants ADD COLUMN {column}"'
)
STILL = "by itself, and still does"


@contextmanager
def unwatched(sandbox: Sandbox, folder: Path) -> Iterator[tuple[Rollout, Path]]:
    """Make a place whose runner has added one column, and lost the run that began it.

    It adds another column once the file is there that comes with the place.
    """
    go, login = folder / "go", sandbox.root / "migrator.cnf"
    first = COLUMN.format(login=login, column="attendance_notes TEXT NULL")
    second = COLUMN.format(login=login, column="attendance_marked_at TIMESTAMP NULL")
    own = {
        "host": "app1",
        "folder": f"{folder}/srv/{{host}}",
        "command": f"{first}; until [ -e {go} ]; do sleep 0.05; done; {second}",
    }
    with running(sandbox, folder, runner=own) as place:
        process = place.bench.start("migrate", "--env=test")
        table = "event_participants"
        assert wait_until(lambda: "attendance_notes" in place.bench.schema()[table], 60.0)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        try:
            yield place, go
        finally:
            go.touch()


@MYSQL_IS_WIDE
def test_nothing_is_restarted_while_the_runner_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Deploy and the window refuse and name it, without a restart; when it has ended they go."""
    with unwatched(sandbox, tmp_path) as (place, go):
        new = place.release(GOOD)
        window = place.bench.run("run", release=new, last="deploy")
        for ran in (deployed(place, dry_run=True), deployed(place), window):
            assert ran.status == 3, ran.why
            assert STILL in ran.why
        assert [place.restarts(host) for host in APPS] == [0, 0]
        go.touch()
        assert wait_until((place.folder("app1") / ".runbook" / "runner" / "status").exists, 60.0)
        assert deployed(place).status == 0
        assert runs(place) == [new, new]


@MYSQL_IS_WIDE
def test_nothing_is_undone_while_the_runner_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rollback refuses until it has ended, and status tells of it; then the undo is exact."""
    before = Bench(sandbox, tmp_path).schema()
    with unwatched(sandbox, tmp_path) as (place, go):
        assert place.bench.run("export").status == 0
        told = place.bench.run("status").document["findings"]
        assert [f["level"] for f in told if STILL in f["detail"]] == ["warning"]
        for options in ({"dry_run": True}, {}):
            ran = place.bench.run("rollback", **options)
            assert ran.status == 3, ran.why
            assert STILL in ran.why
        go.touch()
        assert wait_until((place.folder("app1") / ".runbook" / "runner" / "status").exists, 60.0)
        assert "attendance_marked_at" in place.bench.schema()["event_participants"]
        assert place.bench.run("export").status == 0
        ran = place.bench.run("rollback")
        assert ran.status == 0, ran.why
        assert place.bench.schema() == before


def test_verify_is_not_left_out_where_a_runner_migrates(mariadb: Sandbox, tmp_path: Path) -> None:
    """Only verify can tell whether it did: a window without it is refused before anything."""
    own = {"host": "app1", "folder": str(tmp_path), "command": "exit 1"}
    with running(mariadb, tmp_path, runner=own) as place:
        for options in ({"last": "migrate"}, {"skip": ("verify: no time",)}):
            ran = place.bench.run("run", **options)
            assert ran.status == 2, ran.why
            assert "only it can tell" in ran.document["message"]
        ran = place.bench.run("run", last="verify")
        assert ran.status == 1, ran.why
