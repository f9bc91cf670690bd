"""The sandbox's application: the runbook's commands work, and it is deployed as on real hosts."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sandbox import node
from sandbox.apt import Unavailable
from sandbox.packages import cache
from sandbox.processes import marked_processes, wait_until
from sandbox.releases import MIGRATIONS, RELEASES, SOURCE, git, repository
from sandbox.sandbox import Sandbox
from tests.onhosts import kill_worker, ssh
from tests.support import MYSQL_IS_WIDE

DEPLOY = """
set -e; cd "$APP_HOME"
git -C repository fetch --quiet
mkdir releases/{release}
git -C repository archive {release} | tar -x -C releases/{release}
app-install releases/{release}
ln -sfn releases/{release} current
app-ctl restart
"""
CHECK = "require('./jobs/eventCompletionScheduler').runEventCompletionCheck()"
LEFT_THERE = shutil.ignore_patterns("node_modules", ".jest")
TEST = "backend/__tests__/eventsController.autoAbsence.integration.test.js"


def health(sandbox: Sandbox, host: str) -> dict[str, Any]:
    """Return what the application on `host` says of itself, nothing if it does not answer."""
    output = ssh(sandbox, host, "app-health")[1]
    return dict(json.loads(output)) if output else {}


@MYSQL_IS_WIDE
def test_the_runbooks_commands_work_from_a_release(sandbox: Sandbox) -> None:
    """Migrate by npm, test by jest, complete events by node: each as the runbook writes it."""
    sandbox.start_application("v1.1.0")
    release = 'cd "$APP_HOME/current"'
    status, output = ssh(sandbox, "app1", f'{release}/backend && node -e "{CHECK}"')
    assert (status, "not there yet" in output) == (0, True)
    status, output = ssh(sandbox, "app1", f"{release} && cd backend && npm run migrate")
    assert (status, "2 files done" in output) == (0, True)
    assert "event_attendance_audit" in str(sandbox.query("SHOW TABLES FROM vaulteer"))
    status, output = ssh(sandbox, "app2", f"{release} && npx jest --listTests {TEST} -i")
    assert (status, TEST in output) == (0, True)


def test_the_scheduler_completes_the_events_that_have_ended(mariadb: Sandbox) -> None:
    """Each due event gives a JSON line among plain ones, and just its registered are absent."""
    mariadb.start_application("v1.1.0")
    ssh(mariadb, "app1", 'cd "$APP_HOME/current/backend" && npm run migrate')
    call = f'cd "$APP_HOME/current/backend" && node -e "{CHECK}"'
    _, output = ssh(mariadb, "app1", call)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert len(lines) < len(output.splitlines())
    summaries = {
        line["event"]: line["summary"]
        for line in lines
        if line["op"] == "EventCompletionScheduler.autoAbsenceSummary"
    }
    for summary in summaries.values():
        assert summary.pop("durationMs") >= 0
    nobody = {"dedupe": 0, "already_absent": 0, "other": 0}
    assert summaries == {
        "event-2": {"scanned": 15, "flagged": 15, "skipped": nobody, "batches": 1},
        "event-13": {"scanned": 5, "flagged": 5, "skipped": nobody, "batches": 1},
        "event-nobody": {"scanned": 0, "flagged": 0, "skipped": nobody, "batches": 0},
    }
    absent = mariadb.query(
        "SELECT event_id, COUNT(*) FROM vaulteer.event_participants"
        " WHERE attendance_status = 'absent' GROUP BY event_id ORDER BY event_id"
    )
    assert absent == [(2, 15), (13, 5)]
    assert "0 events have ended" in ssh(mariadb, "app1", call)[1]


def test_a_release_goes_live_as_on_a_real_host(mariadb: Sandbox) -> None:
    """Fetched, unpacked, linked, activated and restarted, the host says which release it runs."""
    mariadb.start_application()
    before = health(mariadb, "app1")
    assert (before["status"], before["release"]) == ("ok", "v1.0.0")
    tree = f"--git-dir={mariadb.root / 'application.git'}"
    git(tree, "tag", "v9.9.9", "v1.1.0")  # a release that comes after the hosts were laid
    assert ssh(mariadb, "app1", DEPLOY.format(release="v9.9.9"))[0] == 0
    assert wait_until(lambda: health(mariadb, "app1").get("release") == "v1.1.0", 10)
    assert health(mariadb, "app1")["commit"] == git(tree, "rev-parse", "v1.1.0").strip()
    assert health(mariadb, "app1")["pid"] != before["pid"]
    assert health(mariadb, "app2")["release"] == "v1.0.0"


@pytest.mark.wide
def test_releases_fail_in_the_ways_they_are_named_after(mariadb: Sandbox) -> None:
    """One is ill, one ends at once, one's runner does nothing and says 0, one fails its tests."""
    mariadb.start_application()
    assert ssh(mariadb, "app1", DEPLOY.format(release="v1.2.0-ill"))[0] == 0
    assert wait_until(lambda: bool(health(mariadb, "app1")), 10)
    assert health(mariadb, "app1")["status"] == "ill"
    assert ssh(mariadb, "app1", "app-health")[0] == 1
    assert ssh(mariadb, "app1", DEPLOY.format(release="v1.2.0-crash"))[0] == 0
    assert wait_until(lambda: ssh(mariadb, "app1", "app-ctl status")[0] == 3, 10)
    assert "no key" in (mariadb.root / "app1/app/logs/app-error.log").read_text()
    migrate = 'cd "$APP_HOME/current/backend" && npm run migrate'
    ssh(mariadb, "app1", DEPLOY.format(release="v1.2.0-idle"))
    assert ssh(mariadb, "app1", migrate)[0] == 0
    assert "event_attendance_audit" not in str(mariadb.query("SHOW TABLES FROM vaulteer"))
    ssh(mariadb, "app1", DEPLOY.format(release="v1.2.0-unaudited"))
    assert ssh(mariadb, "app1", migrate)[0] == 0
    assert ssh(mariadb, "app1", f'cd "$APP_HOME/current" && npx jest {TEST} -i')[0] == 1


