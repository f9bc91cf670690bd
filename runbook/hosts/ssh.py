"""SSH connections: the only import of fabric, which resolves configuration and jump hosts.

Host keys are always checked; fabric by itself accepts any.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import fabric
import paramiko
from invoke.exceptions import Exit as InvokeExit

from runbook.environment import Environment, Host
from runbook.errors import Refusal

if TYPE_CHECKING:
    from paramiko import Transport


def connect(environment: Environment, host: Host) -> fabric.Connection:
    """Open a connection to `host`, through its jump hosts, every host key checked.

    Raises:
        Refusal: it cannot be reached, does not prove who it is, or does not let us in.
    """
    limit = environment.timeouts.connect
    connection = _connection(environment, host, limit)
    here = f"{host.name} ({connection.user}@{connection.host}:{connection.port})"
    try:
        connection.open()
    except paramiko.BadHostKeyException as error:
        raise Refusal(
            f"{here}: the host key is not the one in known_hosts",
            advice="Somebody else may be answering. Compare the key with the host's console; if "
            f"it was really changed: ssh-keygen -R '[{connection.host}]:{connection.port}', then "
            "connect once with ssh.",
        ) from error
    except paramiko.AuthenticationException as error:
        raise Refusal(
            f"{here}: the key or user was not accepted",
            advice=f"Try: ssh -p {connection.port} {connection.user}@{connection.host} true",
        ) from error
    except (paramiko.SSHException, OSError, EOFError, InvokeExit) as error:
        if "not found in known_hosts" in str(error):
            raise Refusal(
                f"{here}: the host key is not known",
                advice="Connect once with ssh and compare the fingerprint, or name a file in "
                "the inventory's known_hosts.",
            ) from error
        raise Refusal(
            f"{here}: no SSH connection ({error or type(error).__name__})",
            advice=environment.about or "Is the host up, and is its address right?",
        ) from error
    return connection


def _connection(environment: Environment, host: Host, limit: float) -> fabric.Connection:
    config = (
        fabric.Config(ssh_config=paramiko.SSHConfig.from_path(str(host.ssh_config)))
        if host.ssh_config
        else fabric.Config()
    )
    kwargs: dict[str, object] = {"banner_timeout": limit, "auth_timeout": limit}
    if host.key:
        kwargs["key_filename"] = str(host.key)
    connection = fabric.Connection(
        host.address or host.name,
        user=host.user,
        port=host.port,
        config=config,
        gateway=_connection(environment, environment.host(host.jump), limit) if host.jump else None,
        connect_timeout=int(limit) or 1,
        connect_kwargs=kwargs,
    )
    _check_host_keys(connection, host.known_hosts)
    gateway = None if host.jump else connection.gateway  # those of ProxyJump, however many
    while isinstance(gateway, fabric.Connection):
        _check_host_keys(gateway, host.known_hosts)
        gateway = gateway.gateway
    return connection


def _check_host_keys(connection: fabric.Connection, known_hosts: Path | None) -> None:
    """Load the known host keys and refuse every other."""
    client = connection.client
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    named = connection.ssh_config.get("userknownhostsfile")
    files = [known_hosts] if known_hosts else [Path(f).expanduser() for f in (named or "").split()]
    for file in files:
        if file.is_file():
            client.load_system_host_keys(str(file))
    if not files:
        client.load_system_host_keys()


def listen_for_life(transport: Transport, silence: float) -> None:
    """Close the connection when the peer has not answered for `silence` seconds.

    A black-holed peer acknowledges nothing and resets nothing, and paramiko's
    own keepalive does not wait for replies; every blocked read would hang.
    """
    while transport.is_active():
        alarm = threading.Timer(silence, transport.close)
        alarm.daemon = True
        alarm.start()
        try:
            transport.global_request("keepalive@openssh.com", wait=True)
        except (OSError, EOFError, paramiko.SSHException):
            return
        finally:
            alarm.cancel()
        time.sleep(silence / 4)
