"""Ways through jump hosts: each hop in its order, and each host key checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tests.support import Bench, Ran, bench

HOPS = ("app1", "app2", "db1")
WAYS = {
    "inventory": "",
    "ssh_config": "Host db1\n  ProxyJump app1,ssh://app2\n",
    "each its own": "Host db1\n  ProxyJump app2\nHost app2\n  ProxyJump app1\n",
    "a host behind itself": "Host *\n  ProxyJump app1,app2\n",
}


@pytest.fixture
def one_way(mariadb: Sandbox) -> Iterator[Sandbox]:
    """Return a sandbox whose app1 lets nobody further than app2, and app2 than db1."""
    files = {name: mariadb.hosts[name].folder / "authorized_keys" for name in HOPS[:2]}
    before = {name: file.read_text() for name, file in files.items()}
    try:
        for (name, file), following in zip(files.items(), HOPS[1:], strict=True):
            port = mariadb.ssh_port(following)
            file.write_text(
                f'restrict,port-forwarding,permitopen="127.0.0.1:{port}" {before[name]}'
            )
        yield mariadb
    finally:
        for name, file in files.items():
            file.write_text(before[name])


def verify(sandbox: Sandbox, folder: Path, way: str, known_hosts: Path | None = None) -> Ran:
    """Run verify on db1, behind app2, behind app1."""
    said = WAYS[way]
    config = folder / "ssh_config"
    config.write_text(said + (sandbox.root / "ssh_config").read_text())
    jumps: dict[str, Any] = {} if said else {"db1": {"jump": "app2"}, "app2": {"jump": "app1"}}
    ssh = {
        "ssh_config": str(config),
        "known_hosts": str(known_hosts or sandbox.root / "known_hosts"),
    }
    place: Bench = bench(sandbox, folder, hosts=jumps, ssh=ssh)
    return place.run("verify")


@pytest.mark.parametrize("way", WAYS)
def test_hops_are_walked_in_their_order(one_way: Sandbox, tmp_path: Path, way: str) -> None:
    """Through app1 to app2 to db1, and no other way: verify comes as far as the database."""
    ran = verify(one_way, tmp_path, way)
    assert (ran.status, ran.document["message"]) == (1, ""), ran.why
    assert ran.document["steps"]


@pytest.mark.parametrize("way", ["inventory", "ssh_config"])
@pytest.mark.parametrize("hop", HOPS)
def test_every_hop_must_prove_who_it_is(
    mariadb: Sandbox, tmp_path: Path, way: str, hop: str
) -> None:
    """A hop that shows another key than the known one is named, and nothing goes through it."""
    address = f"[127.0.0.1]:{mariadb.ssh_port(hop)} "
    other = f"[127.0.0.1]:{mariadb.ssh_port(HOPS[HOPS.index(hop) - 1])} "
    lines = (mariadb.root / "known_hosts").read_text().splitlines()
    key = next(line.removeprefix(other) for line in lines if line.startswith(other))
    known = tmp_path / "known_hosts"
    known.write_text("\n".join(address + key if x.startswith(address) else x for x in lines))
    mariadb.clear_commands()
    ran = verify(mariadb, tmp_path, way, known)
    assert ran.status == 3
    assert ran.document["message"].startswith(f"{hop} (")
    assert "host key is not the one in known_hosts" in ran.document["message"]
    assert f"ssh-keygen -R '{address.strip()}' -f {known}" in ran.document["advice"]
    assert ("on the way to db1" in ran.document["message"]) == (hop != "db1")


@pytest.mark.parametrize("said", [b"Host db1\n  ProxyJump app1:x\n", b"Match foo\n", b"\xff\xfe"])
def test_an_ssh_config_that_cannot_be_read_is_named(
    mariadb: Sandbox, tmp_path: Path, said: bytes
) -> None:
    """A mistake in it is the user's, and never a traceback."""
    config = tmp_path / "ssh_config"
    config.write_bytes(said)
    ran = bench(mariadb, tmp_path, ssh={"ssh_config": str(config)}).run("verify")
    assert ran.status == 2
    assert ran.document["message"].startswith(f"db1: {config} cannot be read: ")
