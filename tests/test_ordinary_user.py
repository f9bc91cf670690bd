"""The sandbox as somebody who is not root: all that the suite needs no root for, typed by one."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.ending import end
from sandbox.packages import cache, on_path
from tests.support import PROJECT

UNPACK = "from sandbox.packages import SERVERS, unpacked; print(unpacked(SERVERS))"
NEEDED = ("runbook", "sandbox", "sql", "tasks.py", "inventory.yaml")
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/lock", "/var/spool")
"""Where an account that owns nothing can write, on most machines."""
PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass
class Operator:
    """An account of its own that owns its home and a copy of the project, and nothing else."""

    uid: int
    place: Path
    python: str
    env: dict[str, str]

    @property
    def home(self) -> Path:
        """Its home."""
        return self.place / "home"

    @property
    def project(self) -> Path:
        """Its copy of the project."""
        return self.place / "project"

    def runs(self, *words: str) -> str:
        """Run Python with `words` as this account; return what it prints."""
        done = subprocess.run(
            [self.python, "-B", *words],
            cwd=self.project,
            env=self.env,
            user=self.uid,
            group=self.uid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def types(self, *words: str) -> dict[str, Any]:
        """Type `invoke …` as this account; return its JSON document."""
        document: dict[str, Any] = json.loads(self.runs("-m", "invoke", *words, "--json"))
        return document

    def be_known(self, bundle: Path) -> None:
        """Give the account a line of passwd, as sshd wants one, without touching the machine's."""
        (wrapper,) = (bundle / "root/usr/lib").glob("*/libnss_wrapper.so")
        passwd = self.place / "passwd"
        line = f"operator:x:{self.uid}:{self.uid}::{self.home}:/bin/bash\n"
        passwd.write_text(Path("/etc/passwd").read_text().rstrip("\n") + "\n" + line)
        self.env |= {
            "LD_PRELOAD": str(wrapper),
            "NSS_WRAPPER_PASSWD": str(passwd),
            "NSS_WRAPPER_GROUP": "/etc/group",
        }

    def elsewhere(self) -> list[str]:
        """Return what belongs to this account outside its place: files, and processes."""
        found = []
        for root in {os.path.realpath(folder) for folder in WRITABLE}:
            for folder, names, files in os.walk(root):
                if Path(folder) == self.place:
                    names.clear()
                    continue
                found += [
                    path for name in (*names, *files) if self._owns(path := f"{folder}/{name}")
                ]
        return found + [path for path in map(str, Path("/proc").glob("[0-9]*")) if self._owns(path)]

    def _owns(self, path: str) -> bool:
        try:
            return os.lstat(path).st_uid == self.uid
        except OSError:  # it has gone meanwhile
            return False


@pytest.fixture
def operator() -> Iterator[Operator]:
    """Return an account that nobody has, with what it needs where it can read it."""
    if os.getuid() != 0:
        pytest.skip("whoever runs this is an ordinary user anyway")
    if on_path("apt-get") is None:
        pytest.skip("nothing can be unpacked here")
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(58_000, 60_000) if number not in taken)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        place.chmod(0o755)
        env = {"HOME": str(place / "home"), "PATH": PATH, "PYTHONPATH": str(place / "site")}
        shutil.copytree(
            sysconfig.get_path("purelib"), place / "site", ignore=shutil.ignore_patterns("mypy*")
        )
        made = Operator(uid, place, _python(uid, place, env), env)
        made.project.mkdir()
        for part in NEEDED:
            copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
            copy(PROJECT / part, made.project / part)
        ours = made.home / ".cache" / "runbook-sandbox"
        ours.mkdir(parents=True)
        for folder in cache().glob("node*"):  # so that npm need not fetch them once more
            if folder.is_dir():
                shutil.copytree(folder, ours / folder.name, symlinks=True)
        for folder in (made.project, made.home, ours.parent, ours):
            os.chown(folder, uid, uid)
        try:
            yield made
        finally:
            end(made.project / ".sandbox")


def _python(uid: int, place: Path, env: dict[str, str]) -> str:
    """Return a Python that an ordinary account may run; the one at work may be root's own."""
    probe = "import sys, cryptography, yaml; sys.exit(sys.version_info[:2] != {})"
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        words = [python, "-B", "-c", probe.format(sys.version_info[:2])]
        try:
            done = subprocess.run(words, cwd=place, env=env, user=uid, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("no Python of this version here that an ordinary account may run")


@pytest.mark.wide
def test_an_ordinary_user_needs_nothing_and_leaves_nothing(operator: Operator) -> None:
    """Unpacked, started, previewed, migrated and ended without root; nothing outside is written."""
    bundle = Path(operator.runs("-c", UNPACK).strip())
    assert bundle.is_relative_to(operator.home / ".cache")
    assert bundle.stat().st_uid == operator.uid
    operator.be_known(bundle)

    up = operator.types("sandbox.up", "--rows=2000")
    assert len(up["parts"]) >= 4
    for part in up["parts"]:
        assert Path(f"/proc/{part['pid']}").stat().st_uid == operator.uid, part
    preview = operator.types("migrate", "--env=sandbox", "--dry-run")
    assert (preview["outcome"], preview["run"]) == ("ok", None)
    ran = operator.types("migrate", "--env=sandbox", f"--plan={preview['plan']}")
    assert ran["outcome"] == "changed"
    if len(up["parts"]) > 4:  # where Node cannot be had there is no application
        operator.types("deploy", "--env=sandbox", "--release=main")
        assert operator.types("smoke", "--env=sandbox")["outcome"] == "ok"
    operator.types("sandbox.down")

    assert operator.elsewhere() == []
    assert {path.name for path in operator.home.iterdir()} == {".cache"}
    assert {path.name for path in (operator.home / ".cache").iterdir()} == {"runbook-sandbox"}
    assert {path.name for path in operator.project.iterdir()} == {*NEEDED, ".runbook"}
