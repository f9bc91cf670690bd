"""Read a secret from where the inventory says it is, when it is needed.

No message says anything of what was read, nor of the command that was run.
"""

from __future__ import annotations

import os
import selectors
import signal
import stat
import subprocess
import sys
import time
import unicodedata
from contextlib import suppress
from pathlib import Path

from runbook.environment import Secret
from runbook.errors import UsageError
from runbook.inventory.files import IrregularError, beginning
from runbook.visible import clean

COMMAND_TIMEOUT = 30.0
LONGEST = 16 * 1024


class SecretError(UsageError):
    """The secret cannot be had; the message says why, the advice what to do."""


def read_secret(secret: Secret, timeout: float = COMMAND_TIMEOUT) -> str:
    """Return the secret, without the one line break it may end with.

    `timeout` is in seconds and limits a command. Raises SecretError when the
    source is missing, fails, is open to others, or holds nothing of one line.
    """
    if secret.env is not None:
        what = f"the environment variable {secret.env}"
        data = _from_environment(secret.env, secret)
    elif secret.file is not None:
        what = f"the {secret.what} file {secret.file}"
        data = _from_file(secret.file, secret)
    else:
        what = f"the {secret.what}'s command"
        data = _from_command(secret.command or "", timeout, secret)
    return _value(data, what, secret)


def _value(data: bytes, what: str, secret: Secret) -> str:
    if len(data) > LONGEST:
        raise _error(
            secret, f"{what} holds more than {LONGEST // 1024} KiB", "Is it the right one?"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _error(
            secret, f"{what} is not UTF-8 text", f"Store the {secret.what} as UTF-8."
        ) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _error(secret, f"{what} is empty", f"Put the {secret.what} there and run again.")
    if any(unicodedata.category(char) == "Cc" for char in text):
        message = f"{what} holds more than one line, or a control character"
        raise _error(
            secret, message, f"Let it hold the {secret.what} alone, such as by `… | head -n 1`."
        )
    return text


def _from_environment(name: str, secret: Secret) -> bytes:
    value = os.environb.get(name.encode())
    if value is None:
        advice = f"Set and export {name}, then run again."
        raise _error(secret, f"the environment variable {name} is not set", advice)
    return value


def _from_file(path: Path, secret: Secret) -> bytes:
    try:
        held = beginning(path, LONGEST + 1)
    except IrregularError:
        raise _error(secret, f"the {secret.what} file {path} is not a regular file", "") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a path cannot hold NUL"
        message = f"the {secret.what} file {path} cannot be read: {reason}"
        raise _error(secret, message, "Create it with mode 600.") from None
    if held.mode & stat.S_IRWXO:
        message = f"the {secret.what} file {path} is open to every user of this machine"
        raise _error(secret, message, f"chmod 600 {path}")
    return held.data


def _from_command(command: str, timeout: float, secret: Secret) -> bytes:
    """Run `command` by sh; it can ask nothing, and its complaints go to the terminal.

    They go there through us, so that they do not end up in the line that a
    console redraws.
    """
    try:
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        message = f"the {secret.what}'s command cannot be started: {error.strerror}"
        raise _error(secret, message, "") from None
    with process:
        try:
            output, status = _wait(process, time.monotonic() + timeout)
        except TimeoutError:
            message = f"the {secret.what}'s command had not ended after {timeout:g} s"
            raise _error(secret, message, "It must not ask questions; try it by hand.") from None
        finally:
            _kill(process)
    if status != 0 and len(output) <= LONGEST:
        message = f"the {secret.what}'s command ended with status {status}"
        raise _error(secret, message, "Try it by hand; what it said is above.")
    if not output.strip(b"\r\n"):
        raise _error(secret, f"the {secret.what}'s command printed nothing", "Try it by hand.")
    return output


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, int | None]:
    """Return what it printed, cut off when too long, and its exit status.

    Raises TimeoutError at `deadline`, also when something it has left behind
    keeps its output open.
    """
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ)

        def read(seconds: float) -> bool:
            """Read what there is, for which is waited; return whether there was something."""
            ready = selector.select(seconds)
            for key, _ in ready:
                chunk = os.read(key.fd, LONGEST)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output.extend(chunk)
                else:
                    _pass_on(chunk)
            return bool(ready)

        while process.stdout in selector.get_map():
            if not read(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            if len(output) > LONGEST:
                return bytes(output), None
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        read(0.0)  # its last words
    return bytes(output), status


def _pass_on(complaint: bytes) -> None:
    with suppress(OSError, ValueError):  # standard error may be closed
        sys.stderr.write(clean(complaint.decode(errors="replace")))
        sys.stderr.flush()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and whatever it started, unless it has ended by itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _error(secret: Secret, message: str, advice: str) -> SecretError:
    return SecretError(f"{secret.source}: {message}" if secret.source else message, advice=advice)
