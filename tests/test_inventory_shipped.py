"""The shipped inventory, and the schema and the reference that its shape makes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from runbook.environment import (
    Address,
    Confirm,
)
from runbook.inventory import InventoryError, load
from runbook.inventory.__main__ import main
from runbook.inventory.reference import reference, schema, schema_text
from tests.inventories import write
from tests.test_inventory import PROJECT

SHIPPED = PROJECT / "inventory.yaml"


def test_the_shipped_inventory_has_no_mistake() -> None:
    """The examples are complete and right, and hold the three environments."""
    inventory = load(SHIPPED)
    inventory.check()
    assert inventory.names == ("sandbox", "staging", "production")


def test_shipped_production_teaches_the_strict_case() -> None:
    """Production goes through a jump host, verifies TLS, has a replica and wants a preview."""
    production = load(SHIPPED).environment("production")
    assert {host.name: host.jump for host in production.hosts if host.jump != "bastion"} == {
        "bastion": None
    }
    assert production.database.tls is not None
    assert [replica.via for replica in production.database.replicas] == ["db2"]
    assert production.policy.confirm is Confirm.PLAN
    assert "smoke" in production.policy.never
    assert load(SHIPPED).environment("staging").policy.confirm is Confirm.PROMPT


@pytest.mark.parametrize(
    "path", ["deploy.fetch", "deploy.current", "backup.snapshot", "manual.snapshot.ask"]
)
def test_a_value_is_told_with_its_own_line(path: str) -> None:
    """What a plan says of where a command comes from is the line on which it begins."""
    file, _, line = load(SHIPPED).environment("production", files=False).at(path).rpartition(":")
    assert Path(file).name == "inventory.yaml"
    written = SHIPPED.read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert written.strip().startswith(f"{path.rpartition('.')[2]}:")


def test_what_is_not_written_is_told_with_what_it_is_in() -> None:
    """A key left to its default has the place of its section, or of the environment."""
    sandbox = load(SHIPPED).environment("sandbox", files=False)
    assert sandbox.at("deploy.rollback") == sandbox.at("deploy") != sandbox.source
    assert sandbox.at("runner.command") == sandbox.source


def test_shipped_windows_ask_what_only_a_person_can_do() -> None:
    """The written runbook's manual steps are asked, each before the phase that has to wait."""
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["environments"]
    asked = load(SHIPPED).environment("production").manual
    assert {step.name: step.before for step in asked} == {
        "coordinated": "backup",
        "snapshot": "migrate",
    }
    assert "product owner and on-call" in asked[0].ask
    assert "snapshot" in asked[1].ask
    assert {name: step["before"] for name, step in shipped["sandbox"]["manual"].items()} == {
        "coordinated": "backup"
    }


def test_shipped_sandbox_reads_what_the_sandbox_writes(tmp_path: Path) -> None:
    """Port and password come from the sandbox's files; without them the advice says how."""
    path = write(tmp_path, SHIPPED.read_text())
    (tmp_path / "sql" / "attendance").mkdir(parents=True)
    with pytest.raises(InventoryError) as caught:
        load(path).environment("sandbox")
    assert "invoke sandbox.up" in caught.value.advice
    files = tmp_path / ".sandbox"
    files.mkdir()
    for name, held in {"ssh_config": "", "known_hosts": "", "database.port": "33061\n"}.items():
        (files / name).write_text(held)
    sandbox = load(path).environment("sandbox")
    assert [host.name for host in sandbox.hosts] == ["db1", "app1", "app2"]
    assert sandbox.host("app1").ssh_config == files / "ssh_config"
    assert sandbox.database.address == Address("127.0.0.1", 33061)
    assert sandbox.database.password.file == files / "migrator.password"
    assert sandbox.policy.confirm is Confirm.NONE


def test_the_schema_file_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """inventory.schema.json is what `python -m runbook.inventory schema` prints."""
    assert main(["schema"]) == 0
    assert (
        capsys.readouterr().out == schema_text() == (PROJECT / "inventory.schema.json").read_text()
    )
    assert main([]) == main(["else"]) == 2


def test_the_schema_accepts_the_shipped_inventory_and_explains_every_key() -> None:
    """Editors find the examples right and have a description for each key."""
    jsonschema.Draft7Validator.check_schema(dict(schema()))
    jsonschema.validate(yaml.safe_load(SHIPPED.read_text()), dict(schema()))
    assert SHIPPED.read_text().startswith("# yaml-language-server: $schema=inventory.schema.json\n")
    for _, form in described(json.loads(schema_text())):
        assert len(form["description"]) > 5


def test_the_reference_has_a_row_for_every_key() -> None:
    """The README's table and the schema speak of the same keys."""
    environments = json.loads(schema_text())["properties"]["environments"]
    keys = [name for name, _ in described(environments["additionalProperties"])]
    rows = [row.split("`")[1].split(".")[-1] for row in reference().splitlines()[2:]]
    assert rows == keys
    assert all(row.count("|") - row.count("\\|") == 5 for row in reference().splitlines())


def described(form: dict[str, dict[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """Every key below a schema with its own schema, in order."""
    found = []
    for name, below in form.items():
        if name == "properties" and isinstance(below, dict):
            for key, each in below.items():
                assert isinstance(each, dict)
                if "description" in each:
                    found.append((key, each))
                found += described(each)
        elif name in ("additionalProperties", "items") and isinstance(below, dict):
            found += described(below)  # type: ignore[arg-type]
    return found
