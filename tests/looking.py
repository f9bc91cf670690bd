"""What the tests of preflight share: to look at a sandbox, and to find a row of what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

from runbook import inventory
from runbook import site as sites
from runbook.environment import Environment
from runbook.phases import preflight
from runbook.plan.plan import Finding, Level
from runbook.site import Site
from sandbox.inventory import Value
from sandbox.sandbox import Sandbox

PASSWORD = "probe's \\ passw\"ord"


@dataclass(frozen=True)
class Found:
    """The findings of one look."""

    rows: tuple[Finding, ...]

    def of(self, what: str, where: str | None = None) -> list[Finding]:
        """Return the rows of a check, of one place if it is named."""
        return [r for r in self.rows if r.what == what and where in {None, r.where}]

    def one(self, what: str, where: str | None = None) -> Finding:
        """Return the only row of a check."""
        (row,) = self.of(what, where)
        return row

    def at(self, level: Level) -> list[str]:
        """Return what is at a level, such as `SSH@app1`."""
        return [f"{row.what}@{row.where}" for row in self.rows if row.level is level]


@dataclass(frozen=True)
class Place:
    """A sandbox, and a folder for its inventory."""

    sandbox: Sandbox
    folder: Path

    def environment(self, **overrides: Value) -> Environment:
        """Return the sandbox as an environment, with `overrides` merged into it."""
        path = self.sandbox.write_inventory(self.folder / "inventory.yaml", overrides)
        return inventory.load(path).environment("sandbox")

    @contextmanager
    def opened(self, **overrides: Value) -> Iterator[Site]:
        """Open the environment for the time of a `with` block."""
        with sites.opened(self.environment(**overrides)) as site:
            yield site

    def look(self, *, ours: int | None = None, **overrides: Value) -> Found:
        """Look once, with a fresh connection to everything."""
        with self.opened(**overrides) as site:
            facts = preflight.look(site, ours=ours)
            return Found(preflight.findings(site.environment, facts))

    def account(self, *grants: str) -> dict[str, Value]:
        """Make the account `probe` anew with these grants; return the override that uses it."""
        secret = self.folder / "probe.password"
        secret.touch(mode=0o600)
        secret.write_text(PASSWORD + "\n")
        self.sandbox.query("DROP USER IF EXISTS 'probe'@'%'")
        with self.sandbox.root_connection(None) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER 'probe'@'%%' IDENTIFIED BY %s", (PASSWORD,))
            for grant in grants:
                cursor.execute(f"GRANT {grant} TO 'probe'@'%'")
        return {"user": "probe", "password": {"file": str(secret)}}

    def connect(
        self, account: str = "app"
    ) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
        """Connect to the database as one of the sandbox's accounts, autocommit off."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.sandbox.database_port,
            user=account,
            password=self.sandbox.password(account),
            database="vaulteer",
            autocommit=False,
        )
