"""What an environment inherits: from those it extends, and its hosts from `ssh`."""

from __future__ import annotations

from runbook.inventory import shape
from runbook.inventory.document import Entry, Node, Scalar, Section
from runbook.inventory.mistakes import InventoryError, did_you_mean, nearest
from runbook.inventory.records import Named, Record
from runbook.inventory.words import found
from runbook.visible import in_one_line

LONGEST = 8


def lineage(name: str, environments: Section) -> tuple[str, ...]:
    """Return `name` and all it extends, the nearest first.

    Raises InventoryError for a name that is not there, a circle, and a line of
    more than eight; without a mistake for an `extends` that is misspelt or no
    name, which is reported where it is read.
    """
    line = [name]
    while (extends := _extends(line[-1], environments)) is not None:
        if extends.text not in environments.entries:
            others = tuple(each for each in environments.entries if each != line[-1])
            raise extends.place.error(
                f"there is no environment {found(extends)}"
                f"{did_you_mean(extends.text, others, 'there are')}"
            )
        if len(line) == LONGEST:
            raise extends.place.error(f"more than {LONGEST} environments extend one another")
        if extends.text in line:
            circle = " → ".join((*line, extends.text))
            raise extends.place.error(f"an environment cannot extend itself: {in_one_line(circle)}")
        line.append(extends.text)
    return tuple(line)


def inherited(line: tuple[str, ...], environments: Section) -> Node:
    """Return the tree of the first of `line` with all it inherits from the others."""
    nodes = [environments.entries[name].value for name in line]
    tree = nodes.pop()
    while nodes:
        tree = merged(shape.ENVIRONMENT, tree, nodes.pop())
    return tree


def spread(environment: Node) -> Node:
    """Return the tree with what `ssh` says for every host written into each host.

    The host that `ssh` names as the jump for all is itself reached directly.
    """
    if not isinstance(environment, Section):
        return environment
    ssh, hosts = (environment.entries.get(key.name) for key in (shape.SSH, shape.HOSTS))
    if not (ssh and hosts and isinstance(ssh.value, Section) and isinstance(hosts.value, Section)):
        return environment
    common = ssh.value
    known = {name: common.entries[name] for name in shape.REACHED if name in common.entries}
    reached = {}
    for name, host in hosts.value.entries.items():
        jump = known.get(shape.JUMP.name)
        is_jump = jump and isinstance(jump.value, Scalar) and jump.value.text == name
        own = {key: entry for key, entry in known.items() if not is_jump or entry is not jump}
        base = Section(own, common.place)
        reached[name] = Entry(host.key, merged(shape.HOST, base, host.value))
    every = Entry(hosts.key, Section(reached, hosts.value.place))
    return Section({**environment.entries, shape.HOSTS.name: every}, environment.place)


def merged(kind: object, base: Node, own: Node) -> Node:
    """Return `own` with what it inherits from `base`, each value with its own place.

    Mappings whose keys are separate facts merge; everything else (a scalar, a
    list, a `{file: …}`) is one fact and is replaced.
    """
    if not (
        isinstance(kind, Record | Named) and isinstance(base, Section) and isinstance(own, Section)
    ):
        return own
    entries = dict(base.entries)
    for name, entry in own.entries.items():
        value = entry.value
        if name in entries:
            value = merged(kind.kind_of(name), entries[name].value, value)
        entries[name] = Entry(entry.key, value)
    return Section(entries, own.place)


def _extends(name: str, environments: Section) -> Scalar | None:
    node = environments.entries[name].value
    keys = node.entries if isinstance(node, Section) else {}
    entry = keys.get(shape.EXTENDS.name)
    if entry is None and not any(_means_extends(key) for key in keys):
        return None
    if entry and isinstance(entry.value, Scalar) and entry.value.meaning == "text":
        return entry.value
    raise InventoryError([])


def _means_extends(key: str) -> bool:
    known = [each.name for each in shape.ENVIRONMENT.keys]
    return key not in known and nearest(key, known) == shape.EXTENDS.name
