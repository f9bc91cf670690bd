"""The session channels of one SSH connection: as many at once as its sshd allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paramiko

if TYPE_CHECKING:
    from paramiko import Channel, Transport

MOST = 8
"""Sessions open at once on one connection; sshd's default MaxSessions is 10."""
PATIENCE = 2.0
"""Seconds in which sshd should have noticed that a session of ours has ended."""
LONGEST_WAIT = 60.0
"""Seconds to wait for another session of ours to end, where sshd allows no more."""


class NoSession(Exception):
    """The sshd opens no session, or no further one while ours go on."""


def tunnel(transport: Transport, to: tuple[str, int], timeout: float) -> Channel:
    """Open a channel to a TCP address that the host sees.

    Raises:
        ChannelException: it was refused, by sshd or at that address.
        OSError, EOFError, SSHException: the connection went away.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            return transport.open_channel("direct-tcpip", to, ("127.0.0.1", 0), timeout=timeout)
        except paramiko.SSHException as error:
            if not _taken(transport, error) or time.monotonic() > end:
                raise


class Sessions:
    """Opens session channels; safe to use from threads.

    An sshd that allows fewer at once (MaxSessions) is taken at its word: what
    would be one too many waits for another to end.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._changed = threading.Condition()
        self._open = 0
        self._most = MOST

    @contextmanager
    def one(self) -> Iterator[Channel]:
        """Open a session for the time of a `with` block.

        Raises:
            NoSession: sshd allows none.
            OSError, EOFError, SSHException: the connection went away.
        """
        channel = self._opened()
        try:
            with channel:
                yield channel
        finally:
            self._ended()

    def _opened(self) -> Channel:
        end = time.monotonic() + PATIENCE
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._open < self._most, LONGEST_WAIT):
                    raise NoSession(f"{self._most} are open")
                self._open += 1
            try:
                return self._transport.open_session(timeout=15)
            except BaseException as error:
                others = self._ended()
                if not isinstance(error, paramiko.ChannelException) and not _taken(
                    self._transport, error
                ):
                    raise
                if others:
                    self._most = min(self._most, others)
                elif time.monotonic() > end:
                    raise NoSession(getattr(error, "text", str(error))) from error
                else:
                    time.sleep(0.05)

    def _ended(self) -> int:
        """Count a session out; return how many are left."""
        with self._changed:
            self._open -= 1
            self._changed.notify()
            return self._open


def _taken(transport: Transport, error: BaseException) -> bool:
    """Whether a channel was refused for a reason that another thread has taken away.

    paramiko keeps one error for all that open channels at a time; who finds none gets
    an SSHException that names no reason, over a connection that is well.
    """
    named = str(error).startswith("Timeout")
    return type(error) is paramiko.SSHException and transport.is_active() and not named
