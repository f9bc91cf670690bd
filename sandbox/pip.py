"""Which pip there is: Debian's and Ubuntu's Python come without the means to get one.

Needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.packages import PIP, cache, say, unpacked

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
OWN_AUTHORITIES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
RUN_PIP = """
import runpy, sys
wheel, authorities, *sys.argv[1:] = sys.argv[1:]
sys.path.insert(0, wheel)
import pip._vendor.certifi
# Debian's pip does not even start where the machine has no authorities.
pip._vendor.certifi.where = lambda: authorities
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def install(
    python: str | Path, lock: Path, *options: str | Path, own: bool, told: bool = False
) -> subprocess.CompletedProcess[str]:
    """Install what `lock` lists with pip, for `python`; every file is checked by its hash.

    `own` says whether that Python has a pip; else it is the distribution's,
    unpacked. Where it is `told`, progress and complaints go to standard error as
    they come. Raises `Unavailable` when that pip can't be had.
    """
    words: Sequence[str | Path] = ("-m", "pip")
    environment = {}
    if not own:
        base = unpacked(PIP)
        (wheel,) = (base / "root/usr/share/python-wheels").glob("pip-*.whl")
        authorities = str(AUTHORITIES if AUTHORITIES.exists() else _authorities(base))
        words = ("-c", RUN_PIP, wheel, authorities)
        if not any(name in os.environ for name in OWN_AUTHORITIES):
            environment = {"PIP_CERT": authorities}
    kept = f"--cache-dir={cache() / 'pip'}"  # beside what else is ours, not in the user's own
    always = ("--disable-pip-version-check", "--no-deps", "--require-hashes", kept)
    command = [python, *words, "install", *always, *options, "-r", lock]
    if told:
        return _told(command, os.environ | environment, _packages(lock))
    return subprocess.run(
        [*command, "--quiet"],
        check=False,
        encoding="utf-8",
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


def _told(
    command: Sequence[str | Path], environment: Mapping[str, str], packages: int
) -> subprocess.CompletedProcess[str]:
    """Run pip and say how far it is: on a terminal in one line, elsewhere now and then."""
    seen, terminal = 0, sys.stderr.isatty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, encoding="utf-8", env=environment
    ) as pip:
        for line in pip.stdout or ():
            if line.startswith("Ignoring "):
                packages -= 1
            elif line.startswith(("Collecting ", "Processing ", "Requirement already ")):
                seen += 1
                if terminal:
                    print(f"\rsandbox: {seen} of {packages} packages", end="", file=sys.stderr)
                    sys.stderr.flush()
                elif seen % 10 == 0:
                    say(f"{seen} of {packages} packages")
            elif line.startswith("Installing "):
                print(end="\n" if terminal else "", file=sys.stderr)
                say("installing them …")
    return subprocess.CompletedProcess(command, pip.returncode, stderr="")


def _packages(lock: Path) -> int:
    """Return how many packages a lock lists; pip ignores those for other systems."""
    return sum(line[:1].isalnum() for line in lock.read_text(encoding="utf-8").splitlines())


def _authorities(base: Path) -> Path:
    """Return a file of the certificate authorities that the distribution trusts."""
    bundle = base / "ca-certificates.crt"
    if not bundle.exists():
        certificates = sorted((base / "root/usr/share/ca-certificates").rglob("*.crt"))
        temporary = bundle.with_suffix(f".{os.getpid()}")
        temporary.write_text(
            "".join(path.read_text(encoding="utf-8") for path in certificates), encoding="utf-8"
        )
        temporary.rename(bundle)
    return bundle
