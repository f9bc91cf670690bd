"""Real servers for the tests: one MariaDB and one MySQL sandbox a worker, started when first used.

Every test gets its server with the same database `vaulteer` laid anew, rather
than a database of its own: the accounts' grants, the backups and the plans
then are those of the shipped inventory, and workers don't meet each other
since each has servers of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

from sandbox.programs import Flavour, why_not
from sandbox.sandbox import Sandbox

sys.dont_write_bytecode = False
"""Invoke keeps no bytecode of what it imports; a hundred commands shall find ours."""

hypothesis.settings.register_profile("loaded", deadline=None)
hypothesis.settings.load_profile("loaded")
"""Servers start beside the properties: how long an example takes says nothing of it."""

FLAVOURS: tuple[Flavour, ...] = ("mariadb", "mysql")


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers a core: they wait for servers and hosts half of their time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Return this worker's MariaDB sandbox, as the last test left it."""
    yield from _running("mariadb", tmp_path_factory)


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Return this worker's MySQL sandbox, as the last test left it."""
    yield from _running("mysql", tmp_path_factory)


@pytest.fixture
def mariadb(mariadb_server: Sandbox) -> Sandbox:
    """Return a MariaDB sandbox with a fresh database of 500 participants."""
    mariadb_server.reset()
    return mariadb_server


@pytest.fixture
def mysql(mysql_server: Sandbox) -> Sandbox:
    """Return a MySQL sandbox with a fresh database of 500 participants."""
    mysql_server.reset()
    return mysql_server


@pytest.fixture(params=FLAVOURS)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return each sandbox in turn with a fresh database of 500 participants."""
    fresh: Sandbox = request.getfixturevalue(request.param)
    return fresh


def _running(server: Flavour, folders: pytest.TempPathFactory) -> Iterator[Sandbox]:
    if reason := why_not(server):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with Sandbox.running(folders.mktemp(server) / ".sandbox", server=server) as sandbox:
        yield sandbox
