"""Print what is made from the shape: `python -m runbook.inventory schema` or `reference`."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from runbook.inventory.reference import reference, schema_text

PRINTED = {"schema": schema_text, "reference": reference}


def main(words: list[str]) -> int:
    """Print the one thing asked for; return the exit status."""
    if len(words) != 1 or words[0] not in PRINTED:
        sys.stderr.write(f"usage: python -m runbook.inventory {'|'.join(PRINTED)}\n")
        return 2
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as the files that it is kept in
    sys.stdout.write(PRINTED[words[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
