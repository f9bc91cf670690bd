"""Passwords: read from where they are, one clear error when they cannot be, never shown."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.environment import Secret
from runbook.inventory import load
from runbook.inventory.secrets import LONGEST, SecretError, read_secret
from runbook.site import opened
from tests.inventories import GOOD, write
from tests.support import PROJECT

SHIPPED = PROJECT / "sql" / "attendance"
SOURCE = "inventory.yaml:12"


def refusal(secret: Secret, timeout: float = 5.0) -> SecretError:
    """Return the error that reading `secret` ends with; it never shows hunter2."""
    with pytest.raises(SecretError) as caught:
        read_secret(secret, timeout)
    assert "hunter2" not in caught.value.message + caught.value.advice
    assert caught.value.__cause__ is None
    return caught.value


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> Secret:
    """Return the secret in a new file of `data` with `mode`."""
    path = folder / "password"
    path.write_bytes(data)
    path.chmod(mode)
    return Secret(file=path, source=SOURCE)


def command(text: str) -> Secret:
    """Return the secret that the shell command `text` prints."""
    return Secret(command=text, source=SOURCE)


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"  hunter 2 \n", "  hunter 2 "),
        ("gehe\u00efm \U0001f511\n".encode(), "gehe\u00efm \U0001f511"),
        (b"'\"\\#;$(x)`\n", "'\"\\#;$(x)`"),
    ],
)
def test_only_the_line_break_at_the_end_is_taken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, password: str
) -> None:
    """File, command and variable give the same password, spaces and all characters kept."""
    secret = secret_file(tmp_path, data)
    monkeypatch.setenv("RUNBOOK_PASSWORD", data.decode())
    assert read_secret(secret) == password
    assert read_secret(command(f"cat {secret.file}")) == password
    assert read_secret(Secret(env="RUNBOOK_PASSWORD")) == password


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\nuser=root\n", "holds more than one line, or a control character"),
        (b"hunter2\n\n", "holds more than one line, or a control character"),
        (b"hunter2\0", "holds more than one line, or a control character"),
        (b"hunter2\xff", "is not UTF-8 text"),
        (b"hunter2" * LONGEST, "holds more than 16 KiB"),
    ],
)
def test_a_file_that_holds_no_password_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    """Empty, several lines, control characters, other encodings and large files are named."""
    secret = secret_file(tmp_path, data)
    assert refusal(secret).message == f"{SOURCE}: the password file {secret.file} {said}"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o601, 0o602])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of other users is refused, with the command that takes it away."""
    secret = secret_file(tmp_path, b"hunter2\n", mode)
    error = refusal(secret)
    assert error.message.endswith("is open to every user of this machine")
    assert error.advice == f"chmod 600 {secret.file}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder, a named pipe and an impossible name are said at once."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, said in {
        "none": "cannot be read: No such file or directory",
        ".": "cannot be read: Is a directory",
        "pipe": "is not a regular file",
        "a\0b": "cannot be read: a path cannot hold NUL",
    }.items():
        path = tmp_path / name
        message = refusal(Secret(file=path, source=SOURCE)).message
        assert message == f"{SOURCE}: the password file {path} {said}"


def test_a_variable_that_is_unset_or_empty_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, and the advice says to set and export it."""
    monkeypatch.delenv("RUNBOOK_PASSWORD", raising=False)
    secret = Secret(env="RUNBOOK_PASSWORD", source=SOURCE)
    error = refusal(secret)
    assert error.message == f"{SOURCE}: the environment variable RUNBOOK_PASSWORD is not set"
    assert "export RUNBOOK_PASSWORD" in error.advice
    monkeypatch.setenv("RUNBOOK_PASSWORD", "")
    assert (
        refusal(secret).message == f"{SOURCE}: the environment variable RUNBOOK_PASSWORD is empty"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo hunter2; exit 3", "the password's command ended with status 3"),
        ("kill -9 $$", "the password's command ended with status -9"),
        ("no-such-program-hunter2", "the password's command ended with status 127"),
        ("true", "the password's command printed nothing"),
        ("echo", "the password's command printed nothing"),
        ("echo hunter2; echo more", "the password's command holds more than one line, or a "),
        ("cat", "the password's command printed nothing"),
        ("yes hunter2", "the password's command holds more than 16 KiB"),
        ("yes hunter2 & sleep 60", "the password's command holds more than 16 KiB"),
    ],
)
def test_a_command_that_gives_no_password_is_refused(text: str, said: str) -> None:
    """Failing, silent, chatty and endless commands are refused without repeating them."""
    assert refusal(command(text)).message.startswith(f"{SOURCE}: {said}")


@pytest.mark.parametrize(
    "text",
    [
        "sleep 60",
        "sleep 60 & sleep 60",
        "setsid sleep 3 & echo hunter2",
        "exec >&-; sleep 60",
        "trap '' TERM INT; sleep 60",
    ],
)
def test_a_command_that_does_not_end_is_given_up(text: str) -> None:
    """After the time-out it is killed with all it started, and the message says so."""
    start = time.monotonic()
    error = refusal(command(text), timeout=0.2)
    assert error.message.endswith("the password's command had not ended after 0.2 s")
    assert time.monotonic() - start < 2


def test_nothing_of_a_command_is_left_running(tmp_path: Path) -> None:
    """What the command started in the background ends with it."""
    pid = tmp_path / "pid"
    refusal(command(f"sleep 60 & echo $! > {pid}; wait"), timeout=0.3)
    process = Path("/proc") / pid.read_text().strip() / "stat"
    for _ in range(50):
        if not process.exists() or process.read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the command's child is still running")


def test_a_command_can_ask_nothing_and_complains_to_the_terminal() -> None:
    """It has no input and no terminal; what it says on standard error passes through."""
    text = 'read x; [ -z "$x" ] && ! (: < /dev/tty) 2>/dev/null && echo why >&2 && echo it'
    code = (
        "from runbook.environment import Secret; from runbook.inventory.secrets import read_secret;"
        f"print(read_secret(Secret(command={text!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="typed\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert (done.stdout, done.stderr) == ("it\n", "why\n")


def test_a_password_that_cannot_be_had_is_asked_for_once(tmp_path: Path) -> None:
    """However many connections want it, its command fails once, and each is told."""
    ran = tmp_path / "ran"
    text = GOOD.replace("{env: DB_PASSWORD}", f"{{command: echo x >> {ran}; exit 3}}")
    environment = load(write(tmp_path, text)).environment("staging")
    with opened(replace(environment, change=SHIPPED)) as site:
        for _ in range(2):
            with pytest.raises(SecretError, match="ended with status 3"):
                site.password()
    assert ran.read_text() == "x\n"
