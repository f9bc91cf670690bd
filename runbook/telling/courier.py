"""One notice on its way to one recipient: a process of its own, and the only import of apprise.

A process, since the code of a hundred services is none that should run beside
a migration: it can hang, and can be killed. It reads the URL itself, so that
this one never knows it. What a service says of a failure may hold pieces of the
URL, which is a secret: they are taken out.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import runbook
from runbook.environment import Recipient, Secret
from runbook.errors import RunbookError
from runbook.events import redact
from runbook.inventory.secrets import read_secret

PATIENCE = 60
"""Seconds that a notice may take."""
SHORTEST = 4
"""Characters of a piece of a URL that is worth hiding; a shorter one is no secret."""
LONGEST_REASON = 200


@dataclasses.dataclass(frozen=True)
class Message:
    """What is to be told; `kind` is apprise's: info, success, warning or failure."""

    title: str
    body: str
    kind: str


class Courier:
    """A message on its way to a recipient, `about` one occasion."""

    def __init__(self, recipient: Recipient, about: str, message: Message) -> None:
        self.recipient = recipient
        self.about = about
        self.began = time.monotonic()
        told = {"secret": _plain(recipient.url), "message": dataclasses.asdict(message)}
        folder = str(Path(runbook.__path__[0]).parent)
        path = filter(None, (folder, os.environ.get("PYTHONPATH")))
        # A session of its own: Ctrl-C at the terminal is not for a notice.
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            start_new_session=True,
        )
        if self._process.stdin:
            self._process.stdin.write(json.dumps(told).encode())
            self._process.stdin.close()

    def failure(self) -> str | None:
        """Return why it did not arrive, nothing when it did, and None while nobody knows."""
        if self._process.poll() is None:
            return None
        with self._process:
            out = self._process.stdout.read() if self._process.stdout else b""
        if self._process.returncode == 0:
            return ""
        return out.decode(errors="replace").strip() or f"ended by {self._process.returncode}"

    def wait(self, seconds: float) -> None:
        """Wait for the end, so long at most."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return

    def give_up(self) -> None:
        """End it where it is."""
        self._process.kill()
        self._process.wait()


def main() -> int:
    """Send the notice told on standard input; print why it failed and return an exit status."""
    signal.alarm(PATIENCE)
    told = json.load(sys.stdin)
    secret = told["secret"]
    url = ""
    try:
        path = secret.pop("file")
        url = read_secret(Secret(file=Path(path) if path else None, **secret))
        failure = _send(url, Message(**told["message"]))
    except RunbookError as error:
        failure = error.message
    except Exception as error:  # a service's code may raise anything
        failure = f"{type(error).__name__}: {error}"
    print(_reason(failure, url), flush=True)
    return 1 if failure else 0


def _send(url: str, message: Message) -> str:
    """Send a message; return why that failed, or nothing."""
    import apprise  # noqa: PLC0415 - half a second that only notices are worth

    overheard = _Overheard()
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="runbook"))
    if not service.add(url):
        return "apprise does not understand its URL"
    sent = service.notify(
        body=message.body,
        title=message.title,
        notify_type=message.kind,
        body_format=apprise.NotifyFormat.TEXT,
    )
    return "" if sent else overheard.last or "it was not taken"


def _plain(secret: Secret) -> dict[str, str | None]:
    return {**vars(secret), "file": str(secret.file) if secret.file else None}


def _reason(text: str, url: str) -> str:
    """Return why something failed, in one line without any piece of the URL."""
    return redact(" ".join(text.split()), (url, *_pieces(url)))[:LONGEST_REASON]


def _pieces(url: str) -> set[str]:
    """Return whatever of a URL may be secret, as it stands and decoded: all but its scheme."""
    rest = url.partition("://")[2] or url
    found = {piece for piece in re.split(r"[^\w.~%+-]+", rest) if len(piece) >= SHORTEST}
    return found | {unquote(piece) for piece in found}


class _Overheard(logging.Handler):
    """The last thing that apprise logged; it goes nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        log = logging.getLogger("apprise")
        log.propagate = False
        log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.last = record.getMessage()


if __name__ == "__main__":
    os._exit(main())  # a service's threads are not waited for
