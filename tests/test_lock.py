"""The lock of an environment: its name, and what is told when it is lost on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from runbook import inventory
from runbook.database.lock import lock_name
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import dumping, held
from tests.exporting import exporting, exports
from tests.inventories import GOOD, write
from tests.support import MYSQL_IS_WIDE, Bench, Ran, bench

pytestmark = MYSQL_IS_WIDE


def named(folder: Path, database: str) -> str:
    """Return the name of the lock of an environment whose database is called so."""
    known = inventory.load(write(folder, GOOD.replace("name: shop", f"name: {database}")))
    return lock_name(known.environment("staging"))


def test_no_two_databases_share_a_lock(sandbox: Sandbox, tmp_path: Path) -> None:
    """The longest names the servers allow still make a name each, which both servers take."""
    assert named(tmp_path, "shop") == "runbook:shop"
    assert named(tmp_path, "x" * 56) == "runbook:" + "x" * 56
    ours, theirs = (named(tmp_path, "x" * 63 + end) for end in "ab")
    assert ours != theirs
    assert ours.startswith("runbook:xxxxxxxx")
    assert sandbox.query(f"SELECT GET_LOCK('{ours}', 0)") == [(1,)]
    assert len(ours) == 64


def lost(place: Bench, command: str, moment: Callable[[], bool]) -> Ran:
    """Run a command, and kill the session that holds its lock when the moment has come."""

    def kill() -> None:
        assert wait_until(moment, 20.0)
        (holder,) = place.sandbox.query("SELECT IS_USED_LOCK('runbook:vaulteer')")[0]
        place.sandbox.query(f"KILL CONNECTION {holder}")

    killer = threading.Thread(target=kill)
    killer.start()
    ran = place.run(command)
    killer.join()
    return ran


def test_a_dump_that_outlives_the_lock_is_no_success(sandbox: Sandbox, tmp_path: Path) -> None:
    """However soon after it the dump ends, the run says that its lock was lost."""
    place, holding = bench(sandbox, tmp_path), threading.Event()

    def hold() -> None:
        with held(sandbox):
            dumping(sandbox)
            holding.set()
            time.sleep(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    ran = lost(place, "backup", holding.is_set)
    holder.join()
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert "the lock of test was lost" in ran.document["message"]
    assert ran.outcomes == ["unknown"]
    assert place.run("backup").status == 0


def test_an_export_that_outlives_the_lock_is_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its files never get their final name: another run might have been at work."""
    slow = "SELECT user_id, SLEEP(0.005) AS slept FROM users LIMIT 200"
    place = exporting(sandbox, tmp_path, {"slow": slow})
    ran = lost(place, "export", lambda: bool(exports(place)))
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert "the lock of test was lost" in ran.document["message"]
    assert [export.name for export in exports(place)] == []
    assert place.run("export").status == 0
