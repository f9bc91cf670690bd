"""A small inventory without a mistake, and how tests ask for mistakes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from runbook.inventory import InventoryError, Mistake, load

GOOD = """\
environments:
  _base:
    change: .
    database: {name: shop, via: db1, user: migrator, password: {env: DB_PASSWORD}}
    timeouts:
      connect: 5s
  staging:
    extends: _base
    about: where releases are tried
    ssh:
      user: deploy
    hosts:
      db1: {roles: [db]}
      app1: {roles: [app], port: 2222}
    backup:
      host: db1
      folder: backups
      max_age: 2h
    health:
      web: {role: app, command: check-web}
    policy:
      confirm: prompt
      never: [smoke]
"""


def write(folder: Path, text: str) -> Path:
    """Write an inventory of `text`, lone surrogates too, and return its path."""
    path = folder / "inventory.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def mistakes_of(path: Path) -> tuple[Mistake, ...]:
    """Return the mistakes of an inventory, whether it could be loaded or not."""
    try:
        return load(path).mistakes
    except InventoryError as error:
        return error.mistakes


def mistakes_in(text: str) -> tuple[Mistake, ...]:
    """Return the mistakes of an inventory of `text`."""
    with tempfile.TemporaryDirectory() as folder:
        return mistakes_of(write(Path(folder), text))
