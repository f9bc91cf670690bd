"""Performs a detached job: starts it or finds it running, and watches it to its end."""

from __future__ import annotations

from collections.abc import Callable

from runbook.errors import Interrupted, Lost, Outcome, Refusal, StepFailed
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.perform.run import Result, Run
from runbook.plan.steps import Job

FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds between two looks at a job; they grow, since a short job should not wait for us."""
GROWTH = 1.4


def perform(step: Job, run: Run) -> Result:
    """Start the job, or attach to it, and return when it has ended well.

    Raises:
        StepFailed: it could not be started, failed, or died.
        Lost: the connection went away or the time passed; the job goes on.
        Interrupted: the operator stopped; the job goes on.
    """
    return _ended(step, until_ended(step, run, lambda: _look(step, run)))


def until_ended(step: Job, run: Run, look: Callable[[], State]) -> State:
    """Start the job, or attach to it, and look at it again and again until it has ended.

    Raises:
        StepFailed: it could not be started.
        Lost: the connection went away or the time passed; the job goes on.
        Interrupted: the operator stopped; the job goes on.
    """
    goes_on = f"It goes on by itself on {step.where}; the same command finds it there."
    try:
        _start(step, run)
        return _watch(step, run, _still_there(look))
    except Lost as error:
        raise Lost(error.message, advice=goes_on) from error
    except Interrupted as error:
        raise Interrupted(
            f"stopped watching: {step.title}", advice=goes_on, running=True
        ) from error


def died(step: Job, state: State) -> StepFailed:
    """Return the error for a job that ended without saying how."""
    return StepFailed(
        f"{step.where}: died while {state.stage or 'starting'}: {step.title}",
        advice="Its process was killed, or the host went down. The same command begins anew.",
        output=state.log,
    )


def _start(step: Job, run: Run) -> None:
    stdin = run.credentials() if step.credentials else ""
    limit = run.environment.timeouts.command
    started = run.hosts.run(step.where, step.text, stdin=stdin, timeout=limit)
    if not started.ok:
        raise StepFailed(f"{step.where}: not started: {step.title}", output=started.tail())


def _still_there(look: Callable[[], State]) -> Callable[[], State]:
    """Return `look`, to which a host that cannot be reached any more is one that was lost."""

    def looked() -> State:
        try:
            return look()
        except Refusal as error:
            raise Lost(error.message, advice=error.advice) from error

    return looked


def _watch(step: Job, run: Run, look: Callable[[], State]) -> State:
    wait = FIRST_WAIT
    while True:
        state = look()
        if not state.running:
            return state
        if state.seconds > step.timeout:
            raise Lost(f"{step.where}: still running after {state.seconds} s: {step.title}")
        note = state.stage or (state.log[-1] if state.log else "")
        run.progress(state.done, step.unit, total=state.total, eta=_eta(state), note=note)
        run.keep_lock()
        run.brake.pause(wait)
        wait = min(wait * GROWTH, LONGEST_WAIT)


def _look(step: Job, run: Run) -> State:
    return jobs.parse(tuple(asked(step, run).splitlines()))


def asked(step: Job, run: Run, stdin: str = "") -> str:
    """Return what `watch` prints. Raises Lost when it cannot be asked."""
    seen = run.hosts.run(step.where, step.watch, stdin=stdin)
    if not seen.ok:
        raise Lost(f"{step.where}: what became of it cannot be seen: {' '.join(seen.tail(1))}")
    return seen.out


def _ended(step: Job, state: State) -> Result:
    last = state.log[-1] if state.log else ""
    if state.succeeded:
        return Result(Outcome.CHANGED, last, output=state.log)
    if state.state == "ended":
        raise StepFailed(f"{step.where}: {last or f'status {state.status}'}", output=state.log)
    raise died(step, state)


def _eta(state: State) -> float | None:
    """Estimate the seconds left from the share that is done; None where nobody knows."""
    if not state.total or not state.done or not state.seconds:
        return None
    return state.seconds * (state.total - state.done) / state.done
