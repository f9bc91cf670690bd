"""Placeholders such as `{release}` in the inventory's commands."""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(r"(?<![{$])\{([a-z_]+)\}(?!\})")
"""Not `${name}`, which is the shell's, nor `{{name}}`, which is a Go template's."""


def unknown(text: str, names: tuple[str, ...]) -> str:
    """Return the first placeholder in `text` that is none of `names`, or an empty text."""
    return next((name for name in PLACEHOLDER.findall(text) if name not in names), "")


def fill(text: str, **values: str) -> str:
    """Return `text` with each placeholder replaced; the values must need no quotes in a shell."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)
