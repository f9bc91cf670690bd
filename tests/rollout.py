"""What the tests of deploy share: releases in a git repository, and a process manager on the hosts.

The application is a shell script that every release brings: it writes which
release it is into the folder's `running`, and whether it is well into `well`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.support import PROJECT, Bench, Ran, bench

APPS = ("app1", "app2")
HOSTS = ("app1", "app2", "db1")
GOOD = 'echo "$1" >running; touch well; exec sleep 1000'
ILL = 'echo "$1" >running; rm -f well; exec sleep 1000'
BRIEFLY = 'echo "$1" >running; touch well; sleep 0.5; rm -f well; exec sleep 1000'
ILL_HERE = 'echo "$1" >running; [ -e bad ] || touch well; exec sleep 1000'
ENDS = "echo no database >&2; exit 7"
LATE = 'sleep 0.3; echo "$1" >running; touch well; exec sleep 1000'
LIES = "echo something-else >running; touch well; exec sleep 1000"

CONTROL = """\
#!/bin/bash
# restart FOLDER: ends what runs there, and starts what `current` points at.
# current FOLDER, health FOLDER: what runs there, and whether it is well.
set -euo pipefail
cd "$2"
alive() { [ -s pid ] && kill -0 "$(cat pid)" 2>/dev/null; }
case $1 in
  restart)
    echo restart >>restarts
    [ ! -e stuck ] || { echo "the process manager is stuck" >&2; exit 1; }
    ! alive || kill -9 "$(cat pid)"
    rm -f well running
    setsid bash current/run "$(basename "$(readlink current)")" </dev/null >output 2>&1 &
    echo $! >pid ;;
  current) alive && cat running ;;
  health) alive && [ -e well ] || { echo "not well" >&2; exit 1; } ;;
esac
"""


@dataclass(frozen=True)
class Rollout:
    """A bench whose inventory deploys from a repository of releases to app1 and app2."""

    bench: Bench
    origin: Path
    work: Path

    def release(self, run: str, *, branch: str = "main", install: str = "true") -> str:
        """Commit a release whose program is `run`, and return its commit."""
        (self.work / "run").write_text(run + "\n")
        (self.work / "install").write_text(install + "\n")
        git(self.work, "add", "-A")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", "a release")
        git(self.work, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.work, "rev-parse", "HEAD")

    def seed(self, commit: str, *hosts: str) -> None:
        """Let hosts run a release that was deployed there once, by whatever means."""
        for host in hosts:
            folder = self.folder(host)
            there = folder / "releases" / commit
            git(folder, "clone", "--quiet", str(self.origin), str(there))
            git(there, "checkout", "--quiet", "--detach", commit)
            (folder / "current").symlink_to(there)
            subprocess.run([self.bench.folder / "app-ctl", "restart", folder], check=True)
            (folder / "restarts").unlink()
            assert wait_until((folder / "well").exists, 5.0)

    def folder(self, host: str) -> Path:
        """Return the application's folder on a host."""
        return self.bench.folder / "srv" / host

    def restarts(self, host: str) -> int:
        """Return how often the application was restarted there."""
        log = self.folder(host) / "restarts"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def made(self, host: str) -> list[str]:
        """Return what was fetched and installed there, in order."""
        log = self.folder(host) / "made"
        return log.read_text().split() if log.exists() else []

    def running(self, host: str) -> str:
        """Return the release that runs there, as the process manager tells it."""
        done = subprocess.run(
            [self.bench.folder / "app-ctl", "current", self.folder(host)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def end(self) -> None:
        """End the applications."""
        for host in HOSTS:
            pid = self.folder(host) / "pid"
            if pid.exists():
                subprocess.run(["kill", "-9", pid.read_text().strip()], check=False)


def rollout(sandbox: Sandbox, folder: Path, **overrides: Any) -> Rollout:
    """Make a repository of releases and an inventory that deploys them."""
    origin, work = folder / "origin.git", folder / "work"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(folder, "init", "--quiet", "--initial-branch=main", str(work))
    git(work, "remote", "add", "origin", str(origin))
    control = folder / "app-ctl"
    control.write_text(CONTROL)
    control.chmod(0o755)
    for host in HOSTS:
        (folder / "srv" / host).mkdir(parents=True)
    there = "{folder}/releases/{release}"
    deploy: dict[str, Any] = {
        "roles": ["app"],
        "folder": f"{folder}/srv/{{host}}",
        "resolve": f"git ls-remote --exit-code {origin} refs/heads/{{release}}",
        "fetch": f"echo fetch >>{{folder}}/made; rm -rf {there};"
        f" git clone --quiet --no-checkout {origin} {there} &&"
        f" git -C {there} checkout --quiet --detach {{release}}",
        "fetched": f"git -C {there} diff --quiet HEAD && git -C {there} rev-parse HEAD",
        "install": f"echo install >>{{folder}}/made; cd {there} && bash install",
        "activate": "ln -sfn releases/{release} {folder}/current",
        "restart": f"{control} restart {{folder}}",
        "current": f"{control} current {{folder}}",
        "health": f"{control} health {{folder}}",
        "logs": "tail -n 3 {folder}/output",
        "healthy_within": "1s",
        "steady": "100ms",
        "every": "50ms",
        "needs": ["git"],
        "space": 1,
    }
    place = bench(sandbox, folder, **{**overrides, "deploy": deploy | overrides.get("deploy", {})})
    return Rollout(place, origin, work)


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints."""
    account = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", *account, "-C", folder, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextmanager
def running(sandbox: Sandbox, folder: Path, **overrides: object) -> Iterator[Rollout]:
    """Make a place whose hosts run a first release."""
    made = rollout(sandbox, folder, **overrides)
    try:
        made.seed(made.release(GOOD), *APPS)
        yield made
    finally:
        made.end()


def deployed(place: Rollout, release: str = "main", **options: object) -> Ran:
    """Run deploy."""
    return place.bench.run("deploy", release=release, **options)


def runs(place: Rollout) -> list[str]:
    """Return what runs on both hosts."""
    return [place.running(host) for host in APPS]


def cut(place: Rollout, host: str) -> None:
    """Take a host away: nobody is let in any more, and who is in is cut off."""
    sandbox = place.bench.sandbox
    listener = sandbox.hosts[host].process()
    assert listener
    connections = sandbox.connections(host)
    listener.end()
    for connection in connections:
        connection.end()


@contextmanager
def when(happens: Callable[[], bool], then: Callable[[], None]) -> Iterator[None]:
    """Do `then` as soon as something happens within the block."""

    def watch() -> None:
        deadline = time.monotonic() + 30
        while not happens() and time.monotonic() < deadline:
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def killed(place: Rollout, steps: int, *options: str) -> None:
    """Run deploy in a process that kills itself after so many steps that changed something."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", str(steps), "deploy", place.bench.folder, *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
