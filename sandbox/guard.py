"""Ends a sandbox with the process that started it, however that one ends.

It waits until its standard input is closed, which the kernel does for the
owner even when it is killed. `python -m sandbox.guard FOLDER`.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from sandbox.ending import end

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(Path(sys.argv[1]))
