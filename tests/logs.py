"""Logs of the sandbox's hosts for the tests: written, rotated, and what was counted of them."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.sandbox import Sandbox
from tests.support import Bench, bench

HOSTS = ("app1", "app2")
QUICK = {"silence": "2s", "connect": "3s"}
"""Time-outs for tests that wait for one; a busy machine may well need longer to answer."""


def stamp(seconds: float) -> str:
    """Return a time as logs have it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def line(seconds: float, message: str, level: str = "error") -> str:
    """Return a line of JSON, as the application writes it."""
    return json.dumps({"time": stamp(seconds), "level": level, "msg": message}) + "\n"


def history(hours: float, errors: float, *, until: float | None = None, seed: int = 1) -> str:
    """Return a log of so many hours: ten lines a minute, so many of them errors on average."""
    source = random.Random(seed)
    end = time.time() if until is None else until
    at, text = end - hours * 3600, []
    while (at := at + source.expovariate(1 / 6)) < end:
        level = "error" if source.random() < errors / 10 else "info"
        text.append(line(at, f"request {source.randrange(1000)} took {at % 9:.0f} ms", level))
    return "".join(text)


def place(sandbox: Sandbox, folder: Path, **overrides: Any) -> Bench:
    """Return a bench whose hosts app1 and app2 have a log each, called api: see `log`."""
    for host in HOSTS:
        log(folder, host).parent.mkdir(exist_ok=True)
    api = {"role": "app", "file": f"{folder}/{{host}}/api.log"}
    settings: dict[str, Any] = {
        "logs": {"api": api},
        "monitor": {"interval": "100ms"},
    }
    return bench(sandbox, folder, **(settings | overrides))


def log(folder: Path, host: str) -> Path:
    """Return the log of a host."""
    return folder / host / "api.log"


def counted(place: Bench, shape: str) -> int:
    """Return how many messages of a shape were counted since the watch began."""
    folder = place.folder / ".runbook" / "test" / "monitor"
    kept = next(file for n in ("watch.json", "last.json") if (file := folder / n).exists())
    groups = json.loads(kept.read_text())["watch"]["groups"]
    return sum(group["shapes"].get(shape, {"after": 0})["after"] for group in groups.values())


class Writer(threading.Thread):
    """An application that logs numbered errors as fast as `pause` allows, and rotates its log."""

    def __init__(self, path: Path, *, pause: float = 0.002, every: int = 150) -> None:
        super().__init__()
        self.path, self.pause, self.every = path, pause, every
        self.written = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Write until it is stopped; rotations take turns: renamed, copied, packed."""
        file = self.path.open("ab", buffering=0)
        while not self._ended.is_set():
            text = f"{stamp(time.time())} ERROR number {self.written} is lost\n".encode()
            cut = len(text) // 2
            file.write(text[:cut])  # lines come in two halves
            file.write(text[cut:])
            self.written += 1
            if self.written % self.every == 0:
                file = self._rotate(file, self.written // self.every)
            time.sleep(self.pause)
        file.close()

    def _rotate(self, file: Any, turn: int) -> Any:
        number = self.path.with_name(f"api.log.{turn}")
        if turn % 3 == 1:
            shutil.copyfile(self.path, number)
            os.truncate(self.path, 0)
            return file
        self.path.rename(number)
        file.close()
        if turn % 3 == 2:
            packed = self.path.with_name(f"{number.name}.gz")
            with gzip.open(packed, "wb") as out:
                out.write(number.read_bytes())
            stat = number.stat()
            os.utime(packed, (stat.st_atime, stat.st_mtime))
            number.unlink()
        return self.path.open("ab", buffering=0)

    def stop(self) -> None:
        """Stop, and wait until the last line is written."""
        self._ended.set()
        self.join()


@contextmanager
def writing(path: Path, **options: Any) -> Iterator[Writer]:
    """Write to a log for the time of a `with` block."""
    writer = Writer(path, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def cut(sandbox: Sandbox, host: str) -> None:
    """Cut every connection to a host."""
    for process in sandbox.connections(host):
        process.send(signal.SIGKILL)


def append(place: Bench, host: str, text: str) -> None:
    """Write more to a host's log."""
    with log(place.folder, host).open("a") as file:
        file.write(text)


@contextmanager
def following(place: Bench) -> Iterator[subprocess.Popen[str]]:
    """Follow in a process of its own, which ends with the `with` block at the latest."""
    with place.start("monitor", "--env=test", "--json") as process:
        try:
            until((place.folder / ".runbook" / "test" / "monitor" / "watch.json").exists)
            yield process
        finally:
            process.kill()


def until(holds: object, seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():  # type: ignore[operator]
                return
        except (StopIteration, json.JSONDecodeError):
            pass  # nothing is kept yet
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def untouched(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox on whose database nobody has ever run anything."""
    sandbox.resume()
    sandbox.query("DROP TABLE IF EXISTS vaulteer.runbook_ledger")
    return sandbox


def logged(sandbox: Sandbox, folder: Path, **overrides: Any) -> Bench:
    """Return a bench whose two hosts have logged six hours, part of it rotated and packed."""
    here = place(sandbox, folder, **overrides)
    now = time.time()
    old = log(folder, "app1").with_name("api.log.2.gz")
    old.write_bytes(gzip.compress(history(4, 2, until=now - 7200).encode()))
    os.utime(old, (now - 7200, now - 7200))
    log(folder, "app1").write_text(history(2, 2))
    log(folder, "app2").write_text(history(6, 2, seed=2))
    return here
