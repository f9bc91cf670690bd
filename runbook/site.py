"""What a look is handed: the environment, its change, and connections that only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import Lock

from runbook.database.connect import Database
from runbook.database.sessions import Session
from runbook.environment import Environment
from runbook.hosts.remote import Hosts
from runbook.inventory.secrets import SecretError, read_secret
from runbook.sql import change as changes
from runbook.sql.change import Change


class Password:
    """The database password, read when first asked for, once, whichever threads ask.

    Where it cannot be had, everybody is told so, and nobody tries again.
    """

    def __init__(self, environment: Environment) -> None:
        self._source = environment.database.password
        self._read: list[str | SecretError] = []
        self._lock = Lock()

    def __call__(self) -> str:
        """Return it. Raises SecretError."""
        with self._lock:
            if not self._read:
                try:
                    self._read.append(read_secret(self._source))
                except SecretError as error:
                    self._read.append(error)
            if isinstance(self._read[0], SecretError):
                raise self._read[0]
            return self._read[0]

    @property
    def known(self) -> tuple[str, ...]:
        """It, if it was read: before that nobody can tell it."""
        return tuple(said for said in self._read if isinstance(said, str))


class Site:
    """One environment as a look reaches it; a context manager that closes what it opened."""

    def __init__(
        self,
        environment: Environment,
        change: Change,
        hosts: Hosts,
        password: Password,
    ) -> None:
        self.environment = environment
        self.change = change
        self.hosts = hosts
        self.password = password
        self.database = Database(environment, hosts.tunnel, password)
        self.ours: int | None = None
        """The connection that holds the lock for this very command, if it took it."""
        self._opened = ExitStack()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @cached_property
    def reader(self) -> Session:
        """A session that is READ ONLY on the server's side, opened when first asked for.

        It is for one thread; a look that works in parallel opens its own with
        `database.reader()`.
        """
        return self._opened.enter_context(self.database.reader())


@contextmanager
def opened(environment: Environment) -> Iterator[Site]:
    """Open an environment; connections and the password wait until they are first used."""
    change = changes.load(environment.change)
    with (
        Hosts(environment) as hosts,
        Site(environment, change, hosts, Password(environment)) as site,
    ):
        yield site
