"""Ports of servers: no two get the same one, though nobody listens on it yet."""

from __future__ import annotations

import shutil
import socket
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.ports import free_port
from sandbox.processes import StartFailed


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let there be only four ports, and a cache of this test's own; return the ports."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    four = [free_port(tmp_path) for _ in range(4)]
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(ports, "PORTS", four)
    return four


def test_no_two_owners_get_one_port(few: list[int], tmp_path: Path) -> None:
    """Processes that ask at the same time get ports of their own, and the next is told."""
    with ProcessPoolExecutor(4) as pool:
        assert sorted(pool.map(free_port, [tmp_path] * 4)) == sorted(few)
    with pytest.raises(StartFailed, match="no free port"):
        free_port(tmp_path)


def test_a_port_is_free_again_when_its_owner_is_gone(few: list[int], tmp_path: Path) -> None:
    """A port is its owner's as long as the owner's folder exists, and no longer."""
    owner = tmp_path / "owner"
    owner.mkdir()
    assert sorted(free_port(owner) for _ in few) == sorted(few)
    owner.rmdir()
    assert free_port(tmp_path) in few


def test_a_port_on_which_somebody_listens_is_left_alone(few: list[int], tmp_path: Path) -> None:
    """A program that knows nothing of the notes keeps its port."""
    with socket.create_server(("127.0.0.1", few[0])):
        assert sorted(free_port(tmp_path) for _ in few[1:]) == sorted(few[1:])
