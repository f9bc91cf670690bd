"""What is made from the shape for people and editors: a JSON Schema and a table."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runbook.inventory import shape
from runbook.inventory.kinds import Kind, Listed
from runbook.inventory.records import Key, Named, Record
from runbook.inventory.words import Json


def schema() -> Json:
    """Return the JSON Schema (draft 7) of an inventory.

    It requires only `environments`: any other key may be inherited.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Environments of the runbook",
        "description": "Made by `python -m runbook.inventory schema`; do not edit.",
        **shape.INVENTORY.schema(),
        "required": [shape.ENVIRONMENTS.name],
    }


def schema_text() -> str:
    """Return the schema as the text of inventory.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Return a Markdown table of every key of an environment."""
    lines = ["| Key | Value | Default | What it is |", "|---|---|---|---|"]
    for path, key in _keys(shape.ENVIRONMENT, ""):
        cells = (f"`{path}`", key.kind.expected, _default(key), key.about)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _keys(kind: Kind[object], prefix: str) -> Iterator[tuple[str, Key[object]]]:
    if isinstance(kind, Record):
        for key in kind.keys:
            yield f"{prefix}{key.name}", key
            yield from _keys(key.kind, f"{prefix}{key.name}.")
    elif isinstance(kind, Named):
        yield from _keys(kind.item, f"{prefix}NAME.")
    elif isinstance(kind, Listed):
        yield from _keys(kind.item, prefix)


def _default(key: Key[object]) -> str:
    if key.required:
        return "required"
    default = key.written_default
    return "" if default is None else f"`{default}`"
