"""The proof that a change's triggers hold: steps that must fail, for every phase that wants it."""

from __future__ import annotations

from runbook.environment import Environment
from runbook.phases import estimates
from runbook.plan.statements import Proof
from runbook.sql import proofs
from runbook.sql.proofs import Attempt

STATE = "runbook_state"
DIAGNOSE = f"GET DIAGNOSTICS CONDITION 1 @{STATE} = RETURNED_SQLSTATE"


def steps(environment: Environment, attempts: tuple[Attempt, ...], phase: str) -> tuple[Proof, ...]:
    """Return a step a file of `proof/`: what it tries must fail, and is rolled back."""
    return tuple(
        Proof(
            phase=phase,
            title=f"{attempt.file.stem.partition('_')[2] or attempt.file.stem} of "
            f"{attempt.tables[0]} is refused",
            where=environment.database.label,
            text=";\n".join((*attempt.opening, attempt.statement, DIAGNOSE, proofs.UNDO)),
            origin=attempt.file.path,
            cost=f"must fail with SQLSTATE {proofs.SQLSTATE}; locks a row for a moment, always "
            "rolled back; the number that an INSERT took stays unused",
            timeout=environment.timeouts.statement,
            estimate=estimates.METADATA,
            tables=attempt.tables,
            opening=attempt.opening,
            attempt=attempt.statement,
            sqlstate=proofs.SQLSTATE,
            diagnose=DIAGNOSE,
            variable=STATE,
            closing=proofs.UNDO,
        )
        for attempt in attempts
    )
