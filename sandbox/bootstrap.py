"""The virtual environment of this project on a fresh machine, from `requirements.lock`.

`python3 -m sandbox.bootstrap FOLDER LOCK`, by the Makefile. Needs nothing but
Python's standard library; Debian's and Ubuntu's Python come without the means
to give a new environment its pip, which is then taken from their packages.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from sandbox import pip
from sandbox.apt import Unavailable
from sandbox.packages import say


def main(folder: Path, lock: Path) -> None:
    """Make or bring up to date the environment in `folder`; every file is checked by its hash."""
    python = folder / "bin" / "python"
    say(f"installing what {lock.name} lists into {folder} …")
    own = importlib.util.find_spec("ensurepip") is not None
    _make(folder, python, *(() if own else ("--without-pip",)))
    pip.install(python, lock, own=own, told=True).check_returncode()


def _make(folder: Path, python: Path, *options: str) -> None:
    works = python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0
    clear = () if works else ("--clear",)
    subprocess.run([sys.executable, "-m", "venv", *clear, *options, folder], check=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (Unavailable, OSError) as error:
        sys.exit(f"sandbox: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"sandbox: {Path(error.cmd[0]).name} failed; the reason is above")
    except KeyboardInterrupt:
        sys.exit("sandbox: stopped; the same command goes on")
