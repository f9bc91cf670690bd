"""Kinds that more than one section of an environment uses."""

from __future__ import annotations

from runbook.inventory.words import Word, text
from runbook.placeholders import unknown

HOST_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?"
HOST_REFERENCE = text("the name of a host of this environment", HOST_NAME)
"""`references` proves that there is such a host."""

ROLE_NAME = r"[a-z][a-z0-9_-]{0,39}"
ROLE_REFERENCE = text("the name of a role, such as db", ROLE_NAME)
"""`references` proves that some host has this role."""

COMMAND = text("a command, one line", longest=4096)
_REMOTE = r"(?!.*(?:^|/)\.\.?(?:/|$))/?[A-Za-z0-9._][^~]*"
REMOTE_FOLDER = text(
    "a folder on the host, absolute or relative to its home, without ~ and ..", _REMOTE, 1024
)
REMOTE_FILE = text(
    "a file on the host, absolute or relative to its home, without ~ and ..", _REMOTE, 1024
)
PLAIN_FOLDER = text(
    "a folder on the host of letters, digits, {host} and . _ @ + / -, without ~ and ..",
    r"(?!.*(?:^|/)\.\.?(?:/|$))/?(?:[A-Za-z0-9._]|\{host\})(?:[A-Za-z0-9._@+/-]|\{host\})*",
    longest=500,
)
"""It needs no quotes in a shell, so its placeholder may stand within quotes as well."""


def command_with(*names: str) -> Word[str]:
    """Return the kind of a command in which these placeholders, and no others, may stand."""
    known = ", ".join(f"{{{name}}}" for name in names)

    def parse(value: str) -> str:
        if unknown(value, names):
            raise ValueError
        return COMMAND.parse(value)

    def hint(value: str) -> str:
        name = unknown(value, names)
        return f"{{{name}}} is none; the shell's own is written {{ {name} }}" if name else ""

    return Word(f"a command, one line, in which {known} may stand", parse, COMMAND.form, hint=hint)
