"""A phase carried out: look and plan, then preview it, or confirm, lock and execute it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from runbook.command import approval
from runbook.command.execution import Execution
from runbook.database import lock
from runbook.database.book import read_book
from runbook.database.sessions import Session
from runbook.database.settings import writer_session
from runbook.errors import Outcome, Refusal, RunbookError
from runbook.events import Looking, fan_out
from runbook.options import Options
from runbook.plan.gate import Gate
from runbook.plan.plan import Plan
from runbook.plan.steps import Step
from runbook.site import Site
from runbook.telling import notices
from runbook.telling.console import Console
from runbook.telling.document import Document


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
        with ExitStack() as later:
            return self._run(later)

    def _run(self, later: ExitStack) -> Outcome:
        """Look, confirm, lock and execute; `later` is closed when the lock was given back."""
        environment, locks = self.site.environment, self.phase.takes_lock(self.options)
        try:
            approval.refuse_forbidden(environment, self.phase.name)
            if not locks:
                return self._execute(self._look(), lambda: self.site.reader, later)
            with self.site.database.writer() as writer:
                lock.take(writer, environment)
                self.site.ours = writer.id
                return self._execute(self._confirmed(writer), lambda: writer, later)
        except RunbookError as error:
            if locks and not error.told and not self.console.interactive:
                told = notices.Notices(environment, fan_out((self.document, self.console)))
                told.refused(self.phase.name, error, self.site.password.known)
                told.close()
            raise

    def _preview(self) -> Outcome:
        plan = self._planned()
        environment = self.site.environment
        if self.options.plan is not None:
            book = read_book(self.site.reader)
            approval.refuse_another_plan(plan, environment, self.options.plan, book)
        approval.keep_preview(plan, environment, self.site.password.known)
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
            bare = replace(plan, steps=steps, instead=(), command=plan.command or typed)
            more = (*self._gate.notes(bare), *notices.notes(environment, bare))
            bare = replace(bare, notes=(*plan.notes, *more))
            return replace(bare, session=writer_session(environment)) if bare.pending else bare

        planned, *instead = map(whole, (plan.steps, *plan.instead))
        approved = (other for other in instead if other.digest == self.options.plan)
        self.document.plan = next(approved, planned)
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
            lambda: read_book(self.site.reader),
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

    def _confirmed(self, writer: Session) -> Plan:
        """Return the plan as the operator has confirmed it, still true after the question.

        While nobody has answered, nothing is held: others may work here meanwhile.
        """
        environment = self.site.environment
        plan = self._look()
        if not approval.must_ask(plan, environment, self.options):
            return plan
        if not self.console.interactive:
            raise Refusal(
                f"{environment.name} wants to be confirmed, and there is no terminal to ask at",
                advice=f"Preview with {plan.command} --dry-run, then pass --plan=DIGEST.",
            )
        lock.give_back(writer, environment)
        answer = self.console.question(plan, environment)
        if answer != environment.name:
            raise Refusal(
                "not confirmed; nothing was changed",
                advice=f"The name is {environment.name}; without a question: {plan.command} "
                f"--plan={plan.digest}",
            )
        lock.take(writer, environment)
        if self._look().digest != plan.digest:
            raise Refusal(
                "what was shown is not what would run now: something changed meanwhile",
                advice=f"Look again: {plan.command} --dry-run",
            )
        return plan

    def _execute(self, plan: Plan, write: Callable[[], Session], later: ExitStack) -> Outcome:
        if plan.steps:
            execution = Execution(
                self.options, self.site, self.console, self.document, self._gate, later
            )
            return execution.run(plan, write)
        if not self.phase.report:
            self.console.nothing_to_do()
        return Outcome.OK
