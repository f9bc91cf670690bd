"""What triggers cannot stop: findings of rights and cascades that get past them."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.database.bypasses import RIGHTS, Bypasses
from runbook.plan.plan import Finding, Level
from runbook.sql.text import quote_name


def findings(where: str, ours: str, past: Bypasses) -> tuple[Finding, ...]:
    """Return a warning for each thing that gets past the triggers of a table; OK for none.

    `ours` is the account of this program, which has to hold such rights.
    """
    found = (*_rights(past), *_cascades(past), *_unseen(ours, past))
    if not found:
        found = ((f"only administrators and {ours} have {', '.join(RIGHTS)}; no cascades", ""),)
    return tuple(
        Finding(
            f"what triggers of {past.table} cannot stop",
            where,
            Level.WARNING if advice else Level.OK,
            detail,
            advice,
        )
        for detail, advice in found
    )


def _rights(past: Bypasses) -> Iterator[tuple[str, str]]:
    for held in past.held:
        rights = ", ".join(held.rights)
        means = ", ".join(RIGHTS[right] for right in held.rights)
        yield (
            f"{held.account} has {rights} on {held.place}: {means}",
            f"REVOKE {rights} ON {held.place} FROM {held.account};",
        )


def _cascades(past: Bypasses) -> Iterator[tuple[str, str]]:
    for key in past.cascades:
        yield (
            f"foreign key {key.name}: rows of {key.parent} take these along or change them "
            f"(ON DELETE {key.on_delete}, ON UPDATE {key.on_update}), which fires no trigger",
            f"ALTER TABLE {quote_name(past.table)} DROP FOREIGN KEY {quote_name(key.name)};",
        )


def _unseen(ours: str, past: Bypasses) -> Iterator[tuple[str, str]]:
    if not past.seen:
        yield (
            f"which accounts have {', '.join(RIGHTS)} on it is not shown to {ours}; nor is "
            f"whether the application uses {ours} itself",
            "As the server's administrator: SHOW GRANTS FOR the application's account, and "
            f"REVOKE {', '.join(RIGHTS)} ON … FROM it where it has them.",
        )
