"""Split the text of an SQL file into statements as the `mysql` client does.

The reference is `mysql --skip-comments` reading from standard input (the
default of MariaDB's client, and of MySQL's before 9): comments never reach the
server, `/*! */` and `/*M! */` do. The text of a statement is what the server
then works on: without the delimiter, and without the space and semicolons
around it, which the client and the server cut off. What the client would do
with text that its author cannot have meant, or what MySQL's and MariaDB's
clients do differently, is an error here. The SQL mode NO_BACKSLASH_ESCAPES is
taken to be off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from runbook.errors import UsageError

_SPACE = " \t\n"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_DELIMITER = re.compile(r"[ \t]*delimiter(?:[ \t]+(\S+)[ \t]*(.*)|[ \t]*)$", re.IGNORECASE)
_MAX_DELIMITER = 15
_WORD = re.compile(r"[A-Za-z0-9_]+")
_IN_QUOTES = re.compile(r"[^'\"`\\]+")
_IN_COMMENT = re.compile(r"[^/*]+")
_DOLLAR_QUOTE = re.compile(r"(?<![\w$])\$\w*\$")
_CLIENT_COMMAND = re.compile(
    r"delimiter|(?:\?|charset|clear|connect|edit|ego|exit|go|help|nopager|notee|nowarning|pager|print"
    r"|prompt|query_attributes|quit|rehash|resetconnection|sandbox|source|ssl_session_data_print"
    r"|status|system|tee|use|warnings)(?=\s|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """One statement of a file, as the server receives it.

    `line` is the 1-based line of its first character that is neither space nor
    comment. `delimiter` is what ends it in the file, so that it can be shown in
    a form that a client accepts.
    """

    text: str
    file: str
    line: int
    delimiter: str = ";"

    @property
    def source(self) -> str:
        """Where it stands, as `migrate/10_table.sql:14`."""
        return f"{self.file}:{self.line}"


def split(text: str, file: str) -> tuple[Statement, ...]:
    """Return the statements of `text` in order; `file` is its name in messages.

    Raises:
        UsageError: a quote or comment that is not closed, a command of the
            client other than DELIMITER, or text of which the clients disagree.
    """
    text = text.removeprefix("\ufeff")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise UsageError(
            f"{file}:{line}: control character {control.group()!r}; "
            "only tab, newline and carriage return with newline belong in an SQL file"
        )
    scanner = _Scanner(file)
    for number, line_text in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        scanner.number = number
        scanner.feed(line_text)
    scanner.finish()
    return tuple(scanner.statements)


@dataclass
class _Scanner:
    """The client's reading loop: one call of `feed` a line, then `finish`.

    Follows `read_and_execute` and `add_line` in the clients' client/mysql.cc.
    `number` is the line in hand, `start` the line of the statement's first
    character, `opened` that of the quote or comment that is open. A comment
    leaves one space where none follows it on its line (`space_due`).
    """

    file: str
    number: int = 0
    start: int = 0
    opened: int = 0
    delimiter: str = ";"
    quote: str = ""
    comment: bool = False
    conditional: bool = False
    space_due: bool = False
    buffer: list[str] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def feed(self, line: str) -> None:
        """Take one line, without its newline."""
        if not self.quote and not self.comment and (command := _DELIMITER.match(line)):
            self.set_delimiter(*command.groups())
            return
        self.space_due = False
        at = 0
        while at < len(line):
            at += self.take_inside(line, at) or self.take_outside(line, at)
        if self.buffer and not self.comment:
            if not self.quote and line[: len("delimiter")].lower() == "delimiter":
                self.fail("the client joins a line that starts with `delimiter` to the next one")
            self.buffer.append("\n")

    def take_inside(self, line: str, at: int) -> int:
        """Take what stands at `at` in a comment or quotes; return how many characters."""
        if self.comment:
            return self.take_comment(line, at)
        return self.take_quoted(line, at) if self.quote else 0

    def take_outside(self, line: str, at: int) -> int:
        """Take what stands at `at` outside comments and quotes; return how many characters."""
        here = line[at]
        if here in _SPACE:
            return self.take_space(here)
        if here == "\\":
            self.fail("backslash commands of the client are not SQL; write the statement out")
        if line.startswith(self.delimiter, at):
            self.end_statement()
            return len(self.delimiter)
        if here == "#" or self.dashes(line, at):
            self.refuse_in_conditional("a comment")
            return len(line) - at
        if line.startswith("/*", at) and not line.startswith(("/*!", "/*M!"), at):
            return self.start_comment(line, at)
        return self.take_plain(line, at)

    def take_comment(self, line: str, at: int) -> int:
        """Pass over what stands at `at` inside a comment; return how many characters."""
        if run := _IN_COMMENT.match(line, at):
            return len(run.group())
        if line.startswith("/*", at):
            self.fail(f"/* inside the comment of line {self.opened}")
        if line.startswith("*/", at):
            self.comment, self.space_due = False, True
            return 2
        return 1

    def take_space(self, here: str) -> int:
        """Take space, but none before a statement; return how many characters."""
        if self.buffer:
            self.buffer.append(here)
            self.space_due = False
        return 1

    def take_quoted(self, line: str, at: int) -> int:
        """Take what stands at `at` inside quotes; return how many characters."""
        if run := _IN_QUOTES.match(line, at):
            self.buffer.append(run.group())
            return len(run.group())
        here = line[at]
        if here == "\\" and not (self.quote == "`" and line[at + 1 : at + 2] == "`"):
            pair = line[at : at + 2]
            if len(pair) == 2:
                self.buffer.append(pair)
            elif self.quote == "`":  # in strings both clients drop it, here only MySQL's
                self.fail("a backslash ends the line inside a quoted name")
            return 2
        self.buffer.append(here)
        if here == self.quote:
            self.quote = ""
        return 1

    def take_plain(self, line: str, at: int) -> int:
        """Take SQL, and the marks that open a quote; return how many characters."""
        here = line[at]
        if not self.buffer:
            self.start = self.number
        if self.space_due and here.isascii():  # the clients forget it before other characters
            self.buffer.append(" ")
            self.space_due = False
        taken = here
        if here in "'\"`":
            self.quote, self.opened = here, self.number
        elif here == "/" and line.startswith("/*", at):
            self.refuse_in_conditional("a conditional comment")
            self.conditional, self.opened = True, self.number
            taken = line[at : line.index("!", at) + 1]
        elif self.conditional and line.startswith("*/", at):
            self.conditional = False
        elif _DOLLAR_QUOTE.match(line, at):
            self.fail("MySQL's client takes $...$ for a quote, MariaDB's does not; leave it out")
        elif (word := _WORD.match(line, at)) and not _WORD.match(self.delimiter):
            taken = word.group()
        self.buffer.append(taken)
        return len(taken)

    def dashes(self, line: str, at: int) -> bool:
        """Whether a `--` comment starts at `at`: space or the line's end follows."""
        if not line.startswith("--", at):
            return False
        if line[at + 2 : at + 3] in ("", *_SPACE):
            return True
        if not self.buffer:
            self.fail("`--` starts a comment only when a space follows it")
        return False

    def start_comment(self, line: str, at: int) -> int:
        """Enter a `/* */` comment; return how many characters that takes."""
        if line.startswith("/*+", at):
            self.fail("MariaDB's client does not send optimizer hints; leave this one out")
        self.refuse_in_conditional("a comment")
        self.comment, self.opened = True, self.number
        return 2

    def set_delimiter(self, new: str | None, rest: str | None) -> None:
        """Carry out a DELIMITER line."""
        if self.buffer:
            self.fail(
                f"DELIMITER inside the statement of line {self.start}; "
                f"is its {self.delimiter} missing?"
            )
        if not new or rest or len(new) > _MAX_DELIMITER or any(bad in new for bad in "\\'\"`"):
            self.fail(
                f"DELIMITER takes one word of at most {_MAX_DELIMITER} characters, "
                "without quotes or backslashes, and nothing after it"
            )
        self.delimiter = new

    def end_statement(self) -> None:
        """Keep the statement in the buffer, unless it is empty."""
        self.refuse_in_conditional(f"the delimiter {self.delimiter}")
        text = "".join(self.buffer).lstrip(_SPACE).rstrip(_SPACE + ";")
        self.buffer.clear()
        if command := _CLIENT_COMMAND.match(text):
            self.number = self.start
            self.fail(f"`{command.group()}` is a command of the mysql client, not SQL")
        if text:
            self.statements.append(Statement(text, self.file, self.start, self.delimiter))

    def finish(self) -> None:
        """Keep a last statement that has no delimiter."""
        if self.quote or self.comment or self.conditional:
            what = f"quote {self.quote}" if self.quote else "comment"
            self.number = self.opened
            self.fail(f"the {what} that starts here is not closed")
        self.end_statement()

    def refuse_in_conditional(self, what: str) -> None:
        """Fail inside `/*! */`, where the client does not see that it is inside one."""
        if self.conditional:
            self.fail(f"{what} inside the conditional comment of line {self.opened}")

    def fail(self, problem: str) -> NoReturn:
        """Raise for the line in hand."""
        raise UsageError(f"{self.file}:{self.number}: {problem}")
