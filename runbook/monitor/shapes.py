"""Like messages grouped: what differs between two of them (numbers, ids, names) is folded away.

A shape is also all of a message that is kept or told: the values in it may be
somebody's.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 160
_READ = 600
"""Characters of a message that are looked at."""
_DIGITS = re.compile(r"\d+")
_QUOTED = re.compile(r"'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"|`[^`\n]{0,200}`")
_IDENTIFIER = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+|[A-Za-z_]+(?:\.[A-Za-z_]+)+")
"""A quoted name that programmers gave, such as a column's, is what the message is about."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+")
_QUERY = re.compile(r"\?[\w.%~-]+=[^\s\"')\]]*")
_WITH_DIGITS = re.compile(r"(?<![\w-])[\w-]*0[\w-]*")
_NAMED = re.compile(r"[A-Za-z_-]*[A-Za-z_][A-Za-z_-]*0")
"""A word with a number at its end, such as `worker-3`."""
_MEASURED = re.compile(r"-?0[A-Za-z]{0,3}")
_LISTED = re.compile(r"#(?:[,;\s]+#){2,}")
_JOINED = re.compile(r"#(?:[.,:/-]?#)+")


def shape(message: str) -> str:
    """Return a message without what differs between messages of one kind."""
    # Most differ in nothing but digits: what is left to do is then done once for all.
    return _shape(_DIGITS.sub("0", message[:_READ]))


@lru_cache(maxsize=4096)
def _shape(text: str) -> str:
    text = _QUOTED.sub(_quoted, text)
    if "@" in text:
        text = _EMAIL.sub("<email>", text)
    if "?" in text:
        text = _QUERY.sub("?…", text)
    text = _WITH_DIGITS.sub(_word, text)
    text = _LISTED.sub("#, …", _JOINED.sub("#", text))
    return " ".join(text.split()).strip(" :-|")[:LONGEST].rstrip()


def _quoted(match: re.Match[str]) -> str:
    text = match[0]
    return text if _IDENTIFIER.fullmatch(text[1:-1]) else f"{text[0]}…{text[0]}"


def _word(match: re.Match[str]) -> str:
    """Return what stands for a word with digits: its name, its unit, or an id."""
    word = match[0]
    if _MEASURED.fullmatch(word) or _NAMED.fullmatch(word):
        return word.lstrip("-").replace("0", "#") if word[0] == "-" else word.replace("0", "#")
    return "<id>"
