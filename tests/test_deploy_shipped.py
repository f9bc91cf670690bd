"""The worked examples of deploy in the shipped inventory, on the sandbox's real application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.releases import FIRST
from sandbox.sandbox import Sandbox
from tests.onhosts import kill_worker, ssh
from tests.support import PROJECT, Bench, Ran, bench

WORDS = {
    "git@git.example.com:vaulteer.git": ".sandbox/application.git",
    "/srv/vaulteer": ".sandbox/{host}/app",
    "npm ci --no-audit --no-fund": "app-install .",
    "sudo -n systemctl restart vaulteer vaulteer-worker": "app-ctl restart",
    "curl --silent --max-time 5 http://127.0.0.1:5000/health": "{ app-health || true; }",
    "journalctl --unit vaulteer --lines 20 --no-pager": "tail -n 20 {folder}/logs/app-error.log",
}
"""What a staging host has, and what a sandbox's has in its place."""


def section(environment: str) -> dict[str, Any]:
    """Return the `deploy` of a shipped environment, as it is written."""
    tree = yaml.safe_load((PROJECT / "inventory.yaml").read_text())
    return dict(tree["environments"][environment]["deploy"])


def staging() -> dict[str, Any]:
    """Return staging's `deploy` with the words of a sandbox's hosts."""
    text = json.dumps({k: v for k, v in section("staging").items() if k != "needs"})
    for word, instead in WORDS.items():
        assert word in text, word
        text = text.replace(word, instead)
    return {**json.loads(text), "healthy_within": "5s", "steady": "300ms", "space": 1}


def told(sandbox: Sandbox, host: str) -> tuple[str, str]:
    """Return release and commit, as the application on a host tells them."""
    said = json.loads(ssh(sandbox, host, "app-health")[1])
    return said["release"], said["commit"]


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench with the application in its first release, deployed as staging says."""
    mariadb.start_application(FIRST)
    health = {
        "application": {"role": "app", "command": "app-health"},
        "worker": {"role": "worker", "command": "worker-health"},
    }
    hosts = {"app2": {"roles": ["app", "worker"]}}
    return bench(mariadb, tmp_path, deploy=staging(), health=health, hosts=hosts)


def deployed(place: Bench, release: str) -> Ran:
    """Run deploy."""
    return place.run("deploy", release=release)


@pytest.mark.wide
def test_git_npm_and_a_process_manager(place: Bench) -> None:
    """Staging's commands bring a tag to both hosts; an ill one is put back and told."""
    ran = deployed(place, "v1.1.0")
    assert (ran.status, ran.document["outcome"]) == (0, "changed"), ran.document["message"]
    here, there = told(place.sandbox, "app1"), told(place.sandbox, "app2")
    assert here == there
    assert here[0] == "v1.1.0"
    assert deployed(place, "v1.1.0").document["outcome"] == "ok"
    ran = deployed(place, "v1.2.0-ill")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "no queue" in ran.said
    assert f"app1, app2: {here[1]}" in ran.document["advice"]
    assert [told(place.sandbox, host) for host in ("app1", "app2")] == [here, here]


@pytest.mark.wide
def test_a_dead_worker_is_told_before_anything_and_a_release_brings_it_back(place: Bench) -> None:
    """Preflight, migrate and a window refuse with its host; a deploy restarts it with the rest."""
    kill_worker(place.sandbox)
    for command in ("preflight", "migrate", "run"):
        ran = place.run(command)
        refused = [f for f in ran.document["findings"] if f["level"] == "refused"]
        assert [(f["where"], f["what"]) for f in refused] == [("app2", "health: worker")], command
        assert ran.document["steps"] == []
    ran = deployed(place, "v1.1.0")
    assert ran.status == 0, ran.why
    assert ssh(place.sandbox, "app2", "worker-health")[0] == 0
    assert place.run("preflight").status == 0


@pytest.mark.wide
def test_a_release_that_ends_at_once(place: Bench) -> None:
    """What it said at its end is shown, and the host goes back."""
    before = told(place.sandbox, "app1")
    ran = deployed(place, "v1.2.0-crash")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "no key" in ran.said
    assert told(place.sandbox, "app1") == before


def test_the_sandbox_deploys_as_staging_does() -> None:
    """The sandbox's own section differs from staging's in words and times only."""
    shipped = section("sandbox")
    for key, value in staging().items():
        if isinstance(value, str) and key not in {"install", "healthy_within", "steady"}:
            assert shipped[key] == value, key
