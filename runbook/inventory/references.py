"""Whether the names an environment uses refer to something in it.

This reads the tree and not the values, so that a wrong reference is reported
together with every other mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runbook.inventory import shape
from runbook.inventory.common import HOST_REFERENCE, ROLE_REFERENCE
from runbook.inventory.document import Entry, Node, Scalar, Section, Sequence
from runbook.inventory.kinds import Kind, Listed
from runbook.inventory.mistakes import Mistake, did_you_mean
from runbook.inventory.records import Key, Named, Record
from runbook.inventory.words import found
from runbook.visible import in_one_line


def wrong_references(environment: Node) -> Iterator[Mistake]:
    """Yield a mistake for every host and role that is named and not there, and every circle."""
    hosts = _named(environment, shape.HOSTS)
    roles = tuple(dict.fromkeys(role for host in hosts.values() for role in _roles(host)))
    for kind, scalar in _scalars(shape.ENVIRONMENT, environment):
        if kind is HOST_REFERENCE and scalar.text not in hosts:
            yield _unknown(scalar, "host", tuple(hosts))
        elif kind is ROLE_REFERENCE and scalar.text not in roles:
            yield _unknown(scalar, "role", roles)
    jumps = {name: jump for name, host in hosts.items() for jump in _words(host, shape.JUMP)}
    for name, jump in jumps.items():
        if _leads_back(name, {each: scalar.text for each, scalar in jumps.items()}):
            yield jump.place.mistake(
                f"the host {in_one_line(name)} would be reached through itself"
            )


def _scalars(kind: Kind[object] | None, node: Node) -> Iterator[tuple[object, Scalar]]:
    """Yield every text of the tree with its kind, whatever section it stands in."""
    if isinstance(node, Scalar) and node.meaning == "text":
        yield kind, node
    elif isinstance(node, Section) and isinstance(kind, Record | Named):
        for name, entry in node.entries.items():
            yield from _scalars(kind.kind_of(name), entry.value)
    elif isinstance(node, Sequence) and isinstance(kind, Listed):
        for item in node.items:
            yield from _scalars(kind.item, item)


def _leads_back(name: str, jumps: Mapping[str, str]) -> bool:
    at, seen = jumps[name], {""}
    while at != name and at not in seen:
        seen.add(at)
        at = jumps.get(at, "")
    return at == name


def _child(node: Node | None, key: Key[object]) -> Node | None:
    entry = node.entries.get(key.name) if isinstance(node, Section) else None
    return entry.value if entry else None


def _named(node: Node | None, key: Key[object]) -> dict[str, Node]:
    child = _child(node, key)
    entries: Mapping[str, Entry] = child.entries if isinstance(child, Section) else {}
    return {name: entry.value for name, entry in entries.items()}


def _words(node: Node | None, key: Key[object]) -> Iterator[Scalar]:
    child = _child(node, key)
    if isinstance(child, Scalar) and child.meaning == "text":
        yield child


def _roles(host: Node) -> Iterator[str]:
    child = _child(host, shape.ROLES)
    if isinstance(child, Sequence):
        yield from (item.text for item in child.items if isinstance(item, Scalar))


def _unknown(reference: Scalar, what: str, known: tuple[str, ...]) -> Mistake:
    return reference.place.mistake(
        f"there is no {what} {found(reference)} in this environment"
        f"{did_you_mean(reference.text, known, f'{what}s')}"
    )
