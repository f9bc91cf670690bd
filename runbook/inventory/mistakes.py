"""Mistakes in the inventory, each with the place where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbook.errors import UsageError
from runbook.visible import in_one_line

LONGEST_NAME = 80


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong. `str()` of it is one line for the operator.

    Lines and columns count from 1; line 0 is the file as a whole. `path` is
    the key's path, such as `("environments", "staging", "backup")`.
    """

    file: str
    line: int
    column: int
    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = in_one_line(".".join(name[:LONGEST_NAME] for name in self.path))
        return ": ".join(part for part in (place, path, self.message) if part)


class InventoryError(UsageError):
    """The inventory, or the environment asked of it, is wrong; carries every mistake."""

    def __init__(self, mistakes: Iterable[Mistake], advice: str = "") -> None:
        self.mistakes = in_order(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes), advice=advice)


@dataclass(frozen=True)
class Place:
    """Where a value stands: file, line, column (both from 1) and the path of its key."""

    file: str
    line: int
    column: int
    path: tuple[str, ...] = ()

    def mistake(self, message: str) -> Mistake:
        """Return the mistake that `message` tells about this place."""
        return Mistake(self.file, self.line, self.column, self.path, message)

    def error(self, message: str) -> InventoryError:
        """Return the error whose only mistake is `message` about this place."""
        return InventoryError([self.mistake(message)])


class Gathered:
    """Lets a reader go on after a mistake: `with mistakes:` keeps what was raised."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.failed = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, InventoryError):
            self.add(error)
            return True
        return False

    def add(self, error: InventoryError) -> None:
        """Keep the mistakes of `error`; one without any was reported earlier."""
        self.failed = True
        self.mistakes.extend(error.mistakes)

    def report(self, advice: str = "") -> None:
        """Raise everything that was kept, if anything was."""
        if self.failed:
            raise InventoryError(self.mistakes, advice)


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """Return the mistakes as they stand in the file, each once."""
    return tuple(sorted(dict.fromkeys(mistakes), key=lambda m: (m.line, m.column)))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that was probably meant by `word`."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Sequence[str], what: str) -> str:
    """Return `; did you mean …?` when one of `known` is near, else all there are."""
    near = nearest(word, known)
    if near is not None:
        return f"; did you mean {near}?"
    return f"; {what}: {', '.join(known)}" if known else f"; {what}: none"
