"""SSH connections: the only import of fabric, which resolves configuration and jump hosts.

Host keys are always checked; fabric by itself accepts any.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import fabric
import paramiko
from fabric.connection import derive_shorthand
from invoke.exceptions import Exit as InvokeExit
from paramiko.config import SSH_PORT
from paramiko.ssh_exception import NoValidConnectionsError

from runbook.environment import Environment, Host
from runbook.errors import Refusal, UsageError
from runbook.hosts.transport import transport


@dataclass(frozen=True)
class _Client:
    """What holds for a host and for those that ssh_config puts in front of it."""

    config: fabric.Config
    known_hosts: Path | None
    limit: float


def connect(environment: Environment, host: Host) -> fabric.Connection:
    """Open a connection to `host`, through its jump hosts, every host key checked.

    Raises:
        Refusal: it, or one on the way to it, cannot be reached, does not prove
            who it is, or does not let us in.
        UsageError: the SSH configuration cannot be read.
    """
    try:
        connection = _connection(environment, host)
    except (paramiko.SSHException, OSError, ValueError) as error:
        raise UsageError(
            f"{host.name}: {host.ssh_config or '~/.ssh/config'} cannot be read: {error}",
            advice=f"ssh -G {host.address or host.name} says where it is wrong.",
        ) from error
    try:
        for hop in reversed(_way(connection)):
            _open(
                environment, host, hop, "" if hop is connection else f", on the way to {host.name}"
            )
    except BaseException:
        close(connection)
        raise
    return connection


def close(connection: fabric.Connection) -> None:
    """Close a connection and those that it goes through; fabric leaves them open."""
    for hop in _way(connection):
        hop.close()


def _way(connection: fabric.Connection) -> list[fabric.Connection]:
    """Return a connection and those that it goes through, the one nearest to us last."""
    gateway = connection.gateway
    return [connection, *(_way(gateway) if isinstance(gateway, fabric.Connection) else ())]


def _open(environment: Environment, host: Host, hop: fabric.Connection, onward: str) -> None:
    name = hop.original_host if onward else host.name
    here = f"{name} ({hop.user}@{hop.host}:{hop.port}){onward}"
    try:
        hop.open()
    except paramiko.BadHostKeyException as error:
        entry = hop.host if hop.port == SSH_PORT else f"'[{hop.host}]:{hop.port}'"
        file = f" -f {quote(str(host.known_hosts))}" if host.known_hosts else ""
        raise Refusal(
            f"{here}: the host key is not the one in known_hosts",
            advice="Somebody else may be answering. Compare the key with the host's console; if "
            f"it was really changed: ssh-keygen -R {entry}{file}, then connect once with ssh.",
        ) from error
    except paramiko.AuthenticationException as error:
        raise Refusal(
            f"{here}: the key or user was not accepted",
            advice=f"Try: ssh -p {hop.port} {hop.user}@{hop.host} true",
        ) from error
    except UnicodeDecodeError as error:  # paramiko expects text, and says not of which file
        raise Refusal(
            f"{here}: {_no_text(hop)} is no private key",
            advice="Name the file that ssh-keygen made, the one without .pub.",
        ) from error
    except (paramiko.SSHException, OSError, EOFError, InvokeExit) as error:
        if "not found in known_hosts" in str(error):
            raise Refusal(
                f"{here}: the host key is not known",
                advice="Connect once with ssh and compare the fingerprint, or name a file in "
                "the inventory's known_hosts.",
            ) from error
        raise Refusal(
            f"{here}: no SSH connection ({_why(error)})",
            advice="Is it up, and is its address right? "
            f"{environment.name} is: {environment.about}",
        ) from error


def _no_text(hop: fabric.Connection) -> str:
    """Return which of the keys that a connection was to try is no text."""
    named = hop.connect_kwargs.get("key_filename") or ()
    for file in (named,) if isinstance(named, str) else tuple(named):
        try:
            Path(file).expanduser().read_text("utf-8")
        except UnicodeDecodeError:
            return str(file)
        except OSError:
            continue
    return "one of ~/.ssh/id_*"


def _why(error: Exception) -> str:
    """Return in words why a connection could not be made."""
    if isinstance(error, NoValidConnectionsError):  # one for every address that the name has
        error = next(iter(error.errors.values()))
    told = error.strerror if isinstance(error, OSError) else str(error)
    return told or type(error).__name__


def _connection(environment: Environment, host: Host) -> fabric.Connection:
    config = (
        fabric.Config(ssh_config=paramiko.SSHConfig.from_text(host.ssh_config.read_text("utf-8")))
        if host.ssh_config
        else fabric.Config()
    )
    client = _Client(config, host.known_hosts, environment.timeouts.connect)
    name = host.address or host.name
    gateway = (
        _connection(environment, environment.host(host.jump))
        if host.jump
        else _hops(client, name, frozenset())
    )
    return _through(gateway, client, name, user=host.user, port=host.port, key=host.key)


def _hops(client: _Client, name: str, behind: frozenset[str]) -> fabric.Connection | str | None:
    """Return the last of the jump hosts that ssh_config names for `name`, or its ProxyCommand.

    Fabric would walk several of them backwards (3.2), and go straight to a host
    whose jump host has the same address. As with OpenSSH, only the first one is
    reached as ssh_config says of it; `behind` is what it leads to.
    """
    said = client.config.base_ssh_config.lookup(name)
    if "proxyjump" not in said:
        return said.get("proxycommand")
    hops = [hop.strip().removeprefix("ssh://") for hop in said["proxyjump"].split(",")]
    names = [derive_shorthand(hop)["host"] for hop in hops]
    if hops == ["none"] or {name, *behind}.intersection(names):  # `Host *` means the hops too
        return None
    gateway = _hops(client, names[0], behind | {name})
    for hop in hops:
        gateway = _through(gateway, client, hop)
    return gateway


def _through(
    gateway: fabric.Connection | str | None,
    client: _Client,
    name: str,
    *,
    user: str | None = None,
    port: int | None = None,
    key: Path | None = None,
) -> fabric.Connection:
    """Return a connection that is not open yet and will refuse every key but the known ones."""
    kwargs: dict[str, object] = {
        "banner_timeout": client.limit,
        "auth_timeout": client.limit,
        "transport_factory": transport,
    }
    if key:
        kwargs["key_filename"] = str(key)
    connection = fabric.Connection(
        name,
        user=user,
        port=port,
        config=client.config,
        gateway=gateway or False,  # None would ask ssh_config again
        connect_timeout=int(client.limit) or 1,
        connect_kwargs=kwargs,
    )
    _check_host_keys(connection, client.known_hosts)
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
