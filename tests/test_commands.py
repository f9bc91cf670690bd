"""The command line as typed: help, mistakes, exit statuses, JSON, and where secrets are not."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from runbook.inventory.reference import reference
from sandbox.sandbox import Sandbox
from tests.searching import searching
from tests.support import DOCUMENT, PROJECT, SCHEMA, Bench, Ran, bench


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB."""
    return bench(mariadb, tmp_path)


def typed(place: Bench, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Type `invoke …` and return exit status and everything printed."""
    with place.start(*words, env=env) as process:
        out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_list_names_every_command() -> None:
    """`invoke --list` shows each command with one sentence."""
    out = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in ("status", "preflight", "backup", "restore", "migrate", "verify", "export"):
        assert f"  {name} " in out
    assert "sandbox.up" in out


def test_list_imports_no_library_that_only_a_command_needs() -> None:
    """Listing stays quick, since SSH, SQL and terminal libraries wait for a command."""
    code = (
        "import sys, tasks; print([m for m in ('fabric', 'paramiko', 'pymysql', 'rich', 'jinja2',"
        " 'apprise') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify"], "test"),
        (["verify", "--env="], "test"),
        (["verify", "--env=tset"], "test"),
        (["migrate", "--env=--dry"], "test"),
    ],
)
def test_a_wrong_environment_is_a_usage_error(place: Bench, words: list[str], said: str) -> None:
    """A missing or misspelt environment exits with 2 and names the ones there are."""
    status, out = typed(place, *words)
    assert status == 2
    assert said in out
    assert "Traceback" not in out


def test_every_inventory_mistake_is_told_with_its_place(place: Bench) -> None:
    """A broken inventory exits with 2, each mistake with file, line and column."""
    text = (place.folder / "inventory.yaml").read_text()
    (place.folder / "inventory.yaml").write_text(
        text.replace("keep: 3", "kep: 3\n      max_age: 9")
    )
    status, out = typed(place, "verify", "--env=test")
    assert status == 2
    assert out.count("inventory.yaml:") >= 2
    assert "keep" in out


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--dry", "migrate", "--env=test", "--json"], {}),
        (["migrate", "--env=test", "--json"], {"INVOKE_RUN_DRY": "1"}),
        (["migrate", "--env=test", "--json", "--dry-run"], {}),
    ],
    ids=["invoke --dry", "INVOKE_RUN_DRY", "--dry-run"],
)
def test_every_way_to_say_dry_is_dry(place: Bench, words: list[str], env: dict[str, str]) -> None:
    """Invoke's own dry mode, by flag or environment, is taken as ours."""
    before = place.schema()
    status, out = typed(place, *words, env=env)
    assert status == 0
    assert json.loads(out)["dry_run"] is True
    assert place.schema() == before
    assert not place.sandbox.query("SHOW TABLES FROM vaulteer LIKE 'runbook_ledger'")


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--env=test"],
        ["preflight", "--env=test"],
        ["migrate", "--env=test", "--dry-run"],
        ["verify", "--env=test"],
        ["verify", "--env=nowhere"],
        ["rollback", "--env=test"],
    ],
    ids=" ".join,
)
def test_json_is_one_document_with_the_documented_keys(place: Bench, words: list[str]) -> None:
    """Standard output is exactly one JSON document, and its exit status is the real one."""
    status, out = typed(place, *words, "--json")
    document = json.loads(out)
    DOCUMENT.validate(document)
    assert document["exit_status"] == status


def test_readme_documents_every_key_of_the_document() -> None:
    """README's table names each key that --json prints, as the schema has them, and no other."""
    readme = (PROJECT / "README.md").read_text()
    table = readme.partition("## `--json`")[2].partition("\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {key for cell in first for key in re.findall("`([a-z_]+)`", cell)} == set(
        SCHEMA["properties"]
    )


def test_every_command_that_readme_shows_can_be_typed() -> None:
    """Each `invoke …` in README is a command, with options that it has."""
    readme = (PROJECT / "README.md").read_text()
    shown = re.findall(r"invoke ([a-z]+(?:\.[a-z]+)?)((?: --[a-z-]+(?:=[^\s`]+)?)*)", readme)
    assert len(shown) > 20
    for name, typed_options in shown:
        task = tasks.namespace[name]
        options = {word.rstrip("_") for word in inspect.signature(task.body).parameters}
        for option in re.findall(r"--([a-z-]+)", typed_options):
            assert option.replace("-", "_") in options, (name, option)


def test_the_commands_of_the_on_call_are_one_screen() -> None:
    """The page of commands is one block of at most 24 lines that names every command."""
    readme = (PROJECT / "README.md").read_text()
    block = readme.partition("## On call")[2].split("```\n")[1]
    assert len(block.splitlines()) <= 24
    assert not [name for name in tasks.namespace.tasks if f"invoke {name} " not in block]


def test_the_schema_of_the_document_is_strict() -> None:
    """The schema is a valid one, and an unknown key or a missing one is no such document."""
    DOCUMENT.check_schema(SCHEMA)
    assert not DOCUMENT.is_valid({})


def test_readme_holds_the_inventory_reference() -> None:
    """The reference in README is the one that the code generates."""
    assert reference().strip() in (PROJECT / "README.md").read_text()


def test_without_a_terminal_output_is_plain(place: Bench) -> None:
    """Piped output has no escape sequences and still says each step."""
    status, out = typed(place, "migrate", "--env=test")
    assert status == 0, out
    assert "\x1b" not in out
    assert "verify" in out


def test_the_password_is_nowhere_while_a_run_goes_on(mariadb: Sandbox, tmp_path: Path) -> None:
    """No process's arguments or environment, output or journal hold it, nor the URL of a notice."""
    mariadb.reset(rows=20_000, partial=True)
    url = tmp_path / "chat.url"
    url.touch(mode=0o600)
    url.write_text("json://127.0.0.1:9/t0k3n-of-the-chat\n")
    place = bench(mariadb, tmp_path, notify={"chat": {"url": {"file": str(url)}}})
    secrets = (mariadb.password("migrator"), "t0k3n-of-the-chat")
    with searching(*secrets):
        outputs = [
            typed(place, command, "--env=test")
            for command in ("migrate", "export", "rollback", "status")
        ]
    assert [status for status, _ in outputs] == [0, 0, 0, 0], outputs
    files = [file for file in tmp_path.rglob("*") if file.is_file() and ".runbook" in file.parts]
    assert files
    said = [*(file.read_text() for file in files), *(out for _, out in outputs)]
    assert not [text for text in said if any(secret in text for secret in secrets)]
    assert "chat was not told" in outputs[0][1]


def test_what_a_failing_test_shows_of_a_command_is_short() -> None:
    """Its status and message, and not the whole document in one line."""
    ran = Ran(1, {"message": "no " * 1000, "steps": ["x" * 10_000]})
    assert repr(ran).startswith("Ran(1, 'no no ")
    assert len(repr(ran)) < 250
