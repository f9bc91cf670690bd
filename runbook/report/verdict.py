"""What a reader must know first: how the run ended, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runbook.report.model import BEGUN, Run, Step
from runbook.units import listed


class Tone(StrEnum):
    """How a verdict weighs."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True)
class Verdict:
    """How a run ended: its weight, the one line, and what explains it."""

    tone: Tone
    headline: str
    lead: str


def verdict(run: Run) -> Verdict:
    """Return the verdict on a run."""
    step = run.bad[-1] if run.bad else None
    at = _at(run, step)
    match run.outcome:
        case "":
            return _without_end(run)
        case "ok" | "changed":
            return _with_alerts(run, _done(run))
        case "failed" if step and step.checks:
            return Verdict(Tone.BAD, *_wrong_checks(run))
        case "failed":
            return Verdict(Tone.BAD, f"Failed{at}", _of(step, run.message))
        case "unknown":
            return Verdict(
                Tone.BAD, f"Not known: the connection went away{at}", _of(step, run.message)
            )
        case "stopped":
            return Verdict(Tone.OPEN, f"Stopped{at}", _of(step, run.message))
        case other:
            return Verdict(Tone.BAD, f"Ended: {other}{at}", _of(step, run.message))


def what_next(run: Run) -> tuple[str, ...]:
    """Return what the run advised at its end or, where it told none, how to go on."""
    if run.outcome or not run.environment:
        return run.advice
    resume = (f"Resume, once it is not running: {run.command}",) if run.command else ()
    return (f"Where it stands: invoke status --env={run.environment}", *resume)


def _without_end(run: Run) -> Verdict:
    if not run.steps and not run.id:
        return Verdict(Tone.OPEN, "Nothing readable is in this journal", "")
    step = next((s for s in run.steps if s.outcome == BEGUN), None)
    until = f"Nothing is written after {run.last:%Y-%m-%d %H:%M:%S} UTC. " if run.last else ""
    lead = f"{until}It is still going on, or was killed."
    return Verdict(Tone.OPEN, f"No end is written: {_reached(run, step)}", lead)


def _reached(run: Run, step: Step | None) -> str:
    if step:
        how_far = f", {step.progress}" if step.progress else ""
        return f"in step {step.number}{run.of}{how_far}"
    ended = [s for s in run.steps if s.ended]
    return f"after step {ended[-1].number}{run.of}" if ended else "no step had begun"


def _done(run: Run) -> str:
    changed = sum(step.outcome == "changed" for step in run.steps)
    checks = [check for _, check in run.checks]
    said = []
    if changed:
        said.append(f"{changed} {'step' if changed == 1 else 'steps'} changed something")
    if checks:
        each = "all checks hold" if len(checks) > 1 else "its check holds"
        said.append(f"{each} ({len(checks)})" if len(checks) > 1 else each)
    if not said:
        return "Nothing to do: all was so already"
    return f"Done: {', '.join(said)}"


def _with_alerts(run: Run, headline: str) -> Verdict:
    """Return the verdict on a run that ended well, but for what was not over at its end."""
    still = {(alert.where, alert.what): alert for alert in run.alerts}
    going_on = [f"{a.where}: {a.what}: {a.detail}" for a in still.values() if not a.over]
    if not going_on:
        return Verdict(Tone.GOOD, headline, "")
    count = f"{len(going_on)} {'alert is' if len(going_on) == 1 else 'alerts are'} not over"
    return Verdict(Tone.OPEN, f"{headline}; {count}", "\n".join(going_on))


def _wrong_checks(run: Run) -> tuple[str, str]:
    """Return how many checks do not hold, and which."""
    wrong = tuple(check.name for _, check in run.checks if not check.holds)
    noun = "check" if len(run.checks) == 1 else "checks"
    verb = "does" if len(wrong) == 1 else "do"
    return f"Failed: {len(wrong)} of {len(run.checks)} {noun} {verb} not hold", listed(wrong)


def _at(run: Run, step: Step | None) -> str:
    return f" at step {step.number}{run.of}" if step else ""


def _of(step: Step | None, message: str = "") -> str:
    """Name the step, and say what ended it."""
    message = message or (step.detail if step else "")
    named = f"{step.where}: {step.title}" if step else ""
    return "\n".join(filter(None, (named, message)))
