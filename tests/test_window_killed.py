"""A whole window, killed with SIGKILL within each of its phases: the same command finishes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from runbook.plan.order import ORDER
from sandbox.sandbox import Sandbox
from tests import logs
from tests.rollout import LATE, Rollout, runs
from tests.standins import whole
from tests.test_kill import killed, once

HOURS = "0.0004"
"""A second and a half of the logs."""
ALL: dict[str, Any] = {"triggers": True, "hours": HOURS}
AUDITED = """\
SELECT COUNT(*) FROM vaulteer.event_participants p LEFT JOIN (SELECT participant_id, COUNT(*) AS n
 FROM vaulteer.event_attendance_audit GROUP BY 1) a USING (participant_id)
 WHERE p.attendance_status = 'absent' AND COALESCE(a.n, 0) <> 1"""

CASES = [
    *(("mariadb", phase) for phase in ORDER[1:] if phase != "monitor"),
    *(("mysql", phase) for phase in ("backup", "migrate", "triggers", "validate")),
]
"""On MySQL only the phases that are about the database."""
LONG = {"deploy", "smoke", "validate"}
"""Where what is in hand outlives who began it, until the next run finds it."""


def window(sandbox: Sandbox, folder: Path, seconds: float = 0.1) -> Any:
    """Return a place whose tests and job write down that they ran, and take so long."""
    log = f"{folder}/$(basename $0).runs"
    slow = f"echo begun >>{log}; sleep {seconds}; trap 'echo ended >>{log}' EXIT"
    policy = {"confirm": "plan", "chunk_time": "1ms"}
    return whole(sandbox, folder, slow=slow, policy=policy)


def previewed(place: Rollout, release: str) -> tuple[tuple[str, ...], str]:
    """Return the words of the approved window, for a process that may be killed; its digest."""
    ran = place.bench.run("run", dry_run=True, release=release, **ALL)
    assert ran.status == 0, ran.why
    phases = [step["phase"] for step in ran.document["planned"] if not step["done"]]
    assert list(dict.fromkeys(phases)) == list(ORDER[1:])
    digest = str(ran.document["plan"])
    words = (f"release={release}", "triggers=yes", f"hours={HOURS}", f"plan={digest}")
    return words, digest


def alone(place: Rollout, script: str) -> bool:
    """Whether a script has run, and never twice at once."""
    told = (place.bench.folder / f"{script}.runs").read_text().split()
    return told == ["begun", "ended"] * (len(told) // 2) and bool(told)


def complete(place: Rollout, release: str) -> None:
    """Check that everything is done, and nothing twice or two at a time."""
    assert runs(place) == [release, release]
    assert [place.made(host) for host in ("app1", "app2")] == [["fetch", "install"]] * 2
    assert alone(place, "tests.sh")
    assert alone(place, "job.sh")
    once(place.bench)
    sandbox = place.bench.sandbox
    assert len(sandbox.query("SHOW TRIGGERS FROM vaulteer LIKE 'event_attendance_audit'")) == 2
    assert sandbox.query(AUDITED) == [(0,)]
    assert int(str(sandbox.query("SELECT COUNT(*) FROM vaulteer.event_attendance_audit")[0][0])) > 0
    assert place.bench.run("verify").status == 0


@pytest.mark.wide
@pytest.mark.parametrize(("sandbox", "phase"), CASES, indirect=["sandbox"])
def test_killed_within_a_phase_the_same_command_finishes_the_window(
    sandbox: Sandbox, tmp_path: Path, phase: str
) -> None:
    """Killed as a phase begins, and again in its midst, the approved window goes on to its end."""
    long = phase in LONG
    with window(sandbox, tmp_path, seconds=1.5 if long and phase != "deploy" else 0.1) as place:
        new = place.release(LATE, install="sleep 1.5" if phase == "deploy" else "true")
        words, digest = previewed(place, new)
        for moment in ("0", "0.9" if long else "between"):
            assert killed(place.bench, "run", f"{phase}:{moment}", *words)
        ran = place.bench.run("run", release=new, plan=digest, **ALL)
        assert ran.status == 0, ran.why
        complete(place, new)


@pytest.mark.wide
def test_killed_while_it_follows_the_logs_only_following_is_left(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """The window is over and its approval used up; what follows on is named, and counts exactly."""
    with window(mariadb, tmp_path) as place:
        new = place.release(LATE)
        words, digest = previewed(place, new)
        assert killed(place.bench, "run", "monitor:0.5", *words)
        again = place.bench.run("run", release=new, plan=digest, **ALL)
        assert again.status == 3
        on = f"invoke monitor --env=test --hours={HOURS}"
        assert f"To follow the logs on: {on}\n" in again.document["advice"]
        with logs.log(tmp_path, "app1").open("a") as log:
            log.write(logs.line(time.time(), "between two followers"))
        assert killed(place.bench, "monitor", "monitor:0.5", f"hours={HOURS}")
        assert place.bench.run("monitor", hours=HOURS).document["outcome"] in {"ok", "failed"}
        assert logs.counted(place.bench, "between two followers") == 1
        complete(place, new)
