"""What a single SQL statement says about itself, read from its tokens.

Not a parser: enough to know what a statement is about and whether it only
reads. Quotes and comments never mislead it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from runbook.sql.tokens import Token, tokenize

_STATEMENT_WORD = re.compile(
    "ALTER|BEGIN|CALL|COMMIT|CREATE|DATABASE|DEALLOCATE|DEFINER|DELETE|DESC|DESCRIBE|DO|DROP|EVENT"
    "|EXECUTE|EXISTS|EXPLAIN|FROM|FULLTEXT|FUNCTION|GRANT|IF|IGNORE|INDEX|INSERT|INTO|KILL|LOAD|LOCK"
    "|NOT|OPTIMIZE|OR|PREPARE|PROCEDURE|RENAME|REPLACE|REVOKE|ROLLBACK|SELECT|SET|SHOW|SPATIAL"
    "|START|TABLE|TEMPORARY|TRANSACTION|TRIGGER|TRUNCATE|UNIQUE|UNLOCK|UPDATE|USE|VALUES|VIEW|WITH"
)
_BEFORE_TABLE = re.compile(
    "ALTER (?:ONLINE |OFFLINE |IGNORE )*TABLE (?:IF EXISTS )?"
    "|CREATE (?:OR REPLACE )?(?:TEMPORARY )?TABLE (?:IF NOT EXISTS )?"
    "|CREATE (?:OR REPLACE )?(?:ONLINE |OFFLINE |UNIQUE |FULLTEXT |SPATIAL )*INDEX (?:\\S+ )*?ON "
    "|CREATE (?:OR REPLACE )?(?:DEFINER (?:\\S+ )+?)?TRIGGER (?:\\S+ )*?ON "
    "|DROP (?:TEMPORARY )?TABLE (?:IF EXISTS )?"
    "|DROP (?:ONLINE |OFFLINE )*INDEX (?:\\S+ )*?ON "
    "|TRUNCATE (?:TABLE )?"
    "|UPDATE (?:LOW_PRIORITY |IGNORE )*"
    "|DELETE (?:LOW_PRIORITY |QUICK |IGNORE )*FROM "
    "|(?:INSERT|REPLACE) (?:LOW_PRIORITY |DELAYED |HIGH_PRIORITY |IGNORE )*(?:INTO )?"
)
_QUERIES = frozenset({"SELECT", "VALUES", "TABLE"})
_WRITES = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE"})
_ACTING_FUNCTIONS = frozenset(
    {"GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "NEXTVAL", "SETVAL"}
)
_ACTING_PHRASES = (
    ("INTO", "OUTFILE"),
    ("INTO", "DUMPFILE"),
    ("FOR", "UPDATE"),
    ("FOR", "SHARE"),
    ("IN", "SHARE", "MODE"),
    ("NEXT", "VALUE", "FOR"),
)


@dataclass(frozen=True)
class Prepare:
    """`PREPARE name FROM @variable`."""

    name: str
    variable: str


@dataclass(frozen=True)
class Execute:
    """`EXECUTE name`, with the variables after USING."""

    name: str
    using: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deallocate:
    """`DEALLOCATE PREPARE name` or `DROP PREPARE name`."""

    name: str


@dataclass(frozen=True)
class Assign:
    """`SET @a = …, @b = …`: the user variables that are set, and nothing else."""

    variables: tuple[str, ...]


def recognise(text: str) -> Prepare | Execute | Deallocate | Assign | None:
    """Return what a statement of the guard protocol says, or None for any other.

    Names of variables come without `@`, in lower case: they are case-insensitive.
    """
    tokens = tokenize(text)
    match [token.word for token in tokens[:1]]:
        case ["SET"]:
            variables = _assigned(tokens[1:])
            return Assign(variables) if variables else None
        case ["PREPARE"] if len(tokens) == 4 and tokens[2].word == "FROM":
            name, variable = tokens[1].identifier, tokens[3].variable
            return Prepare(name, variable) if name and variable else None
        case ["EXECUTE"] if len(tokens) > 1 and (name := tokens[1].identifier):
            using = tuple(token.variable or "" for token in tokens[3::2])
            if len(tokens) == 2 or (tokens[2].word == "USING" and using and all(using)):
                return Execute(name, using)
        case ["DEALLOCATE" | "DROP"] if len(tokens) == 3 and tokens[1].word == "PREPARE":
            return Deallocate(tokens[2].identifier or "")
    return None


def leading_keywords(text: str) -> tuple[str, ...]:
    """Return the keywords a statement begins with, such as ("ALTER", "TABLE"), in capitals."""
    words = []
    for token in tokenize(text):
        if not _STATEMENT_WORD.fullmatch(token.word):
            break
        words.append(token.word)
    return tuple(words)


def is_read(text: str) -> bool:
    """Whether a statement changes nothing outside its session, as far as its text tells.

    SELECT, VALUES, WITH, SHOW, DO, and SET of user variables. Not a read is what
    locks rows, writes a file, or takes or gives back a named lock. What it calls
    is not known, so this is no replacement for a read-only transaction.
    """
    tokens = tokenize(text)
    while tokens and tokens[0].text == "(":
        tokens = tokens[1:]
    words = [token.word for token in tokens]
    if not tokens or _acts(tokens, words):
        return False
    match words[0]:
        case "SET":
            return bool(_assigned(tokens[1:]))
        case "WITH":
            main = (t.word for t in tokens if t.depth == 0 and t.word in _QUERIES | _WRITES)
            return next(main, "") in _QUERIES
        case first:
            return first in _QUERIES or first in {"SHOW", "DO"}


def target(text: str) -> str | None:
    """Return the one table that a statement is about, without quotes.

    For ALTER, CREATE, DROP and TRUNCATE TABLE, CREATE and DROP INDEX, CREATE
    TRIGGER, UPDATE, DELETE, INSERT and REPLACE. None for anything else, for
    several tables, and for a table of a database that the statement names.
    """
    tokens = tokenize(text)
    before = _BEFORE_TABLE.match("".join(f"{token.word or '?'} " for token in tokens))
    if before is None:
        return None
    found, rest = tokens[(at := before.group().count(" ")) : at + 1], tokens[at + 1 :]
    if not found or (rest and rest[0].text in {",", "."}):
        return None
    if tokens[0].word in {"UPDATE", "DELETE"}:
        clauses = {"SET", "WHERE", "ORDER", "LIMIT", "RETURNING"}
        aliases = list(takewhile(lambda token: token.word not in clauses, rest))
        if len(aliases) > 2 or any(token.text == "," for token in aliases):
            return None
    return found[0].identifier


def makes_empty_table(text: str) -> bool:
    """Whether a statement is a CREATE TABLE that fills it with nothing."""
    fills = any(token.word == "SELECT" for token in tokenize(text))
    return leading_keywords(text)[:2] == ("CREATE", "TABLE") and not fills


def trigger(text: str) -> str | None:
    """Return the trigger that a CREATE or DROP TRIGGER is about, without quotes."""
    tokens = tokenize(text)
    words = [token.word for token in tokens]
    if words[:1] not in (["CREATE"], ["DROP"]) or "TRIGGER" not in words:
        return None
    rest = tokens[words.index("TRIGGER") + 1 :]
    named = [token for token in rest if token.word not in {"IF", "NOT", "EXISTS"}]
    return named[0].identifier if named else None


def where_clause(text: str) -> str | None:
    """Return the condition of an UPDATE or DELETE: after WHERE, before ORDER BY or LIMIT."""
    tokens = tokenize(text)
    if not tokens or tokens[0].word not in {"UPDATE", "DELETE"}:
        return None
    top = [token for token in tokens if token.depth == 0]
    start = next((token.start + len(token.text) for token in top if token.word == "WHERE"), None)
    if start is None:
        return None
    ends = {"ORDER", "LIMIT", "RETURNING"}
    end = next((t.start for t in top if t.start > start and t.word in ends), None)
    return text[start:end].strip()


def user_variables(text: str) -> frozenset[str]:
    """Return the user variables that stand in the text, in lower case, without `@`."""
    return frozenset(token.variable for token in tokenize(text) if token.variable)


def mentions_variable(text: str, name: str) -> bool:
    """Whether the user variable `@name` stands in the text, outside quotes and comments."""
    return any(token.variable == name.lower() for token in tokenize(text))


def algorithm(text: str) -> str | None:
    """Return the ALGORITHM that an ALTER TABLE, CREATE or DROP INDEX names, in capitals."""
    return _option(text, "ALGORITHM")


def lock(text: str) -> str | None:
    """Return the LOCK that an ALTER TABLE, CREATE or DROP INDEX names, in capitals."""
    return _option(text, "LOCK")


def added_index(text: str) -> tuple[str, str] | None:
    """Return name and first column of the index that an ALTER TABLE or CREATE INDEX adds."""
    tokens = tokenize(text)
    for at, token in enumerate(tokens[:-3]):
        name, opening, column = tokens[at + 1 : at + 4]
        if token.word in {"INDEX", "KEY"} and opening.text == "(":
            return name.identifier or "", column.identifier or ""
        if token.word in {"INDEX", "KEY"} and opening.word == "ON":
            columns = [t for t in tokens[at + 3 :] if t.depth > token.depth]
            return name.identifier or "", (columns[0].identifier or "") if columns else ""
    return None


def quote_name(name: str) -> str:
    """Return an identifier in backticks.

    Raises:
        ValueError: a name that neither server can hold: empty, or with a NUL.
    """
    if not name or "\0" in name:
        raise ValueError(f"not a name: {name!r}")
    return "`" + name.replace("`", "``") + "`"


def quote_string(value: str) -> str:
    """Return a string as an SQL literal that means the same in every SQL mode.

    A backslash means one thing or another by NO_BACKSLASH_ESCAPES, and the
    client trips over a NUL, so such a string is written in hexadecimal.
    """
    if "\\" in value or "\0" in value:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    return "'" + value.replace("'", "''") + "'"


def _acts(tokens: Sequence[Token], words: Sequence[str]) -> bool:
    """Whether a statement does more than read, whatever it begins with."""
    last = len(tokens) - 1
    for at, token in enumerate(tokens):
        if token.text == ";" and at != last:
            return True
        if token.kind == "symbol" and token.text in "'\"`":  # a quote that is not closed
            return True
        if token.word in _ACTING_FUNCTIONS and at != last and tokens[at + 1].text == "(":
            return True
    return any(
        tuple(words[at : at + len(phrase)]) == phrase
        for phrase in _ACTING_PHRASES
        for at in range(len(words))
    )


def _assigned(tokens: Iterable[Token]) -> tuple[str, ...]:
    """Return the variables of `@a = …, @b = …`, or nothing if it sets anything else."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == "," and token.depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    variables = tuple(
        part[0].variable or "" if len(part) > 2 and part[1].text in {"=", ":="} else ""
        for part in parts
    )
    return variables if all(variables) else ()


def _option(text: str, option: str) -> str | None:
    tokens = tokenize(text)
    if leading_keywords(text)[:1] not in {("ALTER",), ("CREATE",), ("DROP",)}:
        return None
    for at, token in enumerate(tokens):
        if token.word == option and token.depth == 0:
            rest = [t for t in tokens[at + 1 : at + 3] if t.text != "="]
            return rest[0].word or None if rest else None
    return None
