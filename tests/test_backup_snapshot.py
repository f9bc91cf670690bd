"""The snapshot that goes with a dump: taken once for each, however the run before it ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runbook.hosts import backups
from runbook.options import Options
from runbook.phases import backup
from runbook.plan.steps import Command
from sandbox.sandbox import Sandbox
from tests.dumps import Dump, mode, place, run_here
from tests.support import Bench, Ran, bench
from tests.test_kill import killed

TITLE = "take the snapshot that goes with the newest dump"


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """Return the file that gets a line for each snapshot."""
    return tmp_path / "taken"


def snapshotted(sandbox: Sandbox, folder: Path, **overrides: Any) -> Bench:
    """Return a bench whose snapshot is a line in the file `taken`, and fails while `broken` is."""
    command = f"test ! -e {folder}/broken | cat && echo line >>{folder}/taken"
    return bench(sandbox, folder, backup={"snapshot": command}, **overrides)


def steps_of(ran: Ran, key: str = "planned") -> list[str]:
    """Return the titles of the backup's steps."""
    return [step["title"].split()[0] for step in ran.document[key] if step["phase"] == "backup"]


def test_the_snapshot_command_runs_after_the_dump(
    mariadb: Sandbox, tmp_path: Path, taken: Path
) -> None:
    """It runs once on the backup host as it is written, and a private note says for which dump."""
    with place(mariadb, tmp_path, backup={"snapshot": f"echo $0 >>{taken}"}) as here:
        plan = backup.prepare(here.site, Options())
        assert f"snapshot='echo $0 >>{taken}'" in plan.steps[-1].text
        *_, first = here.perform(*plan.steps)
        (dump,) = here.dumps
        assert first.detail == f"{dump.name}: its snapshot is taken"
        note = Path(f"{dump}.snapshot")
        assert mode(note) == "0o600"
        (again,) = here.perform(plan.steps[-1])
        assert again.detail == f"{dump.name}: its snapshot was taken already"
        assert taken.read_text() == "bash\n"
        assert backup.look(here.site).snapshots == (dump.name,)
        assert len(backup.prepare(here.site, Options()).steps) == 1


def test_a_snapshot_that_failed_is_taken_by_the_same_command(
    mariadb: Sandbox, tmp_path: Path, taken: Path
) -> None:
    """While it fails nothing is migrated; then it is taken for the dump there is, and once."""
    here = snapshotted(mariadb, tmp_path)
    (tmp_path / "broken").touch()
    for planned in (["dump", "keep", "take"], ["verify", "take"]):
        ran = here.run("migrate")
        assert (ran.status, steps_of(ran)) == (1, planned)
        assert TITLE in ran.document["message"]
        assert "next: " in ran.document["advice"]
    assert "the snapshot that goes with vaulteer-" in here.run("status").said
    assert not taken.exists()
    (tmp_path / "broken").unlink()
    ran = here.run("migrate")
    assert (ran.status, steps_of(ran, "steps")) == (0, ["verify", "take"])
    assert taken.read_text() == "line\n"
    assert steps_of(here.run("backup")) == ["verify"]
    assert "snapshot" not in str(here.run("status").document["findings"])


@pytest.mark.parametrize("steps", ["1", "2"])
def test_a_run_killed_before_its_snapshot_takes_it_later(
    mariadb: Sandbox, tmp_path: Path, taken: Path, steps: str
) -> None:
    """Killed after the dump, or after the retention, the next run takes it before it migrates."""
    here = snapshotted(mariadb, tmp_path)
    assert killed(here, "migrate", steps)
    assert not taken.exists()
    ran = here.run("migrate")
    assert (ran.status, steps_of(ran)) == (0, ["verify", "take"])
    assert taken.read_text() == "line\n"


def test_a_snapshot_that_somebody_takes_changes_no_approved_plan(
    mariadb: Sandbox, tmp_path: Path, taken: Path
) -> None:
    """A digest with a dump, or with only a snapshot in it, is good after somebody took both."""
    here = snapshotted(mariadb, tmp_path, policy={"confirm": "plan"})

    def digest(command: str = "migrate") -> str:
        return str(here.run(command, dry_run=True).document["plan"])

    whole = digest()
    assert killed(here, "backup", "1", f"plan={digest('backup')}")
    pending = digest()
    assert here.run("backup", plan=digest("backup")).status == 0
    assert len({whole, pending, digest()}) == 3
    for approved in (whole, pending):
        assert here.run("migrate", plan=approved, dry_run=True).document["plan"] == approved
    ran = here.run("migrate", plan=pending)
    assert (ran.status, steps_of(ran, "steps")) == (0, ["verify", "take"])
    assert "was taken already" in ran.said
    assert taken.read_text() == "line\n"


def test_the_note_goes_with_its_dump(mariadb: Sandbox, tmp_path: Path) -> None:
    """Retention removes the note of a dump that it removes, and no other."""
    with place(mariadb, tmp_path, backup={"snapshot": "true", "keep": 1}) as here:
        dump, retention, snapshot = backup.prepare(here.site, Options()).steps
        here.perform(dump, snapshot)
        (newest,) = here.dumps
        old = Dump(newest).copy(here.folder / "vaulteer-20200101T000000Z.sql.zst")
        note = Path(f"{old.path}.snapshot")
        note.touch()
        here.perform(retention)
        assert here.dumps == [newest]
        assert not note.exists()
        assert not Path(f"{old.path}{backups.ENDING}").exists()
        assert Path(f"{newest}.snapshot").exists()


def test_a_snapshot_in_hand_is_waited_for(mariadb: Sandbox, tmp_path: Path, taken: Path) -> None:
    """A run whose connection died may still take it: the next one waits, and takes no second."""
    with place(mariadb, tmp_path, backup={"snapshot": f"sleep 1; echo line >>{taken}"}) as here:
        dump, _, snapshot = backup.prepare(here.site, Options()).steps
        here.perform(dump)
        with ThreadPoolExecutor() as pool:
            said = [done.stdout.strip() for done in pool.map(run_here, [snapshot.text] * 2)]
    assert taken.read_text() == "line\n"
    assert sorted(line.partition(": ")[2] for line in said) == [
        "its snapshot is taken",
        "its snapshot was taken already",
    ]


def test_a_pipe_hides_no_failure(mariadb: Sandbox, tmp_path: Path) -> None:
    """A snapshot command fails where any part of its pipe does; another shell does not matter."""
    with place(mariadb, tmp_path, backup={"snapshot": "false | cat"}) as here:
        dump, _, snapshot = backup.prepare(here.site, Options()).steps
        here.perform(dump)
        assert isinstance(snapshot, Command)
        done = run_here(snapshot.text)
        assert (done.returncode, done.stdout) == (1, "")
        assert backup.look(here.site).snapshots == ()
