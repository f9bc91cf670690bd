"""What a file's guards choose on this server now, without changing anything.

A file of `sql/` decides by itself what is still to do: it sets a variable to a
text, PREPAREs and EXECUTEs it. Here the file is run in a session that the
server keeps read-only; its reads run, and at each EXECUTE the chosen text is
taken instead of run (sql/README.md has the protocol).
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.change import SqlFile
from runbook.database import Session, SqlError, as_text
from runbook.errors import Refusal, StepFailed
from runbook.sqltext import (
    Assign,
    Deallocate,
    Execute,
    Prepare,
    is_read,
    leading_keywords,
    recognise,
)
from runbook.statements import Statement

NOTHING = "do 0"
REFUSED = "refused:"


@dataclass(frozen=True)
class Choice:
    """One change (or read, see `choose`) that a file asks for, on this server now.

    `statement` is where it is decided, `text` what would be sent, `found` the
    state the guard saw, `about` what it is about in words. `done`: nothing to
    do. `refused`: what is there is not what the change wants, and nobody has
    decided what that means.
    """

    statement: Statement
    text: str
    found: str = ""
    about: str = ""
    done: bool = False
    refused: str = ""

    @property
    def origin(self) -> str:
        """Where it stands, as `file:line`."""
        return f"{self.statement.file}:{self.statement.line}"


def choose(session: Session, file: SqlFile, *, take_reads: bool = False) -> tuple[Choice, ...]:
    """Evaluate a file's guards on a read-only session and return what it asks for, in order.

    With `take_reads` its SELECTs are what is asked for (export files);
    otherwise they only run.

    Raises:
        StepFailed: a guard itself fails, with file and line.
    """
    choices: list[Choice] = []
    assigned: dict[str, Statement] = {}
    prepared: dict[str, Choice] = {}
    for statement in file.statements:
        where = f"{statement.file}:{statement.line}"
        try:
            match recognise(statement.text):
                case Assign(variables) if is_read(statement.text):
                    session.execute(statement.text)
                    assigned |= dict.fromkeys(variables, statement)
                case Prepare(name, variable):
                    guard = assigned.get(variable, statement)
                    prepared[name] = _prepared(session, guard, variable)
                case Execute(name):
                    choices += _executed(session, _known(prepared, name, where), take_reads)
                case Deallocate():
                    pass
                case _ if _is_select(statement.text) and take_reads:
                    choices.append(Choice(statement, statement.text))
                case _ if is_read(statement.text):
                    session.execute(statement.text)
                case _:
                    choices.append(Choice(statement, statement.text))
        except SqlError as error:
            raise StepFailed(
                f"{where}: {error.message}", advice="The guard itself fails: mend the file."
            ) from error
    return tuple(choices)


def _prepared(session: Session, statement: Statement, variable: str) -> Choice:
    text, *told = session.rows(f"SELECT @{variable}, @found, @object")[0]
    session.execute("SET @found = NULL, @object = NULL")
    found, about = (as_text(value) for value in told)
    if text is None:
        raise StepFailed(
            f"{statement.file}:{statement.line}: @{variable} is NULL",
            advice="Its guard chose nothing: each case must yield a text.",
        )
    chosen = as_text(text).strip()
    if chosen.lower().startswith(REFUSED):
        return Choice(statement, chosen, found, about, refused=chosen[len(REFUSED) :].strip())
    return Choice(statement, chosen, found, about, done=chosen.lower() == NOTHING)


def _executed(session: Session, choice: Choice, take_reads: bool) -> tuple[Choice, ...]:
    reads = not choice.done and not choice.refused and is_read(choice.text)
    if reads and not take_reads:
        session.execute(choice.text)
        return ()
    return (choice,)


def _known(prepared: dict[str, Choice], name: str, where: str) -> Choice:
    if name not in prepared:
        raise Refusal(f"{where}: EXECUTE {name}, but nothing of that name was prepared above")
    return prepared[name]


def _is_select(text: str) -> bool:
    return leading_keywords(text)[:1] in {("SELECT",), ("WITH",)} and is_read(text)
