"""How long the watch takes over many rows: python -m bench.watch --rows=2000000

On a sandbox, with the script as it would be installed, in the environment that
cron gives it: the first baseline, scans of which nothing is to be found (the
median of some), a scan after one row was changed, one after one was deleted,
and one after rows were appended; beside them, what a plain read of all rows
takes the same client on the same server. Every scan's verdict is checked.

Measured with 2,000,000 rows on MariaDB 10.11 with a buffer pool of 64 MiB, on two
cores with a load of ten besides: plain read 7.8 s, first baseline 25.7 s, nothing
to find 15.8 s, one row changed 15.9 s, one changed, one deleted and 10,000 appended
15.2 s; 165 MiB of baseline. Narrowing is within the noise of a scan.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sandbox.sandbox import Sandbox
from tests.watching import AUDIT, Scanner, scanner

FILL = """\
SET unique_checks = 0;
INSERT INTO {audit} (id, event_id, participant_id, user_id, marked_by, action, previous_status,
  new_status, reason, dedupe_key, performed_at)
WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999)
SELECT n + 1, n DIV 200, n, IF(n % 9 = 0, NULL, n % 20000), IF(n % 3 = 0, NULL, n % 50),
  ELT(1 + n % 4, 'check_in', 'correction', 'mark_absent', 'finalize_attended'), 'unknown',
  ELT(1 + n % 3, 'present', 'late', 'absent'), IF(n % 4 = 0, NULL, CONCAT('reason number ', n)),
  IF(n % 2 = 0, CONCAT('auto-absent:', n), NULL), TIMESTAMPADD(SECOND, n, '2020-01-01')
FROM (SELECT {block} * 1000000 + b.n * 1000 + c.n AS n FROM thousand b JOIN thousand c) AS numbers
WHERE n < {rows};
"""
READ = f"SELECT * FROM {AUDIT}"


def main() -> int:
    """Measure on one server and print a line a measurement; 1 when a verdict is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--server", choices=("mariadb", "mysql"), default="mariadb")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Sandbox.running(root / "sandbox", server=chosen.server) as sandbox:
            made = scanner(sandbox, root, width=2048)
            for block in range(-(-chosen.rows // 1_000_000)):
                sandbox.load(FILL.format(audit=AUDIT, block=block, rows=chosen.rows))
            sandbox.load(f"ANALYZE TABLE {AUDIT};")
            return _measure(made, chosen.rows, chosen.rounds)


def _measure(made: Scanner, rows: int, rounds: int) -> int:
    sandbox = made.sandbox
    print(f"{sandbox.server}, {rows:,} rows")
    print(f"{'plain read of all rows':<32}{_read(made):7.2f} s")
    told = [
        _scan(made, "first baseline", "baseline", wanted=set()),
        statistics.median(
            [_scan(made, f"nothing to find ({n + 1})", wanted=set()) for n in range(rounds)]
        ),
    ]
    middle = rows // 2
    sandbox.query(f"UPDATE {AUDIT} SET reason = '' WHERE id = {middle}")
    _scan(made, "one row changed", wanted={("changed", str(middle))})
    sandbox.query(f"DELETE FROM {AUDIT} WHERE id = {middle + 5000}")
    both = {("changed", str(middle)), ("deleted", str(middle + 5000))}
    _scan(made, "and one deleted", wanted=both)
    sandbox.query(
        f"INSERT INTO {AUDIT} (event_id, participant_id, action)"
        f" SELECT event_id, participant_id, action FROM {AUDIT} ORDER BY id LIMIT 10000"
    )
    _scan(made, "and 10,000 appended", wanted=both)
    kept = sum(file.stat().st_size for file in made.folder.rglob("*") if file.is_file())
    print(f"{'median with nothing to find':<32}{told[1]:7.2f} s")
    each = kept / (rows + 10_000)
    print(f"{'baseline on disk':<32}{kept / (1 << 20):7.1f} MiB, {each:.0f} bytes a row")
    return 0


def _scan(made: Scanner, what: str, *words: str, wanted: set[tuple[str, str]]) -> float:
    began = time.monotonic()
    said = made.scan(*words)
    seconds = time.monotonic() - began
    print(f"{what:<32}{seconds:7.2f} s", flush=True)
    if said.found != wanted:
        sys.exit(f"wrong: {said.told}")
    return seconds


def _read(made: Scanner) -> float:
    client = str(made.sandbox.database.programs.client)
    login = f"--defaults-file={made.sandbox.root / 'root.cnf'}"
    began = time.monotonic()
    subprocess.run(
        [client, login, "--quick", "--execute", READ], check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
