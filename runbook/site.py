"""What a look is handed: the environment, its change, and connections that only read."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.change import Change
from runbook.database import Database, Session
from runbook.environment import Environment
from runbook.remote import Hosts


@dataclass(frozen=True)
class Site:
    """One environment as a look reaches it.

    `reader` is READ ONLY on the server's side and for one thread; a look that
    works in parallel opens more with `database.reader()`.
    """

    environment: Environment
    change: Change
    hosts: Hosts
    database: Database
    reader: Session
