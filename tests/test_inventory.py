"""The inventory: what it reads, what it refuses, and where it says the mistake is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runbook.application import Health
from runbook.environment import (
    Address,
    Backup,
    Confirm,
    Database,
    Environment,
    Host,
    Policy,
    Secret,
    Timeouts,
)
from runbook.inventory import InventoryError, load
from tests.inventories import GOOD, mistakes_in, mistakes_of, write

PROJECT = Path(__file__).parent.parent
PRODUCTION = """\
  production:
    extends: staging
    about: where the customers are
"""


def table() -> list[tuple[str, str, list[str]]]:
    """The blocks of inventory_mistakes.txt: what is replaced, by what, and what is said."""
    text = (PROJECT / "tests" / "inventory_mistakes.txt").read_text()
    blocks = []
    for block in text.split("\n\n")[1:]:
        lines = block.strip("\n").split("\n")
        old = "\n".join(line[1:] for line in lines if line.startswith("-"))
        new = "\n".join(line[1:] for line in lines if line.startswith("+"))
        blocks.append((old, new, [line for line in lines if line[0] not in "+-"]))
    return blocks


@pytest.mark.parametrize(("old", "new", "said"), table())
def test_every_typical_mistake_is_said_in_one_line_with_its_place(
    old: str, new: str, said: list[str]
) -> None:
    """Each mistake names line, column, key path, what was expected and what was found."""
    assert GOOD.count(old) == 1
    found = mistakes_in(GOOD.replace(old, new))
    lines = [str(mistake).partition("inventory.yaml:")[2] for mistake in found]
    assert [line.replace(": environments.", ": ", 1) for line in lines] == said


def test_the_table_of_mistakes_is_not_small() -> None:
    """At least eighty mistakes are tried, so that an emptied table is noticed."""
    assert len(table()) >= 80


def test_an_environment_is_read_into_values_with_what_it_inherits(tmp_path: Path) -> None:
    """Every value of the file, of its base and of the defaults stands in the Environment."""
    inventory = load(write(tmp_path, GOOD))
    assert inventory.environment("staging") == Environment(
        name="staging",
        about="where releases are tried",
        change=tmp_path,
        hosts=(
            Host("db1", ("db",), user="deploy"),
            Host("app1", ("app",), user="deploy", port=2222),
        ),
        database=Database(
            name="shop",
            via="db1",
            address=Address("127.0.0.1", 3306),
            user="migrator",
            password=Secret(env="DB_PASSWORD", source=f"{inventory.path}:4"),
        ),
        backup=Backup(host="db1", folder="backups", keep=5, max_age=7200.0),
        health=(Health("web", "app", "check-web"),),
        timeouts=Timeouts(connect=5.0),
        policy=Policy(confirm=Confirm.PROMPT, never=("smoke",)),
        state=tmp_path / ".runbook",
        source=f"{inventory.path}:7",
    )


def test_extending_merges_mappings_and_replaces_lists_and_sources(tmp_path: Path) -> None:
    """A mapping is merged deeply; a list, a password's source and a {file: …} are replaced."""
    (tmp_path / "port").write_text("4000\n")
    more = """\
    hosts:
      db1: {roles: [primary], port: {file: port}}
    database: {password: {file: secret}, port: {file: port}}
    policy: {never: []}
"""
    inventory = load(write(tmp_path, GOOD + PRODUCTION + more))
    inventory.check()
    production = inventory.environment("production")
    assert production.host("db1").roles == ("primary",)
    assert production.host("db1").port == 4000
    assert production.host("app1").port == 2222
    assert production.database.password.env is None
    assert production.database.password.file == tmp_path / "secret"
    assert production.database.address == Address("127.0.0.1", 4000)
    assert production.policy.never == ()
    assert production.policy.confirm is Confirm.PROMPT


def test_what_ssh_says_holds_for_hosts_that_say_nothing(tmp_path: Path) -> None:
    """A host's own key wins; the jump host for all is itself reached directly."""
    text = GOOD.replace("user: deploy", "jump: app1\n      user: deploy\n      key: ~/id")
    text = text.replace("{roles: [db]}", "{roles: [db], user: root}")
    hosts = load(write(tmp_path, text)).environment("staging").hosts
    home = Path("~/id").expanduser()
    assert hosts == (
        Host("db1", ("db",), user="root", key=home, jump="app1"),
        Host("app1", ("app",), user="deploy", key=home, port=2222),
    )


def test_a_mistake_in_one_environment_does_not_stop_another(tmp_path: Path) -> None:
    """Staging is usable while production is wrong; production is refused; check refuses both."""
    inventory = load(write(tmp_path, GOOD + PRODUCTION + "    policy: {confirm: plam}\n"))
    assert inventory.environment("staging").name == "staging"
    with pytest.raises(InventoryError, match="did you mean plan"):
        inventory.environment("production")
    with pytest.raises(InventoryError, match="did you mean plan"):
        inventory.check()


def test_a_mistake_in_what_is_extended_stops_and_all_are_said(tmp_path: Path) -> None:
    """An environment on a wrong base is refused, with the mistakes of every environment."""
    text = GOOD.replace("5s", "5") + PRODUCTION + "    policy: {confirm: plam}\n"
    with pytest.raises(InventoryError) as caught:
        load(write(tmp_path, text)).environment("staging")
    assert [mistake.line for mistake in caught.value.mistakes] == [6, 27]


