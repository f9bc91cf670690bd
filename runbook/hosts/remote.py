"""Commands, files and tunnels on hosts, one SSH connection each.

Commands run on a raw channel, since fabric's `Connection.run` buffers its
output quadratically and, when it is interrupted, leaves the remote process
without saying so.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import fabric
import paramiko

from runbook.environment import Address, Environment
from runbook.errors import Lost, Refusal, RunbookError
from runbook.hosts.channels import NoSession, Sessions, tunnel
from runbook.hosts.ssh import close, connect
from runbook.hosts.transport import listen_for_life

if TYPE_CHECKING:
    from paramiko import Channel, SFTPClient, Transport

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it knows, our errors say

T = TypeVar("T")
MOST_TEXT, MOST_BYTES = 1 << 26, 1 << 29
"""Bytes that a command may print, where its output is text and where it is bytes: what goes on
printing would fill this machine's memory."""
LONGEST_LINE = 2000
"""Characters of a line that are shown."""
PROHIBITED = 1
"""The number of SSH's own with which sshd says that it is not allowed to open a channel."""


@dataclass(frozen=True)
class Finished:
    """How a remote command ended: exit status and the whole of its output."""

    host: str
    status: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines of output, standard error last; of a long one its beginning."""
        last = (self.out.splitlines() + self.err.splitlines())[-lines:]
        return tuple(line[:LONGEST_LINE] for line in last)


@dataclass(frozen=True)
class Answer:
    """How a remote command ended, its output as bytes."""

    status: int
    out: bytes
    err: bytes


class Hosts:
    """One connection a host, opened when first needed; safe to use from threads."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._open: dict[str, _Link] = {}
        self._locks = {host.name: threading.Lock() for host in environment.hosts}

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._open.values():
            link.close()
        self._open.clear()

    def each(self, names: Iterable[str], work: Callable[[str], T]) -> dict[str, T | RunbookError]:
        """Call `work` for every host at once; what it raises is returned in its place."""

        def guarded(name: str) -> T | RunbookError:
            try:
                return work(name)
            except RunbookError as error:
                return error

        wanted = list(dict.fromkeys(names))
        with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
            return dict(zip(wanted, pool.map(guarded, wanted), strict=True))

    def run(
        self, name: str, text: str, *, stdin: str = "", timeout: float | None = None
    ) -> Finished:
        """Run `text` in the login shell of host `name` and wait for it.

        `timeout` is in seconds (default: the environment's for commands).

        Raises:
            Lost: the connection went away, the time passed or it printed too much; the
                command may go on.
            Refusal: the host cannot be reached or does not prove who it is.
        """
        said = self.ask(name, text, stdin=stdin, timeout=timeout, most=MOST_TEXT)
        out, err = (text.decode(errors="replace") for text in (said.out, said.err))
        return Finished(name, said.status, out, err)

    def ask(
        self,
        name: str,
        text: str,
        *,
        stdin: str = "",
        timeout: float | None = None,
        most: int = MOST_BYTES,
    ) -> Answer:
        """Run `text` as `run` does, for output that is at most so many bytes; raises the same."""
        limit = self._environment.timeouts.command if timeout is None else timeout
        return self._link(name).run(text, stdin.encode(), limit, most)

    def tunnel(self, name: str, address: Address) -> Channel:
        """Open a channel from host `name` to a TCP address that it sees.

        Raises:
            Refusal: nothing listens there.
            Lost: the connection went away.
        """
        return self._link(name).tunnel(address, self._environment.timeouts.connect)

    @contextmanager
    def files(self, name: str) -> Iterator[SFTPClient]:
        """Open SFTP on host `name` for the time of a `with` block.

        What the host says of its files is raised as it comes, as OSError.

        Raises:
            Lost: the connection went away.
        """
        with self._link(name).files() as sftp:
            yield sftp

    def _link(self, name: str) -> _Link:
        with self._locks[name]:
            link = self._open.get(name)
            if link is None or not link.alive:
                host = self._environment.host(name)
                connection = connect(self._environment, host)
                link = _Link(name, connection, self._environment.timeouts.silence)
                self._open[name] = link
            return link


