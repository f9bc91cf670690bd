"""The virtual environment of this project on a fresh machine, from `requirements.lock`.

`python3 -m sandbox.bootstrap FOLDER LOCK`, by the Makefile. Needs nothing but
Python's standard library; Debian's and Ubuntu's Python come without the means
to give a new environment its pip, which is then taken from their packages.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from sandbox.apt import Unavailable
from sandbox.packages import PIP, say, unpacked

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


def main(folder: Path, lock: Path) -> None:
    """Make or bring up to date the environment in `folder`; every file is checked by its hash."""
    python = folder / "bin" / "python"
    say(f"installing what {lock.name} lists into {folder} …")
    if importlib.util.find_spec("ensurepip"):
        _make(folder, python)
        pip, environment = [str(python), "-m", "pip"], {}
    else:
        _make(folder, python, "--without-pip")
        base = unpacked(PIP)
        (wheel,) = (base / "root/usr/share/python-wheels").glob("pip-*.whl")
        authorities = str(AUTHORITIES if AUTHORITIES.exists() else _authorities(base))
        pip = [str(python), "-c", RUN_PIP, str(wheel), authorities]
        told = any(name in os.environ for name in OWN_AUTHORITIES)
        environment = {} if told else {"PIP_CERT": authorities}
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    subprocess.run(
        [*pip, "install", *options, "-r", lock], check=True, env=os.environ | environment
    )


def _make(folder: Path, python: Path, *options: str) -> None:
    works = python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0
    clear = () if works else ("--clear",)
    subprocess.run([sys.executable, "-m", "venv", *clear, *options, folder], check=True)


def _authorities(base: Path) -> Path:
    """Return a file of the certificate authorities that the distribution trusts."""
    bundle = base / "ca-certificates.crt"
    if not bundle.exists():
        certificates = sorted((base / "root/usr/share/ca-certificates").rglob("*.crt"))
        temporary = bundle.with_suffix(f".{os.getpid()}")
        temporary.write_text("".join(path.read_text() for path in certificates))
        temporary.rename(bundle)
    return bundle


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (Unavailable, OSError) as error:
        sys.exit(f"sandbox: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"sandbox: {Path(error.cmd[0]).name} failed; the reason is above")
    except KeyboardInterrupt:
        sys.exit("sandbox: stopped; the same command goes on")
