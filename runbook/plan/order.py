"""Which phases a maintenance window holds, in the runbook's order, and why others are left out."""

from __future__ import annotations

from difflib import get_close_matches

from runbook.errors import UsageError
from runbook.options import Options

ORDER = (
    "preflight",
    "backup",
    "deploy",
    "migrate",
    "verify",
    "smoke",
    "triggers",
    "validate",
    "monitor",
)


def left_out(options: Options) -> dict[str, str]:
    """Return the phases that the operator leaves out, each with the reason.

    The first, preflight, is never left out: nothing is done unseen.

    Raises:
        UsageError: a phase that is not one, `--from` behind `--until`, a skip without a reason,
            or an option of a phase that is left out.
    """
    first, last = _place(options.first, "--from", 0), _place(options.last, "--until", -1)
    if first > last:
        raise UsageError(
            f"--from={options.first} comes after --until={options.last}",
            advice=f"The order is {', '.join(ORDER)}.",
        )
    why = dict.fromkeys(ORDER[1:first], f"--from={options.first}")
    why |= dict.fromkeys(ORDER[last + 1 :], f"--until={options.last}")
    why |= named(options.skip, ORDER[1:], "--skip", "the reason")
    for phase, given in (
        ("backup", "--fresh" if options.fresh else ""),
        ("deploy", f"--release={options.release}" if options.release else ""),
        ("triggers", "--triggers" if options.triggers else ""),
        ("validate", f"--event={options.event}" if options.event else ""),
        ("monitor", f"--hours={options.hours}" if options.hours else ""),
    ):
        if given and phase in why:
            raise UsageError(
                f"{given} is about {phase}, which is left out: {why[phase]}",
                advice=f"Leave out either {given} or what leaves out {phase}.",
            )
    return why


def named(said: tuple[str, ...], known: tuple[str, ...], flag: str, what: str) -> dict[str, str]:
    """Return texts given as `NAME: TEXT`, by name.

    Raises:
        UsageError: a name that is not known, or an empty text.
    """
    texts: dict[str, str] = {}
    for each in said:
        name, _, text = (part.strip() for part in each.partition(":"))
        if name not in known:
            raise UsageError(f"{flag}={each!r}: {_unknown(name, known)}")
        if not text:
            raise UsageError(
                f"{flag}={each!r}: {what} is missing", advice=f'Write {flag}="{name}: {what}".'
            )
        texts[name] = text
    return texts


def _place(name: str, flag: str, default: int) -> int:
    if not name:
        return range(len(ORDER))[default]
    if name not in ORDER:
        raise UsageError(f"{flag}={name}: {_unknown(name, ORDER)}")
    return ORDER.index(name)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, 1)
    guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
    return f"there is no {name or 'name'} here; {guess}"
