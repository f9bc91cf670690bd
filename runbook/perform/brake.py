"""Ctrl-C: once to stop after the statement in hand, twice to stop now; in a look, once.

So does SIGTERM. A terminal that was closed (SIGHUP) asks once, however often that is told.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runbook.early import STOPS
from runbook.errors import Interrupted


class Brake:
    """Remembers that the operator asked to stop; waits that end early when they do."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise Interrupted when a stop was asked for."""
        if self.asked:
            raise Interrupted("stopped as asked, between two statements")

    def pause(self, seconds: float) -> None:
        """Wait, but not past a request to stop.

        Raises:
            Interrupted: a stop was asked for.
        """
        self._asked.wait(seconds)
        self.check()

    @contextmanager
    def on_signals(self, say: Callable[[str], None], asking: Callable[[], bool]) -> Iterator[None]:
        """Pull this brake on a signal that asks for a stop; a second raises KeyboardInterrupt.

        So does the first one while the operator is asked: nothing is in hand then.
        """

        def pull(number: int, _frame: FrameType | None) -> None:
            if asking() or (self.asked and number != signal.SIGHUP):
                raise KeyboardInterrupt
            self._asked.set()
            say("Stopping after the statement in hand. Ctrl-C again: stop now.")

        with _handling(pull):
            yield


@contextmanager
def leaving_at_once(may: Callable[[], bool], end: Callable[[], int]) -> Iterator[None]:
    """End this process when a stop is asked for and `may` says so, with the status of `end`.

    A look only reads, in threads that may be waiting for a host that is silent:
    nobody wants to wait for them.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        if not may():
            raise KeyboardInterrupt
        os._exit(end())

    with _handling(leave):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    def heard(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:  # the shell and the kernel both tell of it
            signal.signal(number, signal.SIG_IGN)
        handler(number, frame)

    wanted = [number for number in STOPS if not _by_nohup(number)]
    before = {number: signal.signal(number, heard) for number in wanted}
    try:
        yield
    finally:
        for number, earlier in before.items():
            if signal.getsignal(number) is heard:
                signal.signal(number, earlier)


def _by_nohup(number: signal.Signals) -> bool:
    """Whether whoever started this program wants it to go on when the terminal is closed."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
