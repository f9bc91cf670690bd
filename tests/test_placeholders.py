"""Placeholders in the inventory's commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.hosts.releases import NAME
from runbook.inventory import InventoryError, load
from runbook.placeholders import fill, unknown
from tests.inventories import GOOD

KNOWN = ("release", "folder", "host")


@pytest.mark.parametrize(
    "text",
    [
        "podman inspect --format '{{.Digest}}' x",
        "echo ${name} ${HOME}",
        "awk '{ print $1 }'",
        "{{end}}",
        "find . -exec rm {} +",
        "echo {a,b} {1..3}",
    ],
)
def test_braces_of_the_shell_and_of_templates_are_left_alone(text: str) -> None:
    """What only looks like a placeholder stays as it is."""
    assert unknown(text, KNOWN) == ""
    assert fill(text, release="r") == text


def test_every_placeholder_is_replaced_once() -> None:
    """A value is not looked into again."""
    assert (
        fill("{release}/{folder}/{release}", release="{folder}", folder="f")
        == "{folder}/f/{folder}"
    )


@given(st.from_regex(NAME, fullmatch=True))
def test_a_release_is_one_word_to_a_shell(name: str) -> None:
    """Whatever passes for a release's name, a shell hands on as it is, quoted or not."""
    done = subprocess.run(
        ["sh", "-c", f"printf '%s|%s|%s' {name} '{name}' \"{name}\""],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{name}|{name}|{name}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fetch", "git fetch {commit}", "{commit} is none; the shell's own is written { commit }"),
        ("current", "cat {release}", "{release} is none"),
        ("restart", "kick {previous}", "{previous} is none"),
        ("folder", "/srv/my shop", "a folder on the host of letters"),
        ("folder", "/srv/$HOME", "a folder on the host of letters"),
        ("roles", ["nonesuch"], "there is no role nonesuch"),
        ("batch", 0, "a number of hosts"),
        ("needs", ["git; rm"], "the name of a program"),
    ],
)
def test_mistakes_in_deploy_are_said_with_their_place(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    """A placeholder that is none, a folder that needs quotes: each is an inventory mistake."""
    tree = yaml.safe_load(GOOD)
    section = dict.fromkeys(("fetch", "fetched", "restart", "current"), "true")
    tree["environments"]["staging"]["deploy"] = {
        "roles": ["app"],
        "folder": "/srv/{host}/shop",
        **section,
        key: value,
    }
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump(tree))
    with pytest.raises(InventoryError) as caught:
        load(path).environment("staging")
    assert f"staging.deploy.{key}" in str(caught.value)
    assert said in str(caught.value)
