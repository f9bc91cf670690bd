"""A real socket in front of an SSH channel, for TLS, which insists on one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paramiko import Channel

PIECE = 1 << 16


def socket_over(channel: Channel) -> socket.socket:
    """Return one end of a socket pair whose other end is copied to and from `channel`.

    No port is opened. Both directions end when either side closes.
    """
    near, far = socket.socketpair()

    def shut() -> None:
        for side in (far.close, channel.close):
            with contextlib.suppress(OSError, EOFError):
                side()

    def copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
        with contextlib.suppress(OSError, EOFError):
            while piece := read(PIECE):
                write(piece)
        shut()

    for read, write in ((far.recv, channel.sendall), (channel.recv, far.sendall)):
        threading.Thread(target=copy, args=(read, write), daemon=True).start()
    return near
