"""What the operator sees of a run, as it goes.

A terminal gets a live line for the step in hand; anything else gets plain
lines. Long steps report every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import TextIOWrapper

from rich.table import Table
from rich.text import Text

from runbook.environment import Environment
from runbook.errors import Outcome, RunbookError
from runbook.events import (
    Alert,
    Event,
    Looking,
    Measured,
    Notified,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
    StepWaiting,
)
from runbook.plan.plan import Level, Plan
from runbook.plan.steps import Follow
from runbook.telling import render
from runbook.telling.live import Bottom
from runbook.telling.terminal import Terminal
from runbook.units import age, size

STYLE = {
    "ok": "green",
    "changed": "yellow",
    "skipped": "dim",
    "pending": "cyan",
    "warning": "yellow",
    "refused": "red",
    "failed": "bold red",
    "unknown": "bold magenta",
    "stopped": "bold magenta",
    "alert": "bold red",
    "over": "green",
    render.CODE: "cyan",
    render.TYPED: "bold",
    render.HEAD: "bold",
}
PLAIN_EVERY, PLAIN_RARELY = 5.0, 600.0
"""Seconds between two plain lines of a long step: the longer it takes, the fewer."""
TAIL = 20
CUT_SHORT = {Outcome.FAILED, Outcome.UNKNOWN, Outcome.STOPPED}


class Console:
    """A subscriber that tells the operator; `quiet` tells nothing (for --json).

    `aside` tells on standard error, where standard output is for something else.
    """

    def __init__(self, *, quiet: bool = False, aside: bool = False) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # an ASCII terminal gets ? for an arrow
        self._rich = Terminal(quiet=quiet, stderr=aside)
        self._text = self._rich.text
        self.asking = False
        self._far = (0, "")
        self._alerted = ""
        self._streamed: deque[str] = deque(maxlen=TAIL)
        self._bottom = Bottom(self._rich)
        self._began = self._told = 0.0
        self._recap: list[StepFinished] = []

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked here."""
        typed = sys.stdin is not None and sys.stdin.isatty()  # None: it was closed (`<&-`)
        return typed and self._rich.is_terminal and not self._rich.quiet

    def hide(self, secrets: Callable[[], Iterable[str]]) -> None:
        """Print `•••` for each of what `secrets` returns, from now on."""
        self._rich.secrets = secrets

    def say(self, text: str, style: str = "") -> None:
        """Print lines."""
        self._rich.print(self._text(text, style))

    def ask(self, question: str) -> str:
        """Ask for one line; an end of input is an empty answer, Ctrl-C a stop."""
        self.asking = True
        try:
            return self._rich.input(self._text(question)).strip()
        except (EOFError, OSError):  # the terminal has gone away
            self.say("")
            return ""
        finally:
            self.asking = False

    def preview(self, plan: Plan, environment: Environment, *, full: bool = False) -> None:
        """Print the preview of a plan; unless `full`, scripts of this program are named only."""
        self._lines(render.preview(plan, environment, full=full))

    def question(self, plan: Plan, environment: Environment) -> str:
        """Show what a person must know to confirm a plan, and return what they type."""
        self._lines(render.question(plan, environment))
        return self.ask(f"\nType {environment.name} to run this plan, anything else to leave: ")

    def findings(self, plan: Plan, *, everything: bool) -> None:
        """Print a plan's findings and notes; unless `everything`, only findings that matter."""
        for finding in render.by_weight(plan.findings):
            if everything or finding.level is not Level.OK:
                word, _, rest = render.finding_line(finding).partition(" ")
                self._word(word, rest.lstrip())
        for note in plan.notes:
            self._word("note", note)
        if everything and not plan.steps:
            counts = {level: sum(f.level is level for f in plan.findings) for level in Level}
            said = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
            self._word(render.by_weight(plan.findings)[-1].level, said)
        if everything and plan.next:
            self._lines([render.next_line(plan)])

    def nothing_to_do(self) -> None:
        """Say that a plan of no steps has come to its end."""
        self._word(Outcome.OK, "nothing to do")

    def error(self, error: RunbookError) -> None:
        """Print what went wrong, the last output there was, and what to do next."""
        self.stop()
        self._quote(error.output[-TAIL:])
        self._word(error.outcome, error.message)
        if error.advice:
            self._word("", error.advice)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Looking():
                self._start(f"looking at {event.what}")
            case RunStarted():
                self.stop()
                self.say(f"{render.head(event.plan)} · run {event.run}", "bold")
            case StepStarted():
                self._streamed.clear()
                self._alerted = ""
                self._start(
                    f"{event.step.phase}  {event.step.where}: {event.step.title}",
                    chart=isinstance(event.step, Follow),
                )
            case StepProgress():
                self._progress(event)
            case StepWaiting():
                self._wait(event.why)
            case StepOutput():
                self._output(event.lines)
            case Alert():
                self._alert(event)
            case Measured():
                self._bottom.add(event)
            case Notified() if event.failure:
                said = f"{event.recipient} was not told of the {event.about}: {event.failure}"
                self._word("warning", said)
            case StepFinished():
                self._finished(event)
            case RunFinished():
                self._ended(event)

    def _lines(self, lines: Iterable[render.Line]) -> None:
        for line in lines:
            if line.style in {render.CODE, render.TYPED}:
                self._rich.print(self._text(line.text, STYLE[line.style], whole=True))
            else:
                style = STYLE.get(line.style, "")
                rest = self._text(line.rest, style if line.style == render.HEAD else "")
                self._beside(self._text(line.lead, style), rest)

    def _start(self, title: str, *, chart: bool = False) -> None:
        self._began = self._told = time.monotonic()
        self._bottom.start(title, chart=chart)

    def stop(self) -> None:
        """End the live line, if there is one."""
        self._bottom.stop()

    def _progress(self, event: StepProgress) -> None:
        note = event.note or (measure(event) if event.done else "")
        if event.done:
            self._far = (event.number, measure(replace(event, eta=None)))
        now = time.monotonic()
        if (
            not self._bottom.note(note)
            and note
            and now - self._told > _plain_every(now - self._began)
        ):
            self._told = now
            self._word("", f"… {note}")

    def _wait(self, why: str) -> None:
        self._word("waiting", why)

    def _output(self, lines: tuple[str, ...]) -> None:
        self._streamed.extend(lines)
        self._quote(lines)

    def _quote(self, lines: Iterable[str]) -> None:
        """Print output of a host."""
        for line in lines:
            self._beside(Text("  | ", "dim"), self._text(line, "dim"))

    def _alert(self, event: Alert) -> None:
        self._alerted = event.detail
        advice = f" → {event.advice}" if event.advice else ""
        word = "over" if event.over else "alert"
        self._word(word, f"{event.at} {event.where}: {event.what}: {event.detail}{advice}")

    def _finished(self, event: StepFinished) -> None:
        self.stop()
        self._recap.append(event)
        step = event.step
        told = self._alerted and event.detail.endswith(self._alerted)  # just now, by its alert
        detail = f" · {event.detail}" if event.detail and not told else ""
        took = f" · {event.seconds:.1f} s" if event.seconds >= 0.1 else ""
        if event.outcome in CUT_SHORT and self._far[0] == event.number:
            took = f" · after {self._far[1]}{took}"
        self._word(event.outcome, f"{step.phase:<9} {step.where}: {step.title}{detail}{took}")
        for line in render.mismatches(event.checks):
            self._word("", line, "red")
        if event.outcome in CUT_SHORT or isinstance(step, Follow):
            self._quote(line for line in event.output[-TAIL:] if line not in self._streamed)

    def _ended(self, event: RunFinished) -> None:
        self.stop()
        counts = {o: sum(e.outcome is o for e in self._recap) for o in Outcome}
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        self._word(event.outcome, f"{said or 'nothing to do'} · {event.seconds:.1f} s")
        shown = self._recap[-1].detail if self._recap else ""
        message = (event.message,) if event.message not in {"", shown} else ()
        for line in (*message, *event.advice.splitlines()):
            self._word("", line)

    def _word(self, word: str, rest: str, style: str = "") -> None:
        self._beside(Text(f"{word:<8} ", STYLE.get(word, "")), self._text(rest, style))

    def _beside(self, lead: Text, rest: Text) -> None:
        """Print a line; on a terminal it wraps between words, beside its lead."""
        if not self._rich.is_terminal or lead.cell_len + rest.cell_len <= self._rich.width:
            for line in rest.split("\n", allow_blank=True):
                self._rich.print(Text.assemble(lead, line))
                lead = Text(" " * len(lead))
            return
        cells = (lead, rest) if lead else (rest,)
        row = Table.grid()
        for cell in cells:
            row.add_column(no_wrap=cell is lead, overflow="fold")
        row.add_row(*cells)
        self._rich.print(row, soft_wrap=False)


def _plain_every(since: float) -> float:
    """Return the seconds between two plain lines of a step that began so many seconds ago."""
    return min(max(PLAIN_EVERY, since / 10), PLAIN_RARELY)


def measure(event: StepProgress) -> str:
    """Return progress in words, such as `120,000 of 200,000 keys, 3 s left`."""
    if event.unit == "bytes":
        done = size(event.done)
    else:
        of = f" of {event.total:,}" if event.total else ""
        done = f"{event.done:,}{of} {event.unit}"
    return f"{done}, {age(event.eta)} left" if event.eta is not None else done
