"""What a statement adds, as far as its own text names it: columns, keys, tables, triggers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile

from runbook.sql.text import leading_keywords, target, trigger
from runbook.sql.tokens import Token, tokenize

ANY = "*"
"""Stands for a constraint's name that the text leaves to the server."""
_CLAUSES = frozenset({"ADD", "CHANGE", "RENAME"})
_KEYS = frozenset(
    {"CONSTRAINT", "PRIMARY", "UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "KEY", "FOREIGN", "CHECK"}
)
_GRAMMAR = _KEYS | {"COLUMN", "IF", "NOT", "EXISTS", "USING", "BTREE", "HASH", "RTREE"}


def adds(text: str) -> tuple[str, ...]:
    """Return the objects that a statement says it adds, sorted, and spelled as in the ledger.

    A name that is left to the server is the first column's for an index, `*` for a
    constraint. Nothing for a statement that adds none, or of several tables.
    """
    table, words, tokens = target(text), leading_keywords(text), tokenize(text)
    if table is None or words[:1] not in {("CREATE",), ("ALTER",)}:
        return ()
    if words[0] == "ALTER":
        found = {f"{kind}:{table}.{name}" for kind, name in _altered(tokens)}
    elif "TABLE" in words:
        found = {f"table:{table}"}
    elif "INDEX" in words:
        name = next(t.identifier for t in tokens[len(words) :])
        found = {f"index:{table}.{name}"}
    else:
        found = {f"trigger:{trigger(text)}"}
    return tuple(sorted(found))


def _altered(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    for each in _split(tokens, 0):
        clause = list(dropwhile(lambda token: token.word not in _CLAUSES, each))
        rest = clause[1:]
        match [token.word for token in clause[:2]]:
            case ["ADD", "COLUMN"]:
                yield from _columns(_without(rest, {"COLUMN", "IF", "NOT", "EXISTS"}))
            case ["ADD", word] if word in _KEYS:
                yield from _key(rest)
            case ["ADD", _]:
                yield from _columns(_without(rest, {"IF", "NOT", "EXISTS"}))
            case ["CHANGE", _]:
                yield from _named("column", _without(rest, {"COLUMN", "IF", "EXISTS"})[1:])
            case ["RENAME", "COLUMN" | "INDEX" | "KEY" as what]:
                kind = "column" if what == "COLUMN" else "index"
                yield from _named(kind, list(dropwhile(lambda t: t.word != "TO", rest))[1:])


def _columns(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Return what `c INT …` adds, or `(c INT, d INT, KEY (c))`."""
    if tokens and tokens[0].text == "(":
        for part in _split(tokens[1:-1], tokens[0].depth + 1):
            yield from _key(part) if part and part[0].word in _KEYS else _columns(part)
        return
    yield from _named("column", tokens)
    words = {token.word for token in tokens}
    if "PRIMARY" in words:
        yield "index", "PRIMARY"
    elif words & {"UNIQUE", "KEY"}:
        yield from _named("index", tokens)
    if words & {"CHECK", "REFERENCES"}:
        yield "constraint", ANY


def _key(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Return what `INDEX i (c)`, `CONSTRAINT k FOREIGN KEY (c) …` and the like add."""
    words = {token.word for token in tokens}
    inside = list(dropwhile(lambda token: token.text != "(", tokens))
    head = tokens[: len(tokens) - len(inside)]
    names = [token.identifier for token in head if token.word not in _GRAMMAR and token.identifier]
    first = next(_named("", inside[1:]), ("", ""))[1]
    if words & {"CHECK", "FOREIGN"}:
        yield from (("constraint", name) for name in names or [ANY])
    if "FOREIGN" in words:  # and the index that the server makes for it
        yield from (("index", name) for name in (*names, first))
    elif "PRIMARY" in words:
        yield "index", "PRIMARY"
    elif "CHECK" not in words:
        yield from (("index", name) for name in names or [first])


def _named(kind: str, tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    if tokens and (name := tokens[0].identifier):
        yield kind, name


def _without(tokens: Sequence[Token], words: set[str]) -> list[Token]:
    return list(dropwhile(lambda token: token.word in words, tokens))


def _split(tokens: Sequence[Token], depth: int) -> list[list[Token]]:
    """Cut tokens at the commas that stand in so many parentheses."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == "," and token.depth == depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
