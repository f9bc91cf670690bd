"""Whether a plan may run: the policy's confirmation, and `--plan=DIGEST`."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from runbook.command.afterwards import DONE, following
from runbook.database.book import Book, RunEntry
from runbook.environment import Confirm, Environment
from runbook.errors import Refusal, UsageError
from runbook.events import redact
from runbook.options import Options
from runbook.plan.plan import Plan
from runbook.plan.statements import Record
from runbook.plan.steps import Ask, Skip, Step
from runbook.state import private_folder, tidy
from runbook.telling import render


def refuse_unless_allowed(
    plan: Plan,
    environment: Environment,
    options: Options,
    book: Callable[[], Book],
    *,
    interactive: bool,
) -> None:
    """Raise Refusal for a plan that its findings, the policy or `--plan` forbid.

    So is one that asks, where nobody can be asked (not `interactive`).

    A plan whose digest differs from `--plan` is still let through when it is
    what is left of that very plan, cut off in an earlier run.
    """
    doing = (step for step in plan.steps if not step.done and not isinstance(step, Skip))
    refuse_forbidden(environment, plan.phase, *(step.phase for step in doing))
    if plan.refusals:
        count = len(plan.refusals)
        raise Refusal(
            f"{count} {'check forbids' if count == 1 else 'checks forbid'} this run",
            advice="Each refused line above says what would satisfy it.",
        )
    asking = [step.title for step in plan.steps if isinstance(step, Ask) and not step.answer]
    if asking and not interactive:
        raise Refusal(
            f"{', '.join(asking)}: there is no terminal to ask at",
            advice="Answer beforehand: " + " ".join(f'--answer="{name}: …"' for name in asking),
        )
    if options.plan is not None:
        refuse_another_plan(plan, environment, options.plan, book())
    elif plan.pending and environment.policy.confirm is Confirm.PLAN:
        raise Refusal(
            f"{environment.name} runs only a plan that was previewed",
            advice=f"First {plan.command} --dry-run, then the same with "
            "--plan=DIGEST from the preview.",
        )


def refuse_forbidden(environment: Environment, command: str, *phases: str) -> None:
    """Raise Refusal where the policy forbids a command, or a phase that it is made of."""
    forbidden = next((n for n in (command, *phases) if n in environment.policy.never), None)
    if forbidden is None:
        return
    within = command == "run" != forbidden
    without = f' To run the others: --skip="{forbidden}: policy".' if within else ""
    raise Refusal(
        f"policy.never forbids {forbidden} in {environment.name}",
        advice=f"It is written in the inventory: {environment.at('policy.never')}.{without}",
    )


def refuse_another_plan(plan: Plan, environment: Environment, digest: str, book: Book) -> None:
    """Raise Refusal unless `plan` bears `digest`, or is what an interrupted run of it left.

    Raises:
        UsageError: `digest` is none.
        Refusal: it is another plan; says what differs where its preview was kept.
    """
    if not re.fullmatch(r"[0-9a-f]{12}", digest):
        raise UsageError(
            f"--plan={digest}: expected the twelve hexadecimal digits that a preview ends with",
            advice=f"See them: {plan.command} --dry-run",
        )
    if digest == plan.digest:
        return
    last = book.latest(plan.phase, plan.change, digest)
    why = _used_up(last, book) or _not_rest(plan, last) if last else ""
    if last and not why:
        return
    advice = f"Preview it again: {plan.command} --dry-run"
    if last and last.outcome in DONE and (logs := following(plan)):
        advice = f"All that it was to change is done. To follow the logs on: {logs}\n{advice}"
    raise Refusal(
        f"the plan is {plan.digest} now, not {digest}{why and f'; {why}'}"
        f"{_differs(plan, environment, digest)}",
        advice=advice,
    )


def must_ask(plan: Plan, environment: Environment, options: Options) -> bool:
    """Whether a person must confirm this plan before it runs."""
    wanted = environment.policy.confirm is Confirm.PROMPT and options.plan is None
    return wanted and bool(plan.pending)


def confirmed(plan: Plan, environment: Environment, options: Options) -> str:
    """Return how a plan was allowed to run, for the journal."""
    if options.plan is not None:
        return f"--plan={options.plan}, the digest of a preview"
    if must_ask(plan, environment, options):
        return "the environment's name, typed"
    return "nothing to confirm" if not plan.pending else "policy.confirm is none"


def keep_preview(plan: Plan, environment: Environment, secrets: Iterable[str]) -> None:
    """Keep a previewed plan's text on this machine, to say later what differs, where that can be.

    A preview writes nothing that it depends on, and no secret.
    """
    with contextlib.suppress(OSError):
        folder = private_folder(environment.state, environment.name, "previews")
        kept = folder / plan.digest
        kept.write_text(redact(_sent(plan), secrets), "utf-8")
        tidy(kept)


def _used_up(last: RunEntry, book: Book) -> str:
    """Say why nothing more may be done by the approval of a plan, whose latest run this is.

    Runs of other plans do not use it up, but for what undoes: whoever undid
    something wants it to stay so.
    """
    if last.outcome in DONE:
        return f"run {last.run} has done all of that one"
    undo = book.undo_since(last)
    return f"run {last.run} of that one was cut off, and {undo} since then" if undo else ""


def _not_rest(plan: Plan, last: RunEntry) -> str:
    """Say what of `plan` the cut off run had not left to do; nothing where it had all of it."""
    rest = iter(last.steps)
    for number, step in enumerate(plan.steps, start=1):
        doing = step.changes and not step.done and not isinstance(step, Record)
        if doing and step.digest not in rest:
            known = step.digest in last.steps
            how = "comes in another order now" if known else "was no step of it"
            return f"run {last.run} of that one was cut off, and step {number}, {step.title}, {how}"
    return ""


def _differs(plan: Plan, environment: Environment, digest: str) -> str:
    kept = _previews(environment) / digest
    try:
        before = kept.read_text("utf-8") if kept.is_file() else ""
    except (OSError, ValueError):  # nothing needs it
        before = ""
    if not before:
        return ""
    lines = difflib.unified_diff(
        before.splitlines(), _sent(plan).splitlines(), "previewed", "now", n=1
    )
    return ":\n" + "\n".join(lines)


def _sent(plan: Plan) -> str:
    """What the digest is over, for people: every step's head and text."""
    return "\n".join(
        "\n".join((render.step_head(number, step), *(f"  | {t}" for t in _texts(step))))
        for number, step in enumerate(plan.steps, start=1)
    )


def _texts(step: Step) -> list[str]:
    return [line for text in step.sent for line in text.splitlines()]


def _previews(environment: Environment) -> Path:
    return environment.state / environment.name / "previews"
