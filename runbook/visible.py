"""What others say, as it can be shown: nothing that a terminal obeys, that hides, or that turns.

Databases, hosts, ledgers and journals say what somebody wrote into them. It is
cleaned where it is shown; what is kept or handed on as data stays as it was.
"""

from __future__ import annotations

import json
import re

COLOUR = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")
"""What colours a terminal or moves its cursor, and can hold nothing but numbers."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    r"""Return `text` as it can be shown anywhere; its line breaks and tabs stay.

    Colours are left out; what would be obeyed, be invisible, or turn the order
    of what is beside it, is written as an escape such as `\u202e`.
    """
    return escaped(COLOUR.sub("", text))


def escaped(text: str) -> str:
    """Return `text` as `clean` does, but nothing left out: what is approved is seen whole."""
    lines = text.replace("\r\n", "\n").removesuffix("\r")
    return _UNSEEN.sub(lambda found: _escape(found[0]), lines)


def in_one_line(text: str) -> str:
    """Return `text` with everything that cannot be printed written as an escape."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def as_json(value: object, indent: int | None = None) -> str:
    """Return `value` as JSON that holds all of it, and that a terminal may be shown as well."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
