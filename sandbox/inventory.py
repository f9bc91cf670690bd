"""An inventory of a sandbox, for a test to have its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = "str | int | bool | list[Value] | Mapping[str, Value] | None"
PROJECT = Path(__file__).resolve().parent.parent


def inventory_text(root: Path, overrides: Mapping[str, Value]) -> str:
    """Return an inventory whose environment `sandbox` is the sandbox in `root`.

    `overrides` is merged into that environment: mappings merge, anything else
    replaces, None removes. The text is JSON, which YAML readers read.
    """
    environment: Mapping[str, Value] = {
        "about": f"the sandbox in {root}",
        "change": str(PROJECT / "sql" / "attendance"),
        "ssh": {
            "ssh_config": str(root / "ssh_config"),
            "known_hosts": str(root / "known_hosts"),
            "key": str(root / "id_ed25519"),
        },
        "hosts": {
            "db1": {"roles": ["db"]},
            "app1": {"roles": ["app"]},
            "app2": {"roles": ["app", "worker"]},
        },
        "database": {
            "name": "vaulteer",
            "user": "migrator",
            "via": "db1",
            "port": {"file": str(root / "database.port")},
            "password": {"file": str(root / "migrator.password")},
        },
        "backup": {"host": "db1", "folder": str(root / "db1" / "backups"), "keep": 3},
        "health": {"application": {"role": "app", "command": "app-health"}},
        "policy": {"confirm": "none"},
    }
    whole = {"environments": {"sandbox": merged(environment, overrides)}}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def merged(base: Mapping[str, Value], over: Mapping[str, Value]) -> dict[str, Value]:
    """Return `base` with `over` laid on it, key by key and deeply."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result
