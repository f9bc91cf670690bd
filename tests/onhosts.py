"""What tests do on the sandbox's hosts by themselves, as somebody logged in there would."""

from __future__ import annotations

import os
import subprocess

from sandbox.sandbox import Sandbox


def ssh(sandbox: Sandbox, host: str, command: str, stdin: str = "") -> tuple[int, str]:
    """Run `command` on `host` as an operator would; return its exit status and output."""
    program = str(sandbox.hosts[host].programs.ssh)
    done = subprocess.run(
        [program, "-F", str(sandbox.root / "ssh_config"), host, command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def kill_worker(sandbox: Sandbox) -> None:
    """End the worker on app2, a minute ago by its last heartbeat."""
    assert ssh(sandbox, "app2", "app-ctl stop worker")[0] == 0
    beat = sandbox.root / "app2/app/run/worker.heartbeat"
    old = beat.stat().st_mtime - 60
    os.utime(beat, (old, old))
