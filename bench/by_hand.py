"""The program against typing the same work by hand with ssh and mysql: python -m bench.by_hand

Both do the same job on the same sandbox (MariaDB, 200,000 participants), in
turn, in one run; what counts is the ratio of each pair, since machines are
noisy. By hand is what the written runbook has one type, one ssh a command:
look at transactions, locks, grants, sizes, disk and programs; then the
migration's files and the verification's files into `mysql`. The program does
more in the same time (it opens one connection a host, looks at all at once,
keeps a ledger, and compares before and after). No dump is taken: a verified one
is young enough, and by hand nobody takes one.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.sandbox import Sandbox

PROJECT = Path(__file__).resolve().parent.parent
ROOT = PROJECT / ".sandbox"
CHANGE = PROJECT / "sql" / "attendance"

LOOKS = (
    "SELECT * FROM information_schema.INNODB_TRX",
    "SHOW FULL PROCESSLIST",
    "SHOW GRANTS",
    "SELECT @@version, @@read_only, @@log_bin",
    "SELECT IS_USED_LOCK('runbook:vaulteer')",
    "SHOW TABLE STATUS",
    "SHOW CREATE TABLE event_participants",
    "SELECT COUNT(*) FROM event_participants",
    "SHOW SLAVE STATUS",
)
SHELLS = (
    ("db1", "df -Pk .; command -v mysqldump zstd; mysqldump --help >/dev/null"),
    ("app1", "true"),
    ("app2", "true"),
)


def main() -> int:
    """Measure both jobs and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=200_000)
    chosen = parser.parse_args()
    if ROOT.exists():
        print("A sandbox is there already; end it with: invoke sandbox.down")
        return 2
    with Sandbox.running(ROOT, rows=chosen.rows) as sandbox:
        _invoke("backup")
        pairs = {
            "preview": (lambda: _invoke("migrate", "--dry-run"), lambda: _look_by_hand(sandbox)),
            "migrate and verify": (
                lambda: _invoke("migrate"),
                lambda: _migrate_by_hand(sandbox),
            ),
        }
        for name, (program, hand) in pairs.items():
            taken = [_pair(sandbox, chosen.rows, program, hand) for _ in range(chosen.rounds)]
            ours, theirs = zip(*taken, strict=True)
            ratio = statistics.median(a / b for a, b in taken)
            print(
                f"{name:<20} program {statistics.median(ours):5.2f} s"
                f"   by hand {statistics.median(theirs):5.2f} s   ratio {ratio:4.2f}"
                f"   (medians of {chosen.rounds} pairs)"
            )
    return 0


def _pair(
    sandbox: Sandbox, rows: int, program: Callable[[], None], hand: Callable[[], None]
) -> tuple[float, float]:
    """Time both jobs, each on the same fresh database."""
    seconds = []
    for job in (program, hand):
        sandbox.reset(rows)
        began = time.monotonic()
        job()
        seconds.append(time.monotonic() - began)
    return seconds[0], seconds[1]


def _invoke(command: str, *options: str) -> None:
    words = [sys.executable, "-m", "invoke", command, "--env=sandbox", *options]
    subprocess.run(words, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


def _look_by_hand(sandbox: Sandbox) -> None:
    for text in LOOKS:
        _mysql(sandbox, text)
    for host, command in SHELLS:
        _ssh(sandbox, host, command)


def _migrate_by_hand(sandbox: Sandbox) -> None:
    for folder in ("migrate", "verify"):
        for file in sorted((CHANGE / folder).glob("*.sql")):
            _mysql(sandbox, file.read_text(encoding="utf-8"))


def _mysql(sandbox: Sandbox, text: str) -> None:
    _ssh(sandbox, "db1", f"mysql --defaults-extra-file={sandbox.root / 'root.cnf'} vaulteer", text)


def _ssh(sandbox: Sandbox, host: str, command: str, text: str = "") -> None:
    ssh = str(sandbox.hosts[host].programs.ssh)
    words = [ssh, "-F", str(sandbox.root / "ssh_config"), host, command]
    subprocess.run(words, input=text.encode(), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
