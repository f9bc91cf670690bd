"""Kinds that more than one section of an environment uses."""

from __future__ import annotations

from runbook.inventory.words import text

HOST_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?"
HOST_REFERENCE = text("the name of a host of this environment", HOST_NAME)
"""`references` proves that there is such a host."""

ROLE_NAME = r"[a-z][a-z0-9_-]{0,39}"
ROLE_REFERENCE = text("the name of a role, such as db", ROLE_NAME)
"""`references` proves that some host has this role."""

COMMAND = text("a command, one line", longest=4096)
REMOTE_FOLDER = text(
    "a folder on the host, absolute or relative to its home, without ~ and ..",
    r"(?!.*(?:^|/)\.\.?(?:/|$))/?[A-Za-z0-9._][^~]*",
    longest=1024,
)
