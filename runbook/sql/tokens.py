"""The tokens of an SQL statement: what is code, what is a name, a string or a variable.

Comments are left out. The content of conditional comments (`/*! */`, `/*M! */`)
counts as code, since one of the servers runs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+ | --(?=\s|$)[^\n]* | \#[^\n]* | /\*(?!!|M!).*?\*/ | /\*M?!\d* | \*/)
    | (?P<string>'(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*")
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<system>@@[\w.$`]+)
    | (?P<variable>@(?:`(?:[^`]|``)*` | '(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*" | [\w.$]+))
    | (?P<word>[\w$]+)
    | (?P<symbol>:=|.)
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """One token: its kind (a group of the pattern above), and where it starts in the text.

    `depth` is the number of parentheses around it.
    """

    kind: str
    text: str
    start: int
    depth: int

    @property
    def word(self) -> str:
        """Its text in capitals if it can be a keyword, else nothing."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def identifier(self) -> str | None:
        """The name that it stands for, without its quotes."""
        if self.kind == "name":
            return self.text[1:-1].replace("``", "`")
        return self.text if self.kind == "word" else None

    @property
    def variable(self) -> str | None:
        """The user variable that it stands for, in lower case, without `@` and quotes."""
        if self.kind != "variable":
            return None
        name = self.text[1:].lower()
        quote = name[0]
        return name[1:-1].replace(quote * 2, quote) if quote in "`'\"" else name


def tokenize(text: str) -> list[Token]:
    """Return the tokens that are neither space nor comment; `depth` counts open parentheses."""
    tokens: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        depth -= found == ")"
        tokens.append(Token(kind, found, match.start(), depth))
        depth += found == "("
    return tokens
