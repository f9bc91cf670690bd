"""Load an inventory: read it, inherit, check all of it, and hand out environments."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runbook.environment import Environment
from runbook.inventory import shape
from runbook.inventory.build import build
from runbook.inventory.document import Node, Scalar, Section, parse, read_text
from runbook.inventory.inherit import inherited, lineage, spread
from runbook.inventory.mistakes import (
    Gathered,
    InventoryError,
    Mistake,
    Place,
    did_you_mean,
    in_order,
)
from runbook.inventory.records import Fields
from runbook.inventory.references import wrong_references
from runbook.visible import in_one_line


@dataclass(frozen=True)
class Known:
    """An environment that can be asked for: where it stands, and what it inherits from."""

    at: Place
    lineage: tuple[str, ...]
    fields: Fields | None
    """Its values; None when a mistake kept them from being read."""


@dataclass(frozen=True)
class Inventory:
    """The environments of a file, checked.

    `mistakes` are all there are, in every environment. A mistake in one
    environment does not keep another from being used: whoever repairs
    production at night is not stopped by a typing error in staging. It is
    still a mistake; `check` raises it, and so should a test.
    """

    path: Path
    mistakes: tuple[Mistake, ...] = ()
    known: Mapping[str, Known] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The environments that can be asked for, in the file's order; no bases."""
        return tuple(self.known)

    def check(self) -> None:
        """Raise InventoryError when there is a mistake anywhere."""
        if self.mistakes:
            raise InventoryError(self.mistakes)

    def environment(self, name: str | None, *, files: bool = True) -> Environment:
        """Return the environment called `name`, its `{file: …}` values read.

        Without `files` it may name files that are not there: for what connects to nothing.
        Raises InventoryError when there is no such environment, when it or
        what it extends has a mistake (then with all mistakes of the file), or
        when a file that it names is missing.
        """
        name = name or ""
        known = self.known.get(name)
        if known is None:
            raise self._no_such(name)
        if known.fields is None or any(_concerns(m, known.lineage) for m in self.mistakes):
            raise InventoryError(self.mistakes)
        return build(name, known.at, known.fields, self.path.parent.absolute(), files=files)

    def _no_such(self, name: str) -> InventoryError:
        whole = Place(_shown(self.path), 0, 0)
        if not name:
            return whole.error(f"say which environment: --env={'|'.join(self.names) or '…'}")
        if name.startswith(shape.BASE):
            message = f"{in_one_line(name)} is a base to extend, not an environment"
        else:
            message = f"there is no environment {in_one_line(name)}"
        guess = did_you_mean(name, self.names, "there are")
        every = f" There are: {', '.join(self.names)}" if "did you" in guess else ""
        return whole.error(message + guess + every)


def load(path: Path) -> Inventory:
    """Return the inventory at `path`, everything in it checked that needs no network.

    Raises InventoryError only when no environment can be told from another: the
    file cannot be read, is not YAML, or has no `environments`. Other mistakes
    are in `mistakes`, and raised when an environment that has one is asked for.
    """
    file = _shown(path)
    root, malformed = parse(read_text(path, file), file)
    mistakes = Gathered()
    mistakes.mistakes.extend(malformed)
    written = _environments(root, mistakes, file)
    known: dict[str, Known] = {}
    for name, entry in written.entries.items():
        with mistakes:
            shape.ENVIRONMENT_NAMES.check_name(name, entry.key)
        line: tuple[str, ...] = ()
        with mistakes:
            line = lineage(name, written)
        complete = bool(line) and not name.startswith(shape.BASE)
        line = line or (name,)
        tree = spread(inherited(line, written))
        fields = None
        with mistakes:
            fields = shape.ENVIRONMENT.read(tree, entry.key if complete else None)
        if complete:
            mistakes.mistakes.extend(wrong_references(tree))
        if not name.startswith(shape.BASE):
            known[name] = Known(entry.key, line, fields)
    return Inventory(path, in_order(mistakes.mistakes), known)


def _shown(path: Path) -> str:
    """Return the path as messages name it: short where it is below the current folder."""
    with suppress(ValueError, OSError):
        return str(path.absolute().relative_to(Path.cwd()))
    return str(path)


def _environments(root: Node | None, mistakes: Gathered, file: str) -> Section:
    """Return the mapping of environments; other keys beside it are kept as mistakes."""
    name = shape.ENVIRONMENTS.name
    if root is None or (isinstance(root, Scalar) and root.meaning == "nothing"):
        raise Place(file, 0, 0).error(f"this file is empty; expected the key {name}")
    entries = root.entries if isinstance(root, Section) else {}
    entry = entries.get(name)
    if entry is not None and isinstance(entry.value, Section):
        beside = {key: each for key, each in entries.items() if key != name}
        with mistakes:
            shape.INVENTORY.read(Section(beside, entry.key), None)
        if any(not each.startswith(shape.BASE) for each in entry.value.entries):
            return entry.value
        mistakes.add(entry.key.error("expected at least one environment that is not a base"))
    else:
        with mistakes:
            shape.INVENTORY.read(root, Place(file, 1, 1))
    raise InventoryError(mistakes.mistakes)


def _concerns(mistake: Mistake, line: tuple[str, ...]) -> bool:
    """Return whether `mistake` stands in one of `line`, or outside every environment."""
    inside = len(mistake.path) > 1 and mistake.path[0] == shape.ENVIRONMENTS.name
    return not inside or mistake.path[1] in line
