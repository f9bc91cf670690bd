"""Where the programs come from: PATH, else packages unpacked into a cache of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import programs
from sandbox.apt import Unavailable
from sandbox.packages import SERVERS, cache, unpacked

PROJECT = Path(__file__).parent.parent
UNPACK = "from sandbox.packages import SERVERS, unpacked; print(unpacked(SERVERS))"


def make_program(folder: Path, name: str, says: str) -> None:
    """Put a program on `folder` that prints its version."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH, with an empty cache beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def test_programs_on_path_are_used_as_they_are(path: Path) -> None:
    """A MySQL that is installed is taken, without unpacking anything."""
    for name in ("mysqld", "mysql", "mysqldump"):
        make_program(path, name, f"{name}  Ver 8.4.3 for Linux on x86_64 (Source distribution)")
    found = programs.installed("mysql")
    assert found is not None
    assert (found.server, found.client, found.dump) == (
        path / "mysqld",
        path / "mysql",
        path / "mysqldump",
    )
    assert not cache().exists()


@pytest.mark.parametrize("impostor", ["mysqld", "mysql", "mysqldump"])
def test_mariadb_is_never_taken_for_mysql(path: Path, impostor: str) -> None:
    """MariaDB installs programs under MySQL's names; one of them is enough to look elsewhere."""
    for name in ("mysqld", "mysql", "mysqldump"):
        kind = "10.11.6-MariaDB" if name == impostor else "8.4.3"
        make_program(path, name, f"{name}  Ver {kind} for Linux on x86_64")
    assert programs.installed("mysql") is None


def test_half_a_server_on_path_is_not_mixed_with_an_unpacked_half(path: Path) -> None:
    """Server and clients come from one place, or from none."""
    make_program(path, "mysqld", "mysqld  Ver 8.4.3")
    make_program(path, "mysql", "mysql  Ver 8.4.3")
    assert programs.installed("mysql") is None


@pytest.mark.usefixtures("path")
def test_where_there_is_no_apt_one_line_says_what_to_install() -> None:
    """Without apt-get the reason is one line that names every program to install."""
    with pytest.raises(Unavailable) as reason:
        unpacked(SERVERS)
    text = str(reason.value)
    assert "\n" not in text
    assert "install these programs with your system's package manager" in text
    for name in ("mariadbd", "mariadb-dump", "sshd", "sftp-server", "zstd"):
        assert name in text


def test_a_cache_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that can't be made is named with the reason."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(Unavailable, match=r"Not a directory: .*runbook-sandbox"):
        unpacked(SERVERS)


@pytest.mark.wide
def test_unpacking_is_shared_and_survives_an_interruption(tmp_path: Path) -> None:
    """Cut off midway, started twice at once: one folder with programs that run, no leftovers."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", UNPACK],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with begin() as cut_off:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/*.tmp-*/root")) and time.monotonic() < deadline:
            time.sleep(0.01)
        cut_off.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob("*/*.tmp-*"))) == 1
    with begin() as first, begin() as second:
        outputs = [process.communicate() for process in (first, second)]
    (folder,) = {Path(output.strip()) for output, _ in outputs}
    assert sum("unpacked into" in progress for _, progress in outputs) == 1
    assert list(tmp_path.glob("*/*.tmp-*")) == []
    assert list(tmp_path.rglob("*.deb")) == []
    for program in ("sbin/mariadbd", "bin/mariadb-dump", "bin/zstd", "bin/ssh"):
        version = "-V" if program.endswith("ssh") else "--version"
        subprocess.run([folder / program, version], check=True, capture_output=True)
