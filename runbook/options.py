"""What the command line says, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The options of a command; those that a phase does not know keep their defaults."""

    dry_run: bool = False
    plan: str = ""
    as_json: bool = False
    fetch: bool = False
    fresh: bool = False
    backup: str = "latest"
    into: str = ""
