"""The sandbox itself: what the other tests stand on."""

from __future__ import annotations

import time

from sandbox.sandbox import Sandbox


def test_reset_is_fast(sandbox: Sandbox) -> None:
    """Laying the database anew takes well under a second."""
    started = time.monotonic()
    sandbox.reset()
    assert time.monotonic() - started < 2
    assert sandbox.query("SELECT COUNT(*) FROM vaulteer.event_participants") == [(500,)]
