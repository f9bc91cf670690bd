"""The worked example of production: an image pulled by its digest, with a real podman."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.apt import Unavailable
from sandbox.ports import free_port
from sandbox.sandbox import Sandbox
from tests.containers import NAME, Containers, containers
from tests.support import PROJECT, Bench, Ran, bench

pytestmark = pytest.mark.wide
HOSTS = ("app1", "app2")


@dataclass(frozen=True)
class Place:
    """A bench whose hosts have podman, and the registry."""

    bench: Bench
    containers: Containers

    def deployed(self, release: str) -> Ran:
        """Run deploy."""
        return self.bench.run("deploy", release=release)

    def runs(self) -> list[str]:
        """Return the digests of what runs on the hosts, as their podman tells it."""
        folders = [self.bench.sandbox.hosts[host].folder for host in HOSTS]
        told = [self.containers.podman("ps", "--format", "{{.Image}}", host=f) for f in folders]
        return [said.strip().removeprefix(f"{NAME}@") for said in told]


def shipped(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return `deploy` and `health` of the shipped production, each host with its own port."""
    tree = yaml.safe_load((PROJECT / "inventory.yaml").read_text())["environments"]
    deploy = json.dumps(tree["production"]["deploy"])
    for word, instead in {"/var/lib/vaulteer": f"{folder}/srv/{{host}}"}.items():
        assert word in deploy
        deploy = deploy.replace(word, instead)
    quick = {"healthy_within": "5s", "steady": "200ms", "every": "100ms", "space": 1}
    health = tree["_servers"]["health"]["application"]["command"]
    assert "127.0.0.1:5000" in health
    here = health.replace("5000", f"$(cat {folder}/srv/$(basename $RUNBOOK_SANDBOX_HOST)/port)")
    return {**json.loads(deploy), **quick}, {
        "application": {"role": "app", "command": here},
        "worker": {"role": "worker", **tree["production"]["health"]["worker"]},
    }


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place with a registry; skips where containers can't be had, and says why."""
    try:
        with containers(tmp_path / "containers") as found:
            deploy, health = shipped(tmp_path)
            for host in HOSTS:
                home = tmp_path / "srv" / host
                home.mkdir(parents=True)
                port = free_port(home)
                (home / "port").write_text(f"{port}\n")
                (home / "settings").write_text(f"PORT={port}\nPROCESS=app\n")
            for program in found.programs:
                (mariadb.root / "bin" / program.name).symlink_to(program)
            roles = {"app2": {"roles": ["app", "worker"]}}
            try:
                yield Place(
                    bench(mariadb, tmp_path, deploy=deploy, health=health, hosts=roles), found
                )
            finally:
                found.end(tuple(mariadb.hosts[host].folder for host in HOSTS))
                for program in found.programs:
                    (mariadb.root / "bin" / program.name).unlink()
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_an_image_is_pulled_by_its_digest_and_put_back_where_it_is_ill(place: Place) -> None:
    """A tag is pinned to its digest, pulled, run on both hosts; an ill one is put back."""
    good = place.containers.push("v1")
    first = place.deployed("v1")
    assert first.status == 0, first.document["message"]
    assert place.runs() == [good, good]
    assert place.deployed(good).document["outcome"] == "ok"
    ill = place.containers.push("v2", well=False)
    ran = place.deployed("v2")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert f"v2 is {ill} now" in ran.said
    assert "serving as app" in ran.said
    assert place.runs() == [good, good]
    moved = place.containers.push("v1.1")
    assert place.deployed(moved).status == 0
    assert place.runs() == [moved, moved]


def test_a_digest_that_the_registry_does_not_have(place: Place) -> None:
    """Nothing is restarted where the image cannot be pulled."""
    good = place.containers.push("v1")
    assert place.deployed("v1").status == 0
    ran = place.deployed("sha256:" + "0" * 64)
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "manifest unknown" in ran.said
    assert place.runs() == [good, good]
