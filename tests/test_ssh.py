"""The SSH connection itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_EOF

from runbook import inventory
from runbook.errors import Lost
from runbook.hosts.remote import Hosts
from runbook.hosts.ssh import close, connect
from sandbox.sandbox import Sandbox
from tests.exporting import exporting
from tests.support import bench


def test_nothing_waits_to_be_sent(mariadb_server: Sandbox, tmp_path: Path) -> None:
    """The connection sends every packet at once: held back, each command took 40 ms more."""
    file = mariadb_server.write_inventory(tmp_path / "inventory.yaml")
    environment = inventory.load(file).environment("sandbox")
    connection = connect(environment, environment.host("db1"))
    try:
        sock = connection.client.get_transport().sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        close(connection)


def test_what_is_said_too_late_of_a_channel_ends_no_connection(
    mariadb_server: Sandbox, tmp_path: Path
) -> None:
    """An end of input made before the peer's close and sent after it is dropped, as sshd wants."""
    file = mariadb_server.write_inventory(tmp_path / "inventory.yaml")
    environment = inventory.load(file).environment("sandbox")
    connection = connect(environment, environment.host("db1"))
    try:
        transport = connection.client.get_transport()
        channel = transport.open_session()
        late = paramiko.Message()
        late.add_byte(bytes((MSG_CHANNEL_EOF,)))
        late.add_int(channel.remote_chanid)
        channel.exec_command("true")
        assert channel.recv_exit_status() == 0
        while transport._channels.get(channel.chanid):
            time.sleep(0.01)
        transport._send_user_message(late)
        after = transport.open_session()
        after.exec_command("true")
        assert after.recv_exit_status() == 0
    finally:
        close(connection)


def test_what_never_ends_printing_is_given_up(mariadb_server: Sandbox, tmp_path: Path) -> None:
    """It ends by its time, and when it would fill this machine's memory; a long line is cut."""
    file = mariadb_server.write_inventory(tmp_path / "inventory.yaml")
    with Hosts(inventory.load(file).environment("sandbox")) as hosts:
        with pytest.raises(Lost, match="db1: printed more than 64 MiB: yes"):
            hosts.run("db1", "yes")
        slowly = "while echo y; do sleep 0.01; done"
        with pytest.raises(Lost, match=r"db1: no answer within 0\.5 s: while echo y"):
            hosts.run("db1", slowly, timeout=0.5)
        (line,) = hosts.run("db1", "head -c 3000000 /dev/zero | tr '\\0' x").tail()
        assert len(line) == 2000


@contextmanager
def configured(sandbox: Sandbox, *, first: str = "", without: str = "-") -> Iterator[None]:
    """Run db1's sshd with a line before all others, or without those that begin so."""
    host = sandbox.hosts["db1"]
    file = host.folder / "sshd_config"
    before = file.read_text()

    def restart() -> None:
        process = host.process()
        assert process is not None
        process.end()
        host.start()

    lines = [line for line in before.splitlines() if not line.startswith(without)]
    try:
        file.write_text("\n".join((first, *lines)) + "\n")
        restart()
        yield
    finally:
        file.write_text(before)
        restart()


def test_a_host_that_allows_one_session_gets_one_at_a_time(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """With MaxSessions 1 every phase does its work, one session after the other."""
    place = bench(mariadb, tmp_path)
    with configured(mariadb, first="MaxSessions 1"):
        for command in ("migrate", "export", "rollback"):
            ran = place.run(command)
            assert ran.status == 0, ran.why


def test_a_host_that_opens_no_session_is_told_as_that(mariadb: Sandbox, tmp_path: Path) -> None:
    """It is no lost connection: the setting of its sshd is named."""
    with configured(mariadb, first="MaxSessions 0"):
        ran = bench(mariadb, tmp_path).run("backup")
    assert ran.status == 3
    assert "MaxSessions" in ran.said
    assert "was lost" not in ran.said


def test_a_host_without_sftp_is_told_as_that(mariadb: Sandbox, tmp_path: Path) -> None:
    """The missing subsystem is named, with the line that adds it, and no export is told."""
    place = exporting(mariadb, tmp_path, {"users": "SELECT user_id FROM users"})
    with configured(mariadb, without="Subsystem"):
        ran = place.run("export")
    assert ran.status == 1
    assert "offers no SFTP" in ran.document["message"]
    assert "Subsystem sftp" in ran.document["advice"]
    assert place.run("export").status == 0


def test_a_host_that_forwards_nothing_is_told_as_that(mariadb: Sandbox, tmp_path: Path) -> None:
    """A database that cannot be reached because sshd may not forward is not called down."""
    with configured(mariadb, first="AllowTcpForwarding no"):
        ran = bench(mariadb, tmp_path).run("verify")
    assert ran.status == 3
    assert "does not forward to 127.0.0.1:" in ran.document["message"]
    assert "AllowTcpForwarding" in ran.document["advice"]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00 no key", bytes(range(256))])
def test_a_key_that_is_no_text_is_named(mariadb: Sandbox, tmp_path: Path, data: bytes) -> None:
    """A binary file in place of a private key is a refusal that names it, and no defect."""
    key = tmp_path / "key.bin"
    key.write_bytes(data)
    ran = bench(mariadb, tmp_path, ssh={"key": str(key)}).run("verify")
    assert ran.status == 3
    assert f"{key} is no private key" in ran.document["message"]
