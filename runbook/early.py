"""A stop that is asked for before this program can answer it: kept until it can.

Imports next to nothing, since it is there for the time that other imports take.
"""

from __future__ import annotations

import signal

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""How a stop is asked for: Ctrl-C, another program, a terminal that was closed."""


def hold_stops() -> None:
    """Keep signals that ask for a stop from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def let_stops_come() -> None:
    """Let them come, with those that were kept: now they are answered."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
