"""Ctrl-C: once to stop after the statement in hand, twice to stop now."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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
    def on_signals(self, say: Callable[[str], None]) -> Iterator[None]:
        """Pull this brake on SIGINT and SIGTERM; a second one raises KeyboardInterrupt."""

        def pull(_number: int, _frame: FrameType | None) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self._asked.set()
            say("Stopping after the statement in hand. Ctrl-C again: stop now.")

        before = {number: signal.signal(number, pull) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