def test_a_mistake_in_a_base_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    """Two environments inherit one wrong value: one line, of the base."""
    path = write(tmp_path, GOOD.replace("5s", "5") + PRODUCTION)
    (mistake,) = mistakes_of(path)
    assert mistake.path == ("environments", "_base", "timeouts", "connect")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stagin", "there is no environment stagin; did you mean staging? There are: staging"),
        ("elsewhere", "there is no environment elsewhere; there are: staging"),
        ("_base", "_base is a base to extend, not an environment; there are: staging"),
        ("--env", "there is no environment --env; there are: staging"),
        ("a\x1b[2J", r"there is no environment a\x1b[2J; there are: staging"),
        ("", "say which environment: --env=staging"),
        (None, "say which environment: --env=staging"),
    ],
)
def test_an_unknown_environment_is_told_what_there_is(
    tmp_path: Path, name: str | None, said: str
) -> None:
    """The names are listed, and the nearest is named for a typing error."""
    with pytest.raises(InventoryError) as caught:
        load(write(tmp_path, GOOD)).environment(name)
    assert caught.value.message == f"{tmp_path}/inventory.yaml: {said}"


def test_messages_name_the_file_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the current folder the file's name is short, wherever the path came from."""
    monkeypatch.chdir(tmp_path)
    (mistake,) = mistakes_of(write(tmp_path, GOOD.replace("5s", "5")))
    assert str(mistake).startswith("inventory.yaml:6:16: environments._base.timeouts.connect: ")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ": this file is empty; expected the key environments"),
        (b"# nothing\n", ": this file is empty; expected the key environments"),
        (b"---\n", ": this file is empty; expected the key environments"),
        (b"just text\n", ":1:1: expected a mapping, found just text"),
        (b"- a\n", ":1:1: expected a mapping, found a list"),
        (b"environments:\n", ":1:1: environments: expected a mapping, each key the name of an "),
        (b"environments: {}\n", ":1:1: environments: expected at least one environment that"),
        (b"environments: &a {b: *a}\n", ":1:15: environments: anchors (&) are not used here"),
        ("environments:\n  ä: \xff\n".encode("latin-1"), ":2:3: the byte 0xe4 is not UTF-8"),
        ("environments:\n".encode("utf-16"), ":1:1: the byte 0xff is not UTF-8"),
        (b"environments:\n  a: \x07\n", ":2:6: the character U+0007 is not allowed; remove it"),
        (b"environments:\n\ta: b\n", ":2:1: not valid YAML: found character '\\t' that cannot"),
        (b"a: [" * 50, ":1:25: a.a.a.a.a.a: nested too deeply"),
        (b"x" * 300_000, ": larger than 256 KiB; this is no inventory"),
    ],
)
def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    """Empty, not UTF-8, not YAML, too deep, too large: one line with the place."""
    path = tmp_path / "inventory.yaml"
    path.write_bytes(data)
    with pytest.raises(InventoryError) as caught:
        load(path)
    assert said in caught.value.message


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a named pipe and an impossible name are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    names = {"none": "no such file", ".": "a folder", "pipe": "not a regular", "\0": "null"}
    for name, said in names.items():
        with pytest.raises(InventoryError, match=said):
            load(tmp_path / name)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    """A file that was saved on Windows is read, and its lines are counted the same."""
    windows = "\ufeff" + GOOD.replace("\n", "\r\n")
    assert load(write(tmp_path, windows)).environment("staging").backup.folder == "backups"
    (mistake,) = mistakes_of(write(tmp_path, windows.replace("5s", "5")))
    assert (mistake.line, mistake.column) == (6, 16)


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Nothing is expanded: a bomb of aliases is refused in well under a second."""
    bomb = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a, *a]\n" for i in range(500))
    start = time.monotonic()
    assert mistakes_in(bomb + GOOD)
    assert time.monotonic() - start < 5


def test_a_long_line_of_extending_environments_is_refused() -> None:
    """Inheritance is bounded, so a long chain cannot keep the reader busy."""
    chain = "".join(f"  e{i}: {{extends: e{i + 1}}}\n" for i in range(500))
    assert any("extend one another" in m.message for m in mistakes_in(GOOD + chain + "  e500: {}"))


def test_missing_files_are_said_with_what_the_environment_is(tmp_path: Path) -> None:
    """What is not there is named, of a missing folder once; the advice repeats `about`."""
    text = GOOD.replace("port: 2222", "port: {file: run/port}")
    text = text.replace("user: deploy", "known_hosts: run/known_hosts\n      key: run/key")
    inventory = load(write(tmp_path, text.replace("change: .", "change: sql/none")))
    with pytest.raises(InventoryError) as caught:
        inventory.environment("staging")
    assert [m.message for m in caught.value.mistakes] == [
        f"there is no folder {tmp_path}/sql/none",
        f"there is no {tmp_path}/run, which holds 2 of the files named here",
    ]
    assert caught.value.advice == "staging is: where releases are tried"


def test_a_pipe_in_place_of_a_value_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody waits for somebody to write into it."""
    os.mkfifo(tmp_path / "port")
    inventory = load(write(tmp_path, GOOD.replace("port: 2222", "port: {file: port}")))
    with pytest.raises(InventoryError, match=r"14:28: .*/port: it is not a regular file"):
        inventory.environment("staging")


@pytest.mark.parametrize("held", ["", "port 22", "70000", "22\n23", "\xff", "²"])
def test_a_file_that_does_not_hold_the_value_is_refused(tmp_path: Path, held: str) -> None:
    """The file's content is checked as the value itself would be."""
    (tmp_path / "port").write_text(held, encoding="latin-1")
    inventory = load(write(tmp_path, GOOD.replace("port: 2222", "port: {file: port}")))
    with pytest.raises(InventoryError, match=r"14:28: .*expected a port .* in the file"):
        inventory.environment("staging")
