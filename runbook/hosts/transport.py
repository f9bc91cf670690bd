"""Paramiko's transport as it must be here: quick to send, silent about what has ended, watched."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
)

if TYPE_CHECKING:
    from paramiko import Channel

ABOUT_A_CHANNEL = frozenset(
    (MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_REQUEST, MSG_CHANNEL_WINDOW_ADJUST)
)
"""Messages that a peer takes ill about a channel that it knows no more."""


class Transport(paramiko.Transport):
    """A transport that says nothing of a channel whose end was answered.

    Paramiko (5.1) makes a message under its channel's lock and sends it afterwards,
    so that another thread may answer the peer's close in between: for a command
    that ends before its input does, on a busy machine. OpenSSH ends the whole
    connection then: "ieof packet referred to nonexistent channel".
    """

    def _send_message(self, data: paramiko.Message) -> None:
        # One thread at a time is in here; a channel is unlinked before its close is answered.
        said = data.asbytes()
        if said[0] in ABOUT_A_CHANNEL:
            channel = int.from_bytes(said[1:5], "big")
            known = self._channels.values()  # type: ignore[attr-defined]
            if all(one.remote_chanid != channel for one in known):
                return
        super()._send_message(data)  # type: ignore[misc]


def transport(sock: socket.socket | Channel, **options: Any) -> Transport:
    """Return a transport that sends what is written at once, as ssh does.

    Else every command waits for an acknowledgement: the kernel holds a second
    small packet back until the first is acknowledged, which the peer delays by 40 ms.
    """
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(sock, **options)


def listen_for_life(transport: paramiko.Transport, silence: float) -> None:
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
