"""Standard output that may go away while work goes on."""

from __future__ import annotations

import os
import sys

from rich.console import Console as Rich


class Terminal(Rich):
    """A console that may lose its reader (`| head`, `> file` on a full disk): work goes on."""

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError:  # rich itself thinks only of a broken pipe
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True
        silence()


def silence() -> None:
    """Let standard output lead nowhere, so that nothing more can fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
