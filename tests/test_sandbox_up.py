"""`invoke sandbox.up`, `sandbox.down` and `sandbox.status`, typed in a project of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.ending import end
from sandbox.processes import this_process, wait_until
from sandbox.sandbox import Sandbox

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with the sandbox's commands, whose sandbox ends with the test."""
    shutil.copytree(PROJECT / "sandbox", tmp_path / "sandbox")
    (tmp_path / "tasks.py").write_text(
        "from invoke.collection import Collection\n"
        "from sandbox.tasks import sandbox\n"
        "namespace = Collection(sandbox)\n"
    )
    yield tmp_path
    end(tmp_path / ".sandbox")


def invoke(project: Path, *words: str) -> tuple[int, str, str]:
    """Type a command in `project`; return exit status, output and error output."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_up_and_down_can_be_typed_again_and_again(project: Path) -> None:
    """A second up and a second down change nothing and say so; in between all is there."""
    assert invoke(project, "sandbox.status")[0] == 1
    status, output, _ = invoke(project, "sandbox.up", "--no-application", "--rows=20", "--partial")
    assert (status, "the sandbox is up\n" in output) == (0, True)
    sandbox = Sandbox.attach(project / ".sandbox")
    before = sandbox.processes()
    assert sandbox.query(
        "SELECT COUNT(*), COUNT(attendance_status) FROM vaulteer.event_participants"
    ) == [(20, 0)]
    status, output, _ = invoke(project, "sandbox.up")
    assert (status, "up already" in output) == (0, True)
    assert sandbox.processes() == before
    assert invoke(project, "sandbox.status")[0] == 0
    status, _, error = invoke(project, "sandbox.up", "--server=mysql")
    assert (status, "invoke sandbox.down" in error) == (1, True)
    assert invoke(project, "sandbox.down") == (
        0,
        "the sandbox is down, and .sandbox is deleted\n",
        "",
    )
    assert not any(process and process.alive() for process in before.values())
    assert invoke(project, "sandbox.down") == (0, "no sandbox is up\n", "")
    assert not (project / ".sandbox").exists()


def test_json_is_one_document_with_the_documented_keys(project: Path) -> None:
    """Each command says in JSON what is there and what to type; README names every key of it."""

    def said(*words: str) -> dict[str, Any]:
        status, output, _ = invoke(project, *words, "--json")
        document: dict[str, Any] = json.loads(output)
        assert (document["command"], document["exit_status"]) == (words[0], status)
        assert set(document) | {key for part in document["parts"] for key in part} <= keys
        return document

    readme = (PROJECT / "README.md").read_text()
    table = readme.partition("`sandbox.up`, `sandbox.down` and `sandbox.status` say")[2]
    keys = set(re.findall("`([a-z_]+)`", table.partition("\n\n")[0]))
    nothing = said("sandbox.status")
    assert keys == {*nothing, "name", "port", "pid"}
    assert (nothing["exit_status"], nothing["next"]) == (1, "invoke sandbox.up")
    assert (nothing["server"], nothing["parts"]) == (None, [])
    up = said("sandbox.up", "--no-application", "--rows=20")
    assert (up["message"], up["server"], up["rows"]) == ("the sandbox is up", "mariadb", 20)
    assert [part["name"] for part in up["parts"]] == ["database", "db1", "app1", "app2"]
    assert said("sandbox.status")["parts"] == up["parts"]
    pid = up["parts"][2]["pid"]
    os.kill(pid, signal.SIGKILL)
    sandbox = Sandbox.attach(project / ".sandbox")
    assert wait_until(lambda: sandbox.processes()["app1"] is None, 5)
    ill = said("sandbox.status")
    assert (ill["exit_status"], ill["parts"][2]["pid"]) == (1, None)
    assert "sandbox.up" in ill["message"]
    assert said("sandbox.up", "--server=oracle")["exit_status"] == 2
    assert said("sandbox.down")["message"] == "the sandbox is down, and .sandbox is deleted"


def test_up_runs_the_application_and_brings_it_back(project: Path) -> None:
    """The application runs on app1 and app2, is described, and is started again when it ended."""
    shutil.copytree(PROJECT / "sql", project / "sql")
    status, output, _ = invoke(project, "sandbox.up", "--rows=20")
    assert (status, output.count("  app2     process ")) == (0, 2)
    pids = Sandbox.attach(project / ".sandbox").application.processes()
    assert list(pids) == ["app1 app", "app2 app", "app2 worker"]
    pid = pids["app2 app"]
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: "does not run" in invoke(project, "sandbox.status")[1], 5)
    assert "started again: app2 app\n" in invoke(project, "sandbox.up")[1]
    assert invoke(project, "sandbox.down")[0] == 0


def test_servers_are_sessions_of_their_own(project: Path) -> None:
    """What `up` starts belongs to no terminal, so that the terminal's end does not end it."""
    invoke(project, "sandbox.up", "--no-application", "--rows=20")
    processes = Sandbox.attach(project / ".sandbox").processes().values()
    pids = [process.pid for process in processes if process]
    assert len(pids) == 4
    assert [os.getsid(pid) for pid in pids] == pids


def test_what_died_is_started_again_with_its_data(project: Path) -> None:
    """After a reboot or a crash, status names what does not run and up brings it back."""
    invoke(project, "sandbox.up", "--no-application", "--rows=20")
    sandbox = Sandbox.attach(project / ".sandbox")
    sandbox.query("DELETE FROM vaulteer.event_participants WHERE participant_id > 3")
    for process in sandbox.processes().values():
        assert process
        os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(sandbox.processes().values()), 5)
    status, output, error = invoke(project, "sandbox.status")
    assert (status, output.count("does not run"), "sandbox.up" in error) == (1, 4, True)
    status, output, _ = invoke(project, "sandbox.up")
    assert (status, "started again: database, db1, app1, app2" in output) == (0, True)
    assert sandbox.query("SELECT COUNT(*) FROM vaulteer.event_participants") == [(3,)]


def test_what_a_cut_off_up_left_is_cleared_away(project: Path) -> None:
    """A folder of an `up` that died is no obstacle; one at work is left alone."""
    root = project / ".sandbox"
    (root / "db1").mkdir(parents=True)
    starter = this_process()
    (root / "process.json").write_text(json.dumps({"pid": starter.pid, "started": starter.started}))
    status, _, error = invoke(project, "sandbox.up", "--no-application", "--rows=20")
    assert (status, f"process {starter.pid} is starting" in error) == (1, True)
    (root / "process.json").write_text(json.dumps({"pid": starter.pid, "started": "another one"}))
    assert invoke(project, "sandbox.up", "--no-application", "--rows=20")[0] == 0
    assert invoke(project, "sandbox.status")[0] == 0


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--server=oracle", "--server=oracle: it is mariadb or mysql"),
        ("--server=", "--server=: it is mariadb or mysql"),
        ("--rows=many", "--rows=many: it is a whole number from 1 to 100000000"),
        ("--rows=0", "--rows=0: it is"),
        ("--rows=-5", "--rows=-5: it is"),
        ("--rows=²", "--rows=²: it is"),
    ],
)
def test_a_wrong_option_is_one_line(project: Path, option: str, expected: str) -> None:
    """What can't be meant is refused with what is expected, and nothing is started."""
    status, output, error = invoke(project, "sandbox.up", option)
    assert (status, output) == (2, "")
    assert error.startswith(expected)
    assert error.count("\n") == 1
    assert not (project / ".sandbox").exists()
