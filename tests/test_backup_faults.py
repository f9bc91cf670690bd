"""What goes wrong during a dump, on real servers: it is named, and nothing half-made is kept."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runbook.errors import Interrupted, Lost, Outcome, StepFailed
from runbook.hosts import jobs
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.phases import backup
from runbook.plan.steps import Job
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import (
    Background,
    Place,
    dumping,
    held,
    jobs_of,
    place,
    programs,
    refused,
    run_here,
    the_job,
)
from tests.support import MYSQL_IS_WIDE


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on each server in turn."""
    with place(sandbox, tmp_path) as opened:
        yield opened


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on MariaDB."""
    with place(mariadb, tmp_path) as opened:
        yield opened


@MYSQL_IS_WIDE
def test_a_killed_dump_program_is_named_and_nothing_kept(here: Place) -> None:
    """After SIGKILL of the dump program there is no dump, and a clear reason."""
    with held(here.sandbox):
        background = Background(here, the_job(here))
        os.kill(dumping(here.sandbox).pid, signal.SIGKILL)
        background.join()
    assert isinstance(background.error, StepFailed)
    assert "dump ended with status 137 (signal KILL)" in background.error.message
    assert here.dumps == []
    assert not list(here.folder.rglob("part"))
    said = [finding.detail for finding in backup.prepare(here.site, Options()).findings]
    assert any("the last dump failed" in line for line in said)
    assert here.perform(the_job(here))[0].outcome is Outcome.CHANGED


def test_a_killed_job_is_found_dead_and_begun_anew(maria: Place) -> None:
    """When every process of the job is killed at once, the next start cleans up and dumps."""
    with held(maria.sandbox):
        background = Background(maria, the_job(maria))
        dumping(maria.sandbox)
        for process in jobs_of(maria.sandbox):
            process.send(signal.SIGKILL)
        background.join()
    assert isinstance(background.error, StepFailed)
    assert "died while dumping" in background.error.message
    assert list(maria.folder.rglob("part"))
    assert backup.look(maria.site).job.state == "died"
    maria.perform(the_job(maria))
    assert len(maria.dumps) == 1
    assert not list(maria.folder.rglob("part"))


def test_a_dump_survives_a_cut_connection_and_is_found_again(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """The connection dies, the dump goes on; the same plan attaches to it and sees its end."""
    with ExitStack() as lock:
        lock.enter_context(held(mariadb))
        with place(mariadb, tmp_path) as first:
            job = the_job(first)
            background = Background(first, job)
            dumping(mariadb)
            for connection in mariadb.connections("db1"):
                connection.send(signal.SIGKILL)
            background.join()
            assert isinstance(background.error, Lost)
            assert "goes on by itself" in background.error.advice
        with place(mariadb, tmp_path) as second:
            again = the_job(second)
            assert again.digest == job.digest
            assert second.start(again) == "attached: it is running already"
            background = Background(second, again)
            lock.close()
            background.join()
            assert background.error is None
            assert background.results[0].outcome is Outcome.CHANGED
            assert len(second.dumps) == 1


def test_a_dump_that_ended_unwatched_is_not_made_twice(maria: Place) -> None:
    """A start finds the dump that ended after the plan was made, unless --fresh asked for more."""
    job = the_job(maria)
    fresh = backup.prepare(maria.site, Options(fresh=True)).steps[0]
    assert isinstance(fresh, Job)
    maria.perform(job)
    assert maria.start(job) == "attached: it ended well while nobody watched"
    assert maria.perform(job)[0].detail.startswith(maria.dumps[0].name)
    assert len(maria.dumps) == 1
    maria.perform(fresh)
    assert len(maria.dumps) == 2
    maria.dumps[1].write_bytes(b"spoiled since")
    assert maria.start(job) == "started"
    maria.perform(job)
    assert len(maria.dumps) == 3


def test_two_starts_at_once_make_one_dump(maria: Place) -> None:
    """Of two operators who start a dump together, one starts it and the other attaches."""
    job = the_job(maria)
    with held(maria.sandbox):
        said = {maria.start(job), maria.start(job)}
        dumping(maria.sandbox)
        assert len(programs(maria.sandbox, "dump")) == 1
    assert said == {"started", "attached: it is running already"}
    maria.perform(job)
    assert len(maria.dumps) == 1


def test_a_stop_leaves_the_dump_running(maria: Place) -> None:
    """After Ctrl-C the program goes, the dump does not, and that is said."""
    with held(maria.sandbox):
        background = Background(maria, the_job(maria))
        dumping(maria.sandbox)
        maria.brake._asked.set()
        background.join()
        assert isinstance(background.error, Interrupted)
        assert background.error.outcome is Outcome.UNKNOWN
        assert "goes on" in background.error.advice
        assert backup.look(maria.site).job.running
    assert wait_until(lambda: len(maria.dumps) == 1, 10.0)


@MYSQL_IS_WIDE
def test_a_database_that_is_killed_during_the_dump_leaves_nothing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A server that goes away ends the dump with its own words; once it is back, all is well."""
    with place(sandbox, tmp_path) as here:
        with held(sandbox):
            background = Background(here, the_job(here))
            dumping(sandbox)
            sandbox.kill_database()
            background.join()
        assert isinstance(background.error, StepFailed | Lost)
        assert wait_until(lambda: not jobs_of(sandbox), 10.0)
        assert here.dumps == []
        assert not list(here.folder.rglob("part"))
        said = here.site.hosts.run("db1", jobs.watch(backup.job_folder(here.site.environment))).out
        assert "nothing was kept" in said
    sandbox.restart_database()
    with place(sandbox, tmp_path) as here:
        assert here.perform(the_job(here))[0].outcome is Outcome.CHANGED


