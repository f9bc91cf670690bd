"""The inventory under any input: no other exception, no password in a message."""

from __future__ import annotations

import tempfile
from pathlib import Path

import jsonschema
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from runbook.inventory import InventoryError, load
from runbook.inventory.durations import format_duration, meant_duration, parse_duration
from runbook.inventory.reference import schema
from tests.inventories import GOOD, mistakes_in, write


@given(st.integers(1, 365 * 86_400_000))
def test_durations_round_trip(milliseconds: int) -> None:
    """Any number of milliseconds up to a year is written and read back exactly."""
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(
    st.text(max_size=20) | st.from_regex(r"[0-9]{1,12}(\.[0-9]+)? ?[a-zA-Z]{0,8}", fullmatch=True)
)
def test_what_a_duration_was_meant_to_be_is_a_duration(text: str) -> None:
    """A suggestion for any text is empty or consists of durations that are read."""
    for part in meant_duration(text).split(" or "):
        assert not part or parse_duration(part) > 0


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever the file holds, it is loaded or refused, in lines that can be printed."""
    assert all(str(mistake).isprintable() for mistake in mistakes_in(text))


@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 20),
    st.text(alphabet="{}[]:,&*!|>'\"%@`-?#\n \t\\~<ax0", max_size=6) | st.text(max_size=3),
)
def test_no_edit_of_an_inventory_raises_anything_else(at: int, cut: int, put: str) -> None:
    """Any slip of the hand in a good file ends in values or in InventoryError."""
    text = GOOD[:at] + put + GOOD[at + cut :]
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            inventory = load(write(Path(folder), text))
            for name in inventory.names:
                inventory.environment(name)
        except InventoryError as caught:
            errors.append(caught)
    for error in errors:
        assert error.mistakes
        assert len(str(error).splitlines()) == len(error.mistakes)


RICH = """\
environments:
  rich:
    about: every key is here
    change: .
    ssh: {port: 22, user: me, key: k, known_hosts: h, jump: db1, ssh_config: c}
    hosts:
      db1: {roles: [db], address: db.example.com, port: {file: p}, user: me}
    database:
      {name: shop, via: db1, address: "::1", port: 3306, user: me, password: {command: pass},
       tls: {ca: c, hostname: h}, replicas: {r1: {via: db1, address: 10.0.0.1, port: 1}}}
    backup: {host: db1, folder: {file: f}, keep: 3, max_age: 2h, snapshot: snap --now}
    health: {web: {role: db, command: check}}
    timeouts: {connect: 5s, job: 4h}
    policy: {confirm: plan, max_replica_lag: 5s, chunk_time: 100ms, never: [smoke]}
    state: s
"""
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["file", "env", "roles", "via", "x"]), inner)
    ),
    max_leaves=4,
)
LIKELY = (
    st.sampled_from(["db1", "5s", "1d", "none", "smoke", "-x", "~/y", "a/../b", "x.y", "::", "no"])
    | st.integers(0, 70_000)
    | st.from_regex(r"[A-Za-z0-9_./$@: -]{1,6}", fullmatch=True)
    | st.sampled_from([{}, {"file": "x"}, {"env": "A_B"}, ["db"], ["db", "smoke"], []])
)


def leaves(tree: object) -> list[tuple[dict[str, object] | list[object], str | int]]:
    """Return every place below the environment at which a value can be changed."""
    found: list[tuple[dict[str, object] | list[object], str | int]] = []
    if isinstance(tree, dict):
        found += [(tree, key) for key in tree]
        found += [leaf for value in tree.values() for leaf in leaves(value)]
    elif isinstance(tree, list):
        found += [(tree, index) for index in range(len(tree))]
    return found


@given(st.data())
def test_what_is_accepted_is_accepted_by_the_schema_too(data: st.DataObject) -> None:
    """A value changed anywhere: no other exception, and an editor never contradicts `load`."""
    tree = yaml.safe_load(RICH)
    at, key = data.draw(st.sampled_from(leaves(tree["environments"]["rich"])))
    at[key] = data.draw(LIKELY | ANYTHING)  # type: ignore[index]
    text = yaml.safe_dump(tree, allow_unicode=True)
    refused = bool(mistakes_in(text))
    event("refused" if refused else "accepted")
    if not refused:
        jsonschema.validate(yaml.safe_load(text), dict(schema()))


@given(
    st.text(alphabet="a1 ,:{}[]&*!|>%@`'\"#-?=\\", max_size=6),
    st.text(alphabet="a1 ,:{}[]&*!|>%@`'\"#-?=\\", max_size=6),
    st.sampled_from(["password: ", "password: '", 'password: "', "password:\n          "]),
    st.booleans(),
)
@settings(max_examples=200)
def test_no_message_repeats_a_literal_password(
    before: str, after: str, key: str, block: bool
) -> None:
    """However a password is written in the file, no message shows it."""
    quote = key[-1] if key[-1] in "'\"" else ""
    text = GOOD.replace("password: {env: DB_PASSWORD}", f"{key}{before}hunter2{after}{quote}")
    if block:
        text = text.replace("database: {name", "database:\n      name").replace(
            ", via", "\n      via"
        )
        text = text.replace(", user", "\n      user").replace(", password", "\n      password")
        text = text.replace("}\n    timeouts", "\n    timeouts")
    for mistake in mistakes_in(text):
        assert "hunter2" not in str(mistake)
