"""Performs a detached job: starts it or finds it running, and watches it to its end."""

from __future__ import annotations

from runbook.errors import Interrupted, Lost, Outcome, StepFailed
from runbook.hosts import jobs
from runbook.hosts.jobs import State
from runbook.run import Result, Run
from runbook.steps import Job

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
    goes_on = f"It goes on by itself on {step.where}; the same command finds it there."
    try:
        _start(step, run)
        return _ended(step, _watch(step, run))
    except Lost as error:
        raise Lost(error.message, advice=goes_on) from error
    except Interrupted as error:
        raise Interrupted(
            f"stopped watching: {step.title}", advice=goes_on, running=True
        ) from error


def _start(step: Job, run: Run) -> None:
    stdin = run.credentials() if step.credentials else ""
    limit = run.environment.timeouts.command
    started = run.hosts.run(step.where, step.text, stdin=stdin, timeout=limit)
    if not started.ok:
        raise StepFailed(f"{step.where}: not started: {step.title}", output=started.tail())


def _watch(step: Job, run: Run) -> State:
    wait = FIRST_WAIT
    while True:
        state = _look(step, run)
        if not state.running:
            return state
        if state.seconds > step.timeout:
            raise Lost(f"{step.where}: still running after {state.seconds} s: {step.title}")
        run.progress(state.done, step.unit, total=state.total, eta=_eta(state), note=state.stage)
        run.keep_lock()
        run.brake.pause(wait)
        wait = min(wait * GROWTH, LONGEST_WAIT)


def _look(step: Job, run: Run) -> State:
    seen = run.hosts.run(step.where, step.watch)
    if not seen.ok:
        raise Lost(f"{step.where}: what became of it cannot be seen: {' '.join(seen.tail(1))}")
    return jobs.parse(tuple(seen.out.splitlines()))


def _ended(step: Job, state: State) -> Result:
    last = state.log[-1] if state.log else ""
    if state.succeeded:
        return Result(Outcome.CHANGED, last, output=state.log)
    if state.state == "ended":
        raise StepFailed(f"{step.where}: {last or f'status {state.status}'}", output=state.log)
    raise StepFailed(
        f"{step.where}: died while {state.stage or 'starting'}: {step.title}",
        advice="Its process was killed, or the host went down. The same command begins anew.",
        output=state.log,
    )


def _eta(state: State) -> float | None:
    """Estimate the seconds left from the share that is done; None where nobody knows."""
    if not state.total or not state.done or not state.seconds:
        return None
    return state.seconds * (state.total - state.done) / state.done
