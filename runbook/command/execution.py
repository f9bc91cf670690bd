"""A plan executed: journalled, told to everybody who listens, and recorded however it ends."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.command import approval, counting
from runbook.command.afterwards import after_error, after_failed_checks, resuming
from runbook.command.executor import execute
from runbook.database import ledger
from runbook.database.sessions import Session
from runbook.environment import Environment
from runbook.errors import Outcome, RunbookError, UsageError
from runbook.events import Moment, RunFinished, RunStarted, Tell, fan_out, redacting
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.perform.brake import Brake
from runbook.perform.run import Run
from runbook.plan.gate import Gate
from runbook.plan.plan import Plan
from runbook.site import Site
from runbook.state import private_folder, tidy
from runbook.telling.console import Console
from runbook.telling.document import Document
from runbook.telling.journal import Journal
from runbook.telling.notices import Notices
from runbook.visible import in_one_line


@dataclass(frozen=True)
class Execution:
    """How a command executes its plan: on which site, by which gate, and who is told.

    What may take its time at the end is left to `later`, which is closed when
    the lock was given back.
    """

    options: Options
    site: Site
    console: Console
    document: Document
    gate: Gate
    later: contextlib.ExitStack

    def run(self, plan: Plan, write: Callable[[], Session]) -> Outcome:
        """Execute the plan and return how it ended; `write` gives the session that writes.

        Raises:
            RunbookError: a step could not be done; the operator was told.
        """
        environment, began = self.site.environment, time.monotonic()
        identity = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        journal = _journal(environment, identity)
        self.later.callback(self._close, journal)
        tidy(journal.path, dated=True)
        self.document.journal = str(journal.path)
        subscribers = fan_out((journal, self.document, self.console))
        notices = Notices(environment, subscribers)
        self.later.callback(notices.close)
        tell = redacting(fan_out((subscribers, notices)), lambda: self.site.password.known)
        run = self._open(plan, write, identity, tell)
        recorded = plan.recorded
        who, where, now = _operator(), socket.gethostname(), datetime.now(UTC).isoformat()
        how = approval.confirmed(plan, environment, self.options)
        with _journalled(environment):
            run.tell(RunStarted(identity, plan, plan.digest, who, where, now, how))
        outcome, message, advice = Outcome.FAILED, "", ""
        try:
            with run.brake.on_signals(self.console.say, lambda: self.console.asking):
                self._count(plan, run, Moment.BEFORE)
                if recorded:
                    run.ledger.open(" ".join(step.digest for step in plan.steps))
                outcome = execute(plan, run)
            if outcome is Outcome.FAILED:
                advice = after_failed_checks(plan, self.document.steps)
        except RunbookError as error:
            self.document.next = resuming(plan, self.document.steps, self.options.plan)
            outcome, message = error.outcome, error.message
            advice = after_error(plan, self.document.steps, error, self.document.next)
            error.told = True
            raise
        finally:
            with contextlib.suppress(RunbookError):
                run.ledger.close(outcome)
            if outcome is not Outcome.UNKNOWN:
                self._count(plan, run, Moment.AFTER)
            took = time.monotonic() - began
            run.tell(RunFinished(identity, outcome, took, message, advice))
        return outcome

    def _close(self, journal: Journal) -> None:
        journal.close()
        if journal.lost:
            self.console.say(f"the journal is not whole: {journal.lost}", "yellow")

    def _count(self, plan: Plan, run: Run, moment: Moment) -> None:
        """Tell the rows of the tables that the plan changes; a run never fails of it."""
        if names := counting.tables(plan):
            with contextlib.suppress(RunbookError):
                run.tell(counting.count(run.reader, moment, names))

    def _open(self, plan: Plan, write: Callable[[], Session], identity: str, tell: Tell) -> Run:
        environment = self.site.environment
        common = {
            "run": identity,
            "phase": plan.phase,
            "change": plan.change,
            "plan": self.options.plan or plan.digest,
            "operator": _operator(),
            "host": socket.gethostname(),
        }
        return Run(
            id=identity,
            environment=environment,
            hosts=self.site.hosts,
            database=self.site.database,
            write=write,
            read=lambda: self.site.reader,
            ledger=ledger.Ledger(write, common),
            credentials=lambda: client_options(environment, self.site.password()),
            brake=Brake(),
            tell=tell,
            ask=self._asked,
            gate=self.gate,
        )

    def _asked(self, question: str) -> str:
        """Return what the operator answers to a step's question."""
        self.console.stop()
        return self.console.ask(f"{question} ")


def _journal(environment: Environment, identity: str) -> Journal:
    with _journalled(environment):
        return Journal(private_folder(environment.state, environment.name, "journal"), identity)


@contextlib.contextmanager
def _journalled(environment: Environment) -> Iterator[None]:
    """Raise UsageError where the journal cannot be begun, before anything is touched."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the journal cannot be written: {error}",
            advice=f"Make room in {environment.state} and make it writable, or name another "
            "folder in `state`.",
        ) from error


def _operator() -> str:
    """Return who types: the person behind sudo, else the user, else the number.

    Both names are what the environment says, which anybody may set to anything.
    """
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return in_one_line(name)[: ledger.LONGEST_OPERATOR]
