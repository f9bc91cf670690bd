"""Which tables a query reads, by its FROM clauses: as far as its text tells, and no further.

What a view, a function or a trigger reads behind it, no text tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from runbook.sql.tokens import Token, tokenize

_QUERIES = {"SELECT", "WITH", "VALUES", "TABLE"}
_AFTER_FROM = {
    *("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "WINDOW", "QUALIFY"),
    *("UNION", "EXCEPT", "INTERSECT", "MINUS", "FOR", "INTO", "PROCEDURE", "LOCK"),
}
_NO_ALIAS = {
    *("AS", "JOIN", "STRAIGHT_JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "FULL"),
    *("ON", "USING", "USE", "FORCE", "IGNORE", "PARTITION", "TABLESAMPLE", "FOR", "SELECT"),
    *_AFTER_FROM,
}


@dataclass(frozen=True)
class Source:
    """A table that a query reads, and what the query calls it: its own name without an alias."""

    table: str
    alias: str


@dataclass
class _Group:
    """What a parenthesis holds: a query, the tables of a join, or an expression."""

    query: bool = False
    tables: bool = False
    expects: bool = False


def sources(text: str) -> tuple[Source, ...]:
    """Return the tables in a query's FROM clauses, subqueries included, in the order they stand.

    Names are as written, without quotes and without their database; those that
    the query itself defines (WITH), and functions such as JSON_TABLE, are left out.
    """
    tokens = tokenize(text)
    words = [token.word for token in tokens]
    groups = [_Group(query=True)]
    found: list[Source] = []
    for at, token in enumerate(tokens):
        here = groups[-1]
        if token.text == "(":
            inside = words[at + 1] if at + 1 < len(words) else ""
            query = inside in _QUERIES
            join = here.expects and not query
            groups.append(_Group(query=query, tables=join, expects=join))
            here.expects = False
        elif token.text == ")":
            groups.pop() if len(groups) > 1 else None
        elif token.word == "FROM" and here.query:
            here.tables = here.expects = True
        elif here.tables and (token.word in {"JOIN", "STRAIGHT_JOIN"} or token.text == ","):
            here.expects = True
        elif here.query and token.word in _AFTER_FROM:
            here.tables = here.expects = False
        elif here.expects and token.word != "LATERAL" and token.identifier:
            here.expects = False
            source = _source(tokens, at)
            if source:
                found.append(source)
    own = _defined(tokens)
    return tuple(source for source in found if source.table.lower() not in own)


def _source(tokens: list[Token], at: int) -> Source | None:
    """Read the table that begins at a token: `name`, `database.name`, and an alias behind it."""
    name = tokens[at].identifier or ""
    if [token.text for token in tokens[at + 1 : at + 2]] == ["."]:
        at += 2
        name = (tokens[at].identifier if at < len(tokens) else None) or ""
    if [token.word for token in tokens[at + 1 : at + 2]] == ["PARTITION"]:
        depth = tokens[at].depth
        inside = takewhile(lambda token: token.depth > depth or token.text == "(", tokens[at + 2 :])
        at += 2 + len(list(inside))
    after = [*tokens[at + 1 : at + 3], *[Token("end", "", 0, 0)] * 2]
    if after[0].text == "(" or name.upper() == "DUAL":
        return None
    if after[0].word == "AS":
        return Source(name, after[1].identifier or name)
    named = after[0].identifier and after[0].word not in _NO_ALIAS
    return Source(name, (named and after[0].identifier) or name)


def _defined(tokens: list[Token]) -> set[str]:
    """Return the names, in lower case, that stand before `AS (` or `(columns) AS (`."""
    names = set()
    for at in range(1, len(tokens) - 1):
        if tokens[at].word != "AS" or tokens[at + 1].text != "(":
            continue
        before = at - 1
        if tokens[before].text == ")":
            depth = tokens[before].depth
            while before > 0 and not (tokens[before].text == "(" and tokens[before].depth == depth):
                before -= 1
            before -= 1
        if before >= 0 and tokens[before].identifier:
            names.add((tokens[before].identifier or "").lower())
    return names
