"""A seal on a JSON text: its last entry, the checksum of all above it, tells an edit."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

_SEAL = re.compile(r'^  "seal": "([0-9a-f]{64})"$', re.MULTILINE)


def sealed(content: Mapping[str, object]) -> str:
    """Return `content` as JSON in ASCII, so that its lines are lines to anybody, with its seal."""
    head = json.dumps(content, indent=2).removesuffix("\n}") + ",\n"
    return f'{head}  "seal": "{hashlib.sha256(head.encode()).hexdigest()}"\n}}\n'


def opened(text: str) -> Mapping[str, object]:
    """Return the content of a sealed text.

    Raises:
        ValueError: it is incomplete, was edited, or is no JSON.
    """
    seal = _SEAL.search(text)
    if seal is None:
        raise ValueError("it is incomplete")
    if hashlib.sha256(text[: seal.start()].encode()).hexdigest() != seal[1]:
        raise ValueError("it was changed after it was written")
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")
    return content
