"""How fast logs are read, and what a flood does: python -m bench.flood

On a sandbox, over its real sshds. First a log of `--lines` lines that was
never read (one in fifty an error, then all of them): lines a second until all
is counted. Then both application hosts log `--rate` lines a second for
`--seconds`: how far behind the following was at most, and what share of one
core this program and its hosts' scripts took.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from runbook import inventory
from runbook.hosts.remote import Hosts
from runbook.monitor import asking, sources
from runbook.monitor.watch import Watch
from runbook.perform.following import LEAST, begin, length_after
from sandbox.sandbox import Sandbox

HOSTS = ("app1", "app2")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=30)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Sandbox.running(folder / ".sandbox") as sandbox:
            for share in (50, 1):
                _backlog(sandbox, folder, chosen.lines, share)
            _flood(sandbox, folder, chosen.rate, chosen.seconds)


def line(number: int, share: int, now: float) -> str:
    """Return a line of JSON, of which one in `share` is an error."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    level = "info" if number % share else "error"
    said = f"participant {number} of event {number % 977} was not marked: Deadlock found"
    fields = {"time": f"{stamp}.{number % 1000:03d}Z", "level": level, "op": "attend", "msg": said}
    return json.dumps(fields) + "\n"


class Reader:
    """Reads the log of a host as `invoke monitor` does, in this process."""

    def __init__(self, sandbox: Sandbox, folder: Path, host: str) -> None:
        for name in HOSTS:
            (folder / name).mkdir(exist_ok=True)
        file = str(folder / "{host}" / "api.log")
        text = {"logs": {"api": {"role": "app", "file": file}}}
        path = sandbox.write_inventory(folder / "inventory.yaml", text)
        self.environment = inventory.load(path).environment("sandbox")
        feeds = sources.feeds(self.environment)
        self.feed = next(feed for feed in feeds if feed.host == host)
        now = time.time()
        self.watch = begin(self.environment, (self.feed,), Watch(now, now, now + 1e5), now).watch
        log = self.environment.logs[0]
        mark = sources.begin(log, now - 86400)
        self.source = sources.source(log, host, mark, self.environment.monitor.history)
        self.terms = sources.terms(log, "error")
        self.length, self.lines, self.size, self.behind = LEAST, 0, 0, False

    def read(self, hosts: Hosts) -> bool:
        """Read a piece; return whether there is more."""
        asked = time.time()
        taken = asking.more(hosts, self.feed, self.source, self.terms, self.length)
        now = time.time()
        self.watch.take(self.feed.key, taken, asked, now, self.environment.monitor)
        self.length = length_after(self.length, now - asked)
        self.lines += taken.harvest.lines
        self.size += taken.harvest.used
        self.behind = taken.more
        return taken.more


def _backlog(sandbox: Sandbox, folder: Path, count: int, share: int) -> None:
    reader = Reader(sandbox, folder, "app1")
    path = folder / "app1" / "api.log"
    now = time.time()
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line(number, share, now) for number in range(count))
    with Hosts(reader.environment) as hosts:
        hosts.run("app1", "true")
        began, cpu = time.monotonic(), time.process_time()
        while reader.read(hosts):
            pass
        took, used = time.monotonic() - began, time.process_time() - cpu
    path.unlink()
    what = "all errors" if share == 1 else f"one in {share} an error"
    print(
        f"{count:,} lines of {reader.size / max(1, reader.lines):.0f} bytes, {what}: "
        f"{reader.lines / took:,.0f} lines/s ({reader.lines / used:,.0f} per CPU second here), "
        f"{reader.lines:,} counted"
    )


def _flood(sandbox: Sandbox, folder: Path, rate: int, seconds: int) -> None:
    ended = threading.Event()
    written = dict.fromkeys(HOSTS, 0)
    writers = [_writer(folder, host, rate, seconds, written) for host in HOSTS]
    readers = {host: Reader(sandbox, folder, host) for host in HOSTS}
    behind = dict.fromkeys(HOSTS, 0)

    def follow(host: str, hosts: Hosts) -> None:
        while readers[host].read(hosts) or not ended.is_set():
            time.sleep(0.0 if readers[host].behind else 0.2)

    with Hosts(readers["app1"].environment) as hosts:
        hosts.each(HOSTS, lambda host: hosts.run(host, "true"))
        for host in HOSTS:
            while readers[host].read(hosts):
                pass
        cpu, began = time.process_time(), time.monotonic()
        threads = [threading.Thread(target=follow, args=(host, hosts)) for host in HOSTS]
        for thread in (*writers, *threads):
            thread.start()
        while any(writer.is_alive() for writer in writers):
            time.sleep(0.5)
            for host in HOSTS:
                size = (folder / host / "api.log").stat().st_size
                behind[host] = max(behind[host], size - readers[host].size)
        ended.set()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        share = (time.process_time() - cpu) / took
    each = max(1, sum(r.size for r in readers.values())) / max(1, sum(written.values()))
    print(
        f"two hosts, {sum(written.values()) / seconds:,.0f} lines/s together for {seconds} s, all "
        f"errors: {sum(r.lines for r in readers.values()):,} of {sum(written.values()):,} counted, "
        f"at most {max(behind.values()) / each / rate:.1f} s behind, all of it "
        f"{took - seconds:.1f} s after the end; {share:.0%} of a core here"
    )


def _writer(
    folder: Path, host: str, rate: int, seconds: int, written: dict[str, int]
) -> threading.Thread:
    """Return a thread that has another process write a log at a rate, and waits for it."""
    path = folder / host / "api.log"
    path.write_bytes(b"")
    script = (
        "import sys, time; from pathlib import Path; from bench.flood import line\n"
        f"end = time.time() + {seconds}; n = 0\n"
        f"with Path({str(path)!r}).open('a') as file:\n"
        "    while (now := time.time()) < end:\n"
        f"        due = int((now - end + {seconds}) * {rate})\n"
        "        file.writelines(line(i, 1, now) for i in range(n, due)); file.flush()\n"
        "        n = max(n, due); time.sleep(0.01)\n"
        "sys.exit(0)\n"
    )

    def run() -> None:
        subprocess.run([sys.executable, "-c", script], check=True)
        with path.open("rb") as file:
            written[host] = sum(1 for _ in file)

    return threading.Thread(target=run)


if __name__ == "__main__":
    main()
