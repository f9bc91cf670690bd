"""What the command line says, as one frozen value."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The options of a command; those that a phase does not know keep their defaults."""

    dry_run: bool = False
    plan: str | None = None
    as_json: bool = False
    full: bool = False
    fetch: bool = False
    fresh: bool = False
    backup: str = "latest"
    into: str = ""
    event: str = ""
    first: str = ""
    last: str = ""
    skip: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    remove: bool = False

    @property
    def flags(self) -> str:
        """The options that decide what a plan holds, as they are typed."""
        said = (
            " --fetch" if self.fetch else "",
            " --fresh" if self.fresh else "",
            f" --backup={shlex.quote(self.backup)}" if self.backup != "latest" else "",
            f" --into={shlex.quote(self.into)}" if self.into else "",
            f" --event={shlex.quote(self.event)}" if self.event else "",
            f" --from={shlex.quote(self.first)}" if self.first else "",
            f" --until={shlex.quote(self.last)}" if self.last else "",
            *(f" --skip={shlex.quote(each)}" for each in self.skip),
            *(f" --answer={shlex.quote(each)}" for each in self.answer),
            " --remove" if self.remove else "",
        )
        return "".join(said)
