"""A phase carried out: look and plan, then preview it, or confirm, lock and execute it."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runbook import approval, counting
from runbook.afterwards import after_error, after_failed_checks
from runbook.brake import Brake
from runbook.database import ledger, lock
from runbook.database.sessions import Session
from runbook.database.settings import writer_session
from runbook.environment import Environment
from runbook.errors import Outcome, Refusal, RunbookError, UsageError
from runbook.events import Looking, Moment, RunFinished, RunStarted, Tell, fan_out, redacting
from runbook.executor import execute
from runbook.gate import Gate
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.run import Run
from runbook.site import Site
from runbook.state import private_folder, tidy
from runbook.steps import Plan, Step
from runbook.telling.console import Console
from runbook.telling.document import Document
from runbook.telling.journal import Journal
from runbook.telling.notices import Notices


@dataclass(frozen=True)
class Phase:
    """A phase as a command: its name, how it looks and plans, and whether it takes the lock.

    `report` phases show every finding: the findings are what was asked for.
    With --json, `lines` phases print events as lines before the document.
    """

    name: str
    prepare: Callable[[Site, Options], Plan]
    locks: bool | Callable[[Options], bool] = True
    report: bool = False
    lines: bool = False

    def takes_lock(self, options: Options) -> bool:
        """Whether the command, as it was typed, is one that changes something."""
        return self.locks if isinstance(self.locks, bool) else self.locks(options)


@dataclass(frozen=True)
class Invocation:
    """One command on one environment."""

    phase: Phase
    options: Options
    site: Site
    console: Console
    document: Document

    def run(self) -> Outcome:
        """Preview or execute, as the options say, and return how it ended.

        Raises:
            RunbookError: a gate said no, or a step could not be done.
        """
        if self.options.dry_run:
            return self._preview()
        if not self.phase.takes_lock(self.options):
            return self._execute(self._look(), lambda: self.site.reader)
        try:
            with self.site.database.writer() as writer:
                lock.take(writer, self.site.environment)
                self.site.ours = writer.id
                return self._execute(self._confirmed(), lambda: writer)
        except RunbookError as error:
            if not error.told and not self.console.interactive:
                notices = Notices(self.site.environment, fan_out((self.document, self.console)))
                notices.refused(self.phase.name, error)
                notices.close()
            raise

    def _preview(self) -> Outcome:
        plan = self._planned()
        environment = self.site.environment
        if self.options.plan is not None:
            book = ledger.read(self.site.reader)
            approval.refuse_another_plan(plan, environment, self.options.plan, book)
        approval.keep_preview(plan, environment)
        if plan.pending and not plan.refusals:
            self.document.next = f"{plan.command} --plan={plan.digest}"
        self.console.preview(plan, environment, full=self.options.full)
        return Outcome.REFUSED if plan.refusals else Outcome.OK

    def _planned(self) -> Plan:
        self.console(Looking(self.site.environment.name))
        environment = self.site.environment
        try:
            plan = self.phase.prepare(self.site, self.options)
        finally:
            self.console.stop()
        typed = f"invoke {plan.phase} --env={environment.name}{self.options.flags}"

        def whole(steps: tuple[Step, ...]) -> Plan:
            notes = (*plan.notes, *self._gate.notes(replace(plan, steps=steps)))
            command = plan.command or typed
            bare = replace(plan, steps=steps, instead=(), command=command, notes=notes)
            return replace(bare, session=writer_session(environment)) if bare.pending else bare

        planned, instead = whole(plan.steps), whole(plan.instead)
        self.document.plan = instead if instead.digest == self.options.plan else planned
        self.document.next = plan.next
        return self.document.plan

    def _look(self) -> Plan:
        """Look and plan, and refuse what may not run."""
        plan = self._planned()
        self.console.findings(plan, everything=self.phase.report)
        approval.refuse_unless_allowed(
            plan,
            self.site.environment,
            self.options,
            lambda: ledger.read(self.site.reader),
            interactive=self.console.interactive,
        )
        self._gate.refuse_outside(plan)
        return plan

    @property
    def _gate(self) -> Gate:
        environment = self.site.environment
        if self.options.remove:  # an undo
            environment = replace(environment, windows=())
        return Gate(environment, self.options.outside_window)

    def _confirmed(self) -> Plan:
        """Return the plan as the operator has confirmed it, still true after the question."""
        environment = self.site.environment
        plan = self._look()
        if not approval.must_ask(plan, environment, self.options):
            return plan
        if not self.console.interactive:
            raise Refusal(
                f"{environment.name} wants to be confirmed, and there is no terminal to ask at",
                advice=f"Preview with {plan.command} --dry-run, then pass --plan=DIGEST.",
            )
        if self.console.question(plan, environment) != environment.name:
            raise Refusal(
                "not confirmed; nothing was changed",
                advice=f"The name is {environment.name}; without a question: {plan.command} "
                f"--plan={plan.digest}",
            )
        if self._look().digest != plan.digest:
            raise Refusal(
                "what was shown is not what would run now: something changed meanwhile",
                advice=f"Look again: {plan.command} --dry-run",
            )
        return plan

    def _execute(self, plan: Plan, write: Callable[[], Session]) -> Outcome:
        if not plan.steps:
            if not self.phase.report:
                self.console.nothing_to_do()
            return Outcome.OK
        environment, began = self.site.environment, time.monotonic()
        identity = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        journal = _journal(environment, identity)
        tidy(journal.path.parent)
        self.document.journal = str(journal.path)
        subscribers = fan_out((journal, self.document, self.console))
        notices = Notices(environment, subscribers)
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
            again = f" --plan={self.options.plan}" if self.options.plan else ""
            self.document.next = f"{plan.command}{again}"
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
            notices.close()
            journal.close()
            if journal.lost:
                self.console.say(f"the journal is not whole: {journal.lost}", "yellow")
        return outcome

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
            gate=self._gate,
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
    """Return who types: the person behind sudo, else the user, else the number."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
