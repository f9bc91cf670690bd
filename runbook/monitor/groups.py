"""Like messages, counted before and after the moment: which are new, and whether that matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MOST = 4000
"""Shapes that are kept; more make one of their own, so that a log of nothing alike costs little."""
OTHER = "(messages of ever new shapes)"
MANY = 10
"""A new message that came so often is no chance."""
TOLD = 40
"""New messages that are told one by one; those beyond are only counted."""


@dataclass
class Group:
    """A shape of messages: how often before the moment and after, where, and since when.

    `first` and `last` are seconds since 1970, of those after the moment.
    """

    before: int = 0
    after: int = 0
    first: float = 0.0
    last: float = 0.0
    hosts: list[str] = field(default_factory=list)
    told: bool = False

    @property
    def new(self) -> bool:
        """Whether it was never seen before the moment."""
        return not self.before and self.after > 0


@dataclass
class Groups:
    """The groups of one log, of all its hosts."""

    shapes: dict[str, Group] = field(default_factory=dict)

    def add(self, shape: str, time: float, moment: float, host: str) -> None:
        """Count a message."""
        group = self.shapes.get(shape)
        if group is None:
            if len(self.shapes) >= MOST:
                shape = OTHER
            group = self.shapes.setdefault(shape, Group(told=shape == OTHER))
        if time < moment:
            group.before += 1
            return
        group.first = min(group.first or time, time)
        group.last = max(group.last, time)
        group.after += 1
        if host not in group.hosts:
            group.hosts.append(host)

    def untold(self) -> Iterator[tuple[str, Group]]:
        """Yield the new messages that were not told yet, and take them as told."""
        told = sum(group.told and group.new for group in self.shapes.values())
        for shape, group in self.shapes.items():
            if group.new and not group.told and told < TOLD:
                told += 1
                group.told = True
                yield shape, group

    @property
    def new(self) -> list[tuple[str, Group]]:
        """The new messages, the most frequent first."""
        found = [item for item in self.shapes.items() if item[1].new and item[0] != OTHER]
        return sorted(found, key=lambda item: -item[1].after)

    @property
    def allowed(self) -> int:
        """How many new messages are nothing special here.

        By Good and Turing a message is new as often as messages came only once
        before; to that, three standard deviations.
        """
        before = [group.before for group in self.shapes.values() if group.before]
        once, all_of_them = sum(count == 1 for count in before), sum(before)
        if not all_of_them:
            return 0
        after = sum(group.after for group in self.shapes.values())
        expected = once / all_of_them * after
        return math.floor(expected + 3 * math.sqrt(expected))

    @property
    def alarming(self) -> list[tuple[str, Group]]:
        """The new messages that matter: those that came often, or all when they are too many."""
        new = self.new
        return new if len(new) > self.allowed else [item for item in new if item[1].after >= MANY]


def top(groups: Iterable[tuple[str, Group]], most: int) -> list[tuple[str, Group]]:
    """Return the most frequent groups since the moment."""
    return sorted((g for g in groups if g[1].after), key=lambda item: -item[1].after)[:most]
