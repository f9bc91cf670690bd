"""What a file's guards choose on this server now, without changing anything.

A file of `sql/` decides by itself what is still to do: it sets a variable to a
text, PREPAREs and EXECUTEs it. Here the file is run in a session that the
server keeps read-only; its reads run, and at each EXECUTE the chosen text is
taken instead of run (sql/README.md has the protocol).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.database.sessions import LockWait, Session, SqlError, as_text
from runbook.errors import Refusal
from runbook.sql.change import SqlFile
from runbook.sql.statements import Statement
from runbook.sql.text import (
    Assign,
    Deallocate,
    Execute,
    Prepare,
    is_read,
    leading_keywords,
    recognise,
    user_variables,
)

CHUNK = frozenset({"chunk_from", "chunk_to"})
CHANGES = frozenset(
    {"ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "INSERT", "REPLACE", "UPDATE", "DELETE"}
)
NOTHING = "do 0"
NOT_NEEDED = "do 1"
STAYS = "stays:"
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
        return self.statement.source


def choose(session: Session, file: SqlFile, *, take_reads: bool = False) -> tuple[Choice, ...]:
    """Evaluate a file's guards on a read-only session and return what it asks for, in order.

    With `take_reads` its SELECTs are what is asked for (export files);
    otherwise they only run. A guard that stands right before a statement which
    cannot be prepared (such as DROP TRIGGER on MySQL) is that statement's.

    Raises:
        Refusal: a guard itself fails, with file and line.
    """
    choices: list[Choice] = []
    assigned: dict[str, Statement] = {}
    prepared: dict[str, Choice] = {}
    guard: Choice | None = None
    for statement in file.statements:
        try:
            said = recognise(statement.text)
            if guard and not isinstance(said, Deallocate):
                choices += _executed(session, guard, statement, take_reads)
                guard = None
            match said:
                case Assign(variables) if is_read(statement.text):
                    session.execute(statement.text)
                    assigned |= dict.fromkeys(variables, statement)
                case Prepare(name, variable):
                    decided = assigned.get(variable, statement)
                    prepared[name] = _prepared(session, decided, variable)
                case Execute(_, using) if using:
                    raise Refusal(
                        f"{statement.source}: EXECUTE … USING cannot be shown beforehand",
                        advice="Put the values into the text with CONCAT and QUOTE.",
                    )
                case Execute(name):
                    guard = _known(prepared, name, statement)
                case Deallocate():
                    pass
                case _ if _is_select(statement.text) and take_reads:
                    choices.append(Choice(statement, statement.text))
                case _ if is_read(statement.text) and not (take_reads and _shows(statement.text)):
                    session.execute(statement.text)
                case _ if not choices or choices[-1].statement is not statement:
                    choices.append(Choice(statement, statement.text, *_told(session)))
        except LockWait as error:
            raise Refusal(
                f"{statement.source}: a table that it reads is locked by somebody",
                advice="invoke preflight names who; look again when that session has ended.",
            ) from error
        except SqlError as error:
            raise Refusal(
                f"{statement.source}: {error.message}",
                advice=error.advice or "The guard itself fails: mend the file.",
            ) from error
    if guard:
        choices += _executed(session, guard, None, take_reads)
    for choice in choices:
        _check(choice, take_reads)
    return tuple(choices)


def _prepared(session: Session, statement: Statement, variable: str) -> Choice:
    text = session.value(f"SELECT @{variable}")
    found, about = _told(session)
    if text is None:
        raise Refusal(
            f"{statement.source}: @{variable} is NULL",
            advice="Its guard chose nothing: each case must yield a text.",
        )
    chosen = as_text(text).strip()
    if chosen.lower().startswith(REFUSED):
        return Choice(statement, chosen, found, about, refused=chosen[len(REFUSED) :].strip())
    return Choice(statement, chosen, found, about, done=chosen.lower() == NOTHING)


def _told(session: Session) -> tuple[str, str]:
    """Return what the file has said for people since it was last asked: state found, object."""
    found, about = session.rows("SELECT @found, @object")[0]
    session.execute("SET @found = NULL, @object = NULL")
    return as_text(found), as_text(about)


def _check(choice: Choice, take_reads: bool) -> None:
    """Fail for a text that would not do over there what it does in the file.

    It is sent alone, on another session than the guards: that session knows
    none of their variables, and its settings and transactions are the program's.
    """
    if choice.done or choice.refused:
        return
    kind = (leading_keywords(choice.text) or ("nothing",))[0]
    if take_reads and kind in {"SELECT", "WITH"} and not is_read(choice.text):
        problem = "an export only reads, and this one locks rows, takes a lock or writes a file"
    elif take_reads and not _is_select(choice.text):
        problem = f"an export is a SELECT, not {kind}"
    elif not take_reads and kind not in CHANGES:
        problem = f"{kind} is no change of schema or rows that can stand in a plan"
    elif foreign := user_variables(choice.text) - CHUNK:
        problem = f"it needs @{min(foreign)}, which only this file's own session knows"
    else:
        return
    raise Refusal(f"{choice.origin}: {problem}", advice="sql/README.md says what a file may do.")


def _executed(
    session: Session, guard: Choice, following: Statement | None, take_reads: bool
) -> tuple[Choice, ...]:
    """Return what an EXECUTE asks for, given the statement that follows it."""
    if following and recognise(following.text) is None and not is_read(following.text):
        said = guard.text.lower()
        if not guard.refused and said not in {NOTHING, NOT_NEEDED} and not said.startswith(STAYS):
            raise Refusal(
                f"{following.source}: stands right behind a guard that chose a statement itself",
                advice="Put a SET between them, or let the guard say DO 0, DO 1 or stays: …",
            )
        done = said != NOTHING and not guard.refused
        return (replace(guard, statement=following, text=following.text, done=done),)
    reads = not guard.done and not guard.refused and is_read(guard.text)
    if reads and not take_reads:
        session.execute(guard.text)
        return ()
    return (guard,)


def _known(prepared: dict[str, Choice], name: str, statement: Statement) -> Choice:
    if name not in prepared:
        raise Refusal(
            f"{statement.source}: EXECUTE {name}, but nothing of that name was prepared above"
        )
    return prepared[name]


def _shows(text: str) -> bool:
    """Whether a read has rows to show: in an export nobody would see them."""
    return leading_keywords(text)[:1] in {("SHOW",), ("VALUES",), ("TABLE",)}


def _is_select(text: str) -> bool:
    return leading_keywords(text)[:1] in {("SELECT",), ("WITH",)} and is_read(text)