class _Link:
    """One open SSH connection."""

    def __init__(self, host: str, connection: fabric.Connection, silence: float) -> None:
        self.host = host
        self._connection = connection
        self._transport: Transport = connection.client.get_transport()
        self._sessions = Sessions(self._transport)
        threading.Thread(
            target=listen_for_life, args=(self._transport, silence), daemon=True
        ).start()

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    def close(self) -> None:
        close(self._connection)

    def run(self, text: str, stdin: bytes, timeout: float, most: int) -> Answer:
        end = time.monotonic() + timeout
        with self._session("before a command could start") as channel:
            try:
                channel.settimeout(timeout)
                channel.exec_command(text)
                if stdin:
                    channel.sendall(stdin)
                channel.shutdown_write()
                out, err = _read(channel, end, most)
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise self._lost(f"while running: {_first_line(text)}", error) from error
            if len(out) + len(err) > most:
                raise Lost(
                    f"{self.host}: printed more than {most >> 20} MiB: {_first_line(text)}",
                    advice=f"It may still run on {self.host}; look there before trying again.",
                )
            if not channel.status_event.wait(max(0.0, end - time.monotonic())):
                raise Lost(
                    f"{self.host}: no answer within {timeout:g} s: {_first_line(text)}",
                    advice=f"It may still run on {self.host}; look there before trying again.",
                )
            status = channel.recv_exit_status()
        if status < 0:
            raise self._lost(f"while running: {_first_line(text)}", None)
        return Answer(status, out, err)

    def tunnel(self, address: Address, timeout: float) -> Channel:
        try:
            return tunnel(self._transport, (address.host, address.port), timeout)
        except paramiko.ChannelException as error:
            if error.code == PROHIBITED:
                raise Refusal(
                    f"{self.host}: its sshd does not forward to {address.host}:{address.port} "
                    f"({error.text})",
                    advice="Its sshd_config needs AllowTcpForwarding, and neither PermitOpen nor "
                    "the key's line in authorized_keys may forbid that address.",
                ) from error
            raise Refusal(
                f"{self.host}: nothing answers at {address.host}:{address.port} ({error.text})",
                advice="Is the database server running, and is this the address that host sees?",
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost("while opening a tunnel to the database", error) from error

    @contextmanager
    def files(self) -> Iterator[SFTPClient]:
        with self._session("while opening SFTP") as channel:
            try:
                channel.invoke_subsystem("sftp")
                sftp = paramiko.SFTPClient(channel)
            except (OSError, EOFError, paramiko.SSHException) as error:
                time.sleep(0.1)  # a connection that goes away ends its channels first
                if self.alive:
                    raise Refusal(
                        f"{self.host}: its sshd offers no SFTP ({error or 'it ended at once'})",
                        advice="Its sshd_config needs `Subsystem sftp internal-sftp`, and a login "
                        "there must print nothing.",
                    ) from error
                raise self._lost("while opening SFTP", error) from error
            with sftp:
                try:
                    yield sftp
                except (EOFError, paramiko.SSHException) as error:
                    raise self._lost("while files were copied", error) from error
                except OSError as error:
                    if self.alive:
                        raise
                    raise self._lost("while files were copied", error) from error

    @contextmanager
    def _session(self, when: str) -> Iterator[Channel]:
        with ExitStack() as opened:
            try:
                channel = opened.enter_context(self._sessions.one())
            except NoSession as error:
                raise Refusal(
                    f"{self.host}: its sshd opens no session ({error})",
                    advice="Raise MaxSessions in its sshd_config: 2 are enough, 10 is the default.",
                ) from error
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise self._lost(when, error) from error
            yield channel

    def _lost(self, when: str, error: Exception | None) -> Lost:
        why = f" ({error})" if error and str(error) else ""
        return Lost(
            f"{self.host}: the SSH connection was lost {when}{why}",
            advice="Run the same command again: it looks first and does what is left.",
        )


def _read(channel: Channel, end: float, most: int) -> tuple[bytes, bytes]:
    """Read until the command has said all, its time has passed, or it printed more than `most`."""
    out, err = bytearray(), bytearray()
    while not channel.eof_received or channel.recv_ready() or channel.recv_stderr_ready():
        if len(out) + len(err) > most or time.monotonic() > end:
            break
        if channel.recv_ready():
            out += channel.recv(1 << 20)
        elif channel.recv_stderr_ready():
            err += channel.recv_stderr(1 << 20)
        elif channel.closed:
            break
        else:
            select.select([channel], [], [], min(1.0, max(0.0, end - time.monotonic())))
    return bytes(out), bytes(err)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:120]
