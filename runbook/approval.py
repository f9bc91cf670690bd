"""Whether a plan may run: the policy's confirmation, and `--plan=DIGEST`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from runbook import render
from runbook.environment import Confirm, Environment
from runbook.errors import Refusal
from runbook.ledger import Book
from runbook.options import Options
from runbook.steps import Plan, Record


def refuse_unless_allowed(
    plan: Plan, environment: Environment, options: Options, book: Callable[[], Book]
) -> None:
    """Raise Refusal for a plan that its findings, the policy or `--plan` forbid.

    A plan whose digest differs from `--plan` is still let through when it is
    what is left of that very plan, cut off in an earlier run.
    """
    if plan.refusals:
        count = len(plan.refusals)
        raise Refusal(
            f"{count} {'check forbids' if count == 1 else 'checks forbid'} this run",
            advice="Each refused line above says what would satisfy it.",
        )
    if plan.phase in environment.policy.never:
        raise Refusal(
            f"policy.never forbids {plan.phase} in {environment.name}",
            advice=f"It is written in the inventory: {environment.source}.",
        )
    if not plan.pending:
        return
    if options.plan:
        if options.plan != plan.digest and not _is_rest_of(plan, options.plan, book()):
            raise Refusal(
                f"the plan is {plan.digest} now, not {options.plan}"
                + _differs(plan, environment, options.plan),
                advice=f"Preview it again: {command(plan, environment)} --dry-run",
            )
    elif environment.policy.confirm is Confirm.PLAN:
        raise Refusal(
            f"{environment.name} runs only a plan that was previewed",
            advice=f"First {command(plan, environment)} --dry-run, then the same with "
            "--plan=DIGEST from the preview.",
        )


def must_ask(plan: Plan, environment: Environment, options: Options) -> bool:
    """Whether a person must confirm this plan before it runs."""
    wanted = environment.policy.confirm is Confirm.PROMPT and not options.plan
    return wanted and bool(plan.pending)


def command(plan: Plan, environment: Environment) -> str:
    """Return the command that makes this plan, as typed."""
    return f"invoke {plan.phase} --env={environment.name}"


def keep_preview(plan: Plan, environment: Environment) -> None:
    """Keep a previewed plan's text on this machine, to say later what differs."""
    folder = _previews(environment)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / plan.digest).write_text(_sent(plan))


def _is_rest_of(plan: Plan, digest: str, book: Book) -> bool:
    left = {step.digest for step in plan.pending if not isinstance(step, Record)}
    return any(run.plan == digest and left <= run.steps for run in book.runs)


def _differs(plan: Plan, environment: Environment, digest: str) -> str:
    kept = _previews(environment) / digest
    if not kept.is_file():
        return ""
    lines = difflib.unified_diff(
        kept.read_text().splitlines(), _sent(plan).splitlines(), "previewed", "now", n=1
    )
    return ":\n" + "\n".join(lines)


def _sent(plan: Plan) -> str:
    """What the digest is over, for people: every step's head and text."""
    return "\n".join(
        "\n".join((render.step_head(number, step), *(f"  | {t}" for t in step.text.splitlines())))
        for number, step in enumerate(plan.steps, start=1)
    )


def _previews(environment: Environment) -> Path:
    return environment.state / environment.name / "previews"