@MYSQL_IS_WIDE
def test_a_table_created_during_the_dump_is_a_defect(here: Place) -> None:
    """DDL beside the dump makes it inconsistent; it is not kept."""
    with held(here.sandbox):
        background = Background(here, the_job(here))
        dumping(here.sandbox)
        here.sandbox.query("CREATE TABLE vaulteer.zz_new (id INT PRIMARY KEY)")
    background.join()
    assert isinstance(background.error, StepFailed)
    assert "table zz_new was created while the dump ran" in background.error.message
    assert here.dumps == []


@MYSQL_IS_WIDE
@pytest.mark.parametrize("privilege", ["TRIGGER", "EVENT", "SHOW VIEW"])
def test_an_account_that_would_dump_less_is_refused(here: Place, privilege: str) -> None:
    """A missing privilege is refused by the plan; where it is taken later, the dump is not kept."""
    job = the_job(here)
    here.sandbox.query(f"REVOKE {privilege} ON vaulteer.* FROM migrator@'%'")
    plan = backup.prepare(here.site, Options())
    assert any(privilege in finding.detail for finding in refused(plan))
    if privilege != "TRIGGER":
        with pytest.raises(StepFailed, match="nothing was kept"):
            here.perform(job)
        assert here.dumps == []


def test_a_wrong_password_is_told_by_the_server_s_own_words(maria: Place) -> None:
    """When the account cannot log in from the host, the log says so and nothing is kept."""
    job = the_job(maria)
    stdin = client_options(maria.site.environment, "wrong")
    maria.site.hosts.run(job.where, job.text, stdin=stdin)
    assert wait_until(lambda: backup.look(maria.site).job.state == "ended", 10.0)
    state = backup.look(maria.site).job
    assert not state.succeeded
    assert "Access denied" in "\n".join(state.log)


def test_a_folder_open_to_others_is_refused(maria: Place) -> None:
    """A folder that others may read is refused by the plan, and by the start itself."""
    job = the_job(maria)
    maria.folder.chmod(0o755)
    assert any("open to others" in finding.detail for finding in refused(
        backup.prepare(maria.site, Options())
    ))  # fmt: skip
    with pytest.raises(StepFailed) as failed:
        maria.perform(job)
    assert "chmod 700" in failed.value.output[-1]


def test_a_folder_that_cannot_be_made_is_one_clear_failure(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Where the folder's parent is a file, the plan refuses and the start says why."""
    (tmp_path / "file").touch()
    with place(mariadb, tmp_path, backup={"folder": str(tmp_path / "file" / "backups")}) as here:
        plan = backup.prepare(here.site, Options())
        assert any("not a folder" in finding.detail for finding in refused(plan))
        with pytest.raises(StepFailed, match="not started") as failed:
            here.perform(plan.steps[0])
        assert "Not a directory" in failed.value.output[-1]


def test_a_host_without_a_needed_program_says_which(maria: Place, tmp_path: Path) -> None:
    """A start on a host that lacks a program fails at once, rather than compare nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "cat", "date", "df"):
        (programs / name).symlink_to(f"/bin/{name}")
    done = run_here(the_job(maria).text, path=str(programs))
    assert done.returncode == 1
    assert done.stderr.strip() == "awk is not on PATH here"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 64 KiB with less than 8 KiB free."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder], check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    (folder / "filler").write_bytes(bytes(24 * 1024))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_named_and_leaves_nothing_behind(
    mariadb: Sandbox, small_disk: Path, tmp_path: Path
) -> None:
    """When the disk fills up during the dump, that is said, and the half dump is gone."""
    unlike = "SHA2(CONCAT(u.uid, e.uid), 512)"
    mariadb.query(
        f"INSERT INTO vaulteer.users (uid, email, display_name) SELECT {unlike}, {unlike}, {unlike}"
        " FROM vaulteer.users AS u JOIN vaulteer.events AS e"
    )
    with place(mariadb, tmp_path, backup={"folder": str(small_disk)}) as here:
        with pytest.raises(StepFailed, match=f"the disk of {small_disk} is full") as failed:
            here.perform(the_job(here))
        assert "No space left" in "\n".join(failed.value.output)
        assert here.dumps == []
        assert not list(small_disk.rglob("part"))
        assert any(
            "is full" in finding.detail
            for finding in backup.findings(here.site.environment, backup.look(here.site))
        )
