"""Standard output that may go away while work goes on, and that obeys nobody but us."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from rich.console import Console as Rich
from rich.text import Text

from runbook.events import redacted
from runbook.visible import clean, escaped


class Terminal(Rich):
    """A console that may lose its reader (`| head`, `> file` on a full disk): work goes on.

    `secrets` returns what is never printed.
    """

    def __init__(self, *, quiet: bool, stderr: bool) -> None:
        super().__init__(quiet=quiet, stderr=stderr, highlight=False, soft_wrap=True)
        self.secrets: Callable[[], Iterable[str]] = tuple

    def text(self, said: str, style: str = "", *, whole: bool = False) -> Text:
        """Return whatever somebody said as it is printed; `whole`, with nothing left out."""
        said = redacted(said, self.secrets())
        return Text(escaped(said) if whole else clean(said), style)

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
    if sys.stdout is not None:  # it was closed (`>&-`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
