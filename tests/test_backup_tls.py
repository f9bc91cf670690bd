"""Backups over TLS: the client programs on the host verify the server, as the program does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.errors import Outcome, StepFailed
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.phases import backup
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.certificates import certified
from tests.dumps import place, the_job


@pytest.fixture
def served(mysql: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """Return a MySQL whose certificate is for `localhost`, signed by ca.pem; TLS is required."""
    with certified(mysql, tmp_path):
        yield mysql


def test_a_dump_over_tls_verifies_chain_and_name(served: Sandbox, tmp_path: Path) -> None:
    """With the right authority and name the dump runs; its options are in the plan's text."""
    tls = {"ca": str(tmp_path / "ca.pem"), "hostname": "localhost"}
    with place(served, tmp_path, database={"tls": tls}) as here:
        plan = backup.prepare(here.site, Options())
        assert "ssl-mode=VERIFY_IDENTITY" in plan.steps[0].text
        assert here.perform(*plan.steps)[0].outcome is Outcome.CHANGED
        assert not list(here.folder.rglob("ca.pem"))


def test_the_dump_program_refuses_another_authority_and_another_name(
    served: Sandbox, tmp_path: Path
) -> None:
    """On the host too, a server that cannot prove who it is gets no password's worth of trust."""
    tls = {"ca": str(tmp_path / "ca.pem"), "hostname": "localhost"}
    with place(served, tmp_path, database={"tls": tls}) as here:
        environment, facts = here.site.environment, backup.look(here.site)
        other = replace(facts, authority=(tmp_path / "other.pem").read_text())
        with pytest.raises(StepFailed) as failed:
            here.perform(backup.steps(environment, other)[0])
        assert "certificate verify failed" in "\n".join(failed.value.output)
        job = the_job(here)
        database = replace(environment.database, tls=None)  # its name is then the address
        named = client_options(replace(environment, database=database), here.site.password())
        here.site.hosts.run(job.where, job.text, stdin=named)
        assert wait_until(lambda: backup.look(here.site).job.state == "ended", 10.0)
        assert "certificate verify failed" in "\n".join(backup.look(here.site).job.log)
        assert here.dumps == []
