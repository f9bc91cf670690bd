"""Which pip there is: Debian's and Ubuntu's Python come without the means to get one.

Needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sandbox.packages import PIP, unpacked

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
    python: str | Path, lock: Path, *options: str | Path, own: bool
) -> subprocess.CompletedProcess[str]:
    """Install what `lock` lists with pip, for `python`; every file is checked by its hash.

    `own` says whether that Python has a pip; else it is the distribution's,
    unpacked. Raises `Unavailable` when that one can't be had.
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
    always = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
    return subprocess.run(
        [python, *words, "install", *always, *options, "-r", lock],
        check=False,
        text=True,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


def _authorities(base: Path) -> Path:
    """Return a file of the certificate authorities that the distribution trusts."""
    bundle = base / "ca-certificates.crt"
    if not bundle.exists():
        certificates = sorted((base / "root/usr/share/ca-certificates").rglob("*.crt"))
        temporary = bundle.with_suffix(f".{os.getpid()}")
        temporary.write_text("".join(path.read_text() for path in certificates))
        temporary.rename(bundle)
    return bundle