def test_the_worker_gives_a_sign_of_life_while_it_lives(mariadb: Sandbox) -> None:
    """`worker-health` is about a heartbeat that is young, and only its host has a worker."""
    mariadb.start_application()
    assert ssh(mariadb, "app2", "worker-health")[0] == 0
    assert ssh(mariadb, "app1", "worker-health")[0] == 1
    kill_worker(mariadb)
    assert ssh(mariadb, "app2", "worker-health")[0] == 1
    assert mariadb.resume() == ["app2 worker"]
    assert wait_until(lambda: ssh(mariadb, "app2", "worker-health")[0] == 0, 10)


def test_an_ill_database_is_an_ill_application(mariadb: Sandbox) -> None:
    """The health endpoint says that the database is away, and that it is back."""
    mariadb.start_application()
    mariadb.kill_database()
    assert health(mariadb, "app1")["database"] == "ECONNREFUSED"
    mariadb.restart_database()
    assert wait_until(lambda: health(mariadb, "app1")["status"] == "ok", 5)


def test_its_processes_hold_no_secret_and_end_with_a_reset(mariadb: Sandbox) -> None:
    """The password is in one private file, in no argument or environment; a reset ends all."""
    mariadb.start_application()
    file = mariadb.root / "app1/app/shared/.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = mariadb.password("app").encode()
    assert secret in file.read_bytes()
    running = {pid for pid in mariadb.application.processes().values() if pid}
    marked = {process.pid for process in marked_processes(mariadb.root)}
    assert (len(running), running - marked) == (3, set())
    for pid in marked:
        for name in ("cmdline", "environ"):
            assert secret not in Path(f"/proc/{pid}/{name}").read_bytes()
    mariadb.reset()
    assert not {process.pid for process in marked_processes(mariadb.root)} & running
    assert not (mariadb.root / "app1/app").exists()
    assert ssh(mariadb, "app1", "app-health")[0] == 0


def test_migrations_of_a_release_are_the_shipped_files() -> None:
    """Every release after the first brings sql/attendance/migrate byte for byte."""
    tree = f"--git-dir={repository()}"
    for release in RELEASES[1:]:
        for file in MIGRATIONS.iterdir():
            shown = git(tree, "show", f"{release.tag}:backend/migrations/{file.name}")
            assert shown == file.read_text()


def test_an_archive_of_this_project_has_the_files_as_they_are(tmp_path: Path) -> None:
    """A release's archive says its commit; one of the project around it changes none of them."""
    around = tmp_path / "project"
    shutil.copytree(SOURCE, around / "sandbox" / SOURCE.name, ignore=LEFT_THERE)
    git("init", "--quiet", around)
    git("-C", around, "add", "--all")
    git("-C", around, "commit", "--quiet", "--message=all of it")
    files = git("-C", around, "ls-files").split()
    git("-C", around, "archive", f"--output={tmp_path / 'archive.tar'}", "HEAD")
    with tarfile.open(tmp_path / "archive.tar") as archive:
        for name in files:
            member = archive.extractfile(name)
            assert member is not None
            assert member.read() == (around / name).read_bytes(), name
    tree = f"--git-dir={repository()}"
    git(tree, "archive", f"--output={tmp_path / 'release.tar'}", "v1.1.0")
    with tarfile.open(tmp_path / "release.tar") as archive:
        member = archive.extractfile("backend/release.json")
        assert member is not None
        assert json.load(member) == {
            "release": "v1.1.0",
            "commit": git(tree, "rev-parse", "v1.1.0").strip(),
        }


def test_npm_leaves_nothing_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What npm caches and logs while it installs is gone with it, and was never in the home."""
    node.node()  # from our cache, should it be taken from there
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    named = {"name": "nothing", "version": "1.0.0"}
    (project / "package.json").write_text(json.dumps(named))
    lock = named | {"lockfileVersion": 3, "packages": {"": named}}
    (project / "package-lock.json").write_text(json.dumps(lock))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("npm_config_cache", raising=False)
    made = node.modules(project).parent
    assert made.is_relative_to(tmp_path / "cache")
    assert {path.name for path in made.iterdir()} <= {
        "package.json",
        "package-lock.json",
        "node_modules",
    }
    assert list(home.iterdir()) == []


def test_npm_on_a_host_keeps_its_files_in_the_sandbox(mariadb: Sandbox) -> None:
    """A host's home is the operator's own: what npm logs there goes into the host's folder."""
    mariadb.start_application()
    status, output = ssh(mariadb, "app1", "npm config get cache")
    assert (status, output.strip()) == (0, str(mariadb.root / "app1" / "npm"))


def test_the_lock_names_no_registry() -> None:
    """What npm installs is pinned by checksum, from whichever registry npm is set up for."""
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    listed = {path: package for path, package in lock["packages"].items() if path}
    assert listed
    assert all("integrity" in package for package in listed.values())
    assert not any("resolved" in package for package in listed.values())


def test_without_node_and_a_network_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Node is neither on PATH nor can be fetched, the reason is one clear line."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    node.node.cache_clear()
    try:
        with pytest.raises(Unavailable) as reason:
            node.modules(SOURCE)
    finally:
        node.node.cache_clear()
    assert "\n" not in str(reason.value)
    assert "install node, npm and npx" in str(reason.value)
    assert not [path for path in cache().iterdir() if path.is_dir()]
