"""More of a log, from the host that has it."""

from __future__ import annotations

import time

from runbook.hosts.remote import Hosts
from runbook.monitor.replies import Source, Taken, Terms, parse
from runbook.plan.steps import Feed


def more(hosts: Hosts, feed: Feed, source: Source, terms: Terms, length: int) -> Taken:
    """Ask for the next `length` bytes or so, and take them in.

    A log that the host cannot read is what was taken: its `problem`.

    Raises:
        Lost: the connection went away or the time passed.
        Refusal: the host cannot be reached or does not prove who it is.
    """
    answer = hosts.ask(feed.host, feed.text, stdin=source.ask(length))
    said = answer.err.decode(errors="replace").strip().splitlines()
    why = said[-1] if said else f"exit status {answer.status}"
    try:
        reply = parse(answer.out)
    except ValueError:
        return Taken(time.time(), problem=f"its answer is not that of the script: {why}")
    if answer.status:
        return Taken(reply.clock, problem=why)
    return source.take(reply, terms)
