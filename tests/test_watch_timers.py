"""The timetables of a watch: systemd's units and calendar, and a real cron and systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from runbook import inventory
from runbook.application import INTERVALS, Watch
from runbook.environment import Environment
from runbook.phases import watch as phase
from runbook.plan.plan import Level
from runbook.sql.change import load
from runbook.watch import questions, texts, timetable
from runbook.watch.host import Facts
from sandbox.packages import Bundle, unpacked
from sandbox.sandbox import Sandbox
from tests.support import Bench
from tests.test_watch import refused
from tests.watching import AUDIT, CHANGE, folder_of, watched, with_crontab

SYSTEMD = "/lib/systemd/systemd"
CRON = Bundle(
    name="cron",
    about="cron (about 0.3 MB)",
    packages=("cron",),
    programs=("usr/bin/crontab", "usr/sbin/cron"),
)


@pytest.fixture
def crontab(mariadb: Sandbox) -> Iterator[Path]:
    """Give MariaDB's hosts a crontab; return the file that app2 keeps it in."""
    with with_crontab(mariadb) as table:
        yield table


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB with the watched table, and a watch on app2."""
    return watched(mariadb, tmp_path)


def on_systemd(mariadb: Sandbox, folder: Path, **more: object) -> tuple[Environment, Watch, Facts]:
    """Return a watch that systemd is to run, on a host that has it, for a user that is not root."""
    place = watched(mariadb, folder, scheduler="systemd", **more)
    environment = inventory.load(folder / "inventory.yaml").environment("test")
    assert environment.watch
    facts = Facts(
        *(0, 1000, str(folder / "home"), str(folder_of(place)), environment.watch.credentials),
        client=str(mariadb.database.programs.client),
    )
    return environment, environment.watch, facts


def test_systemd_takes_the_units_and_every_interval(mariadb: Sandbox, tmp_path: Path) -> None:
    """systemd's own checker accepts the units, and its calendar has exactly each interval."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")
    environment, watch, facts = on_systemd(mariadb, tmp_path)
    for text, ending in zip(
        texts.units(environment, watch, facts), ("service", "timer"), strict=True
    ):
        (tmp_path / f"runbook-watch-test.{ending}").write_text(text)
    timer = str(tmp_path / "runbook-watch-test.timer")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", timer],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for word, seconds in INTERVALS.items():
        said = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=30", timetable.calendar(seconds)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC"},
        ).stdout
        found = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said)
        times = [datetime.fromisoformat(each) for each in found]
        assert len(times) == 30
        assert {(b - a).total_seconds() for a, b in pairwise(times)} == {seconds}, word


def test_without_systemd_or_for_a_user_who_logs_out_it_is_refused(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """A host where systemd does not run, or ends the user's timers, is refused beforehand."""
    place = watched(mariadb, tmp_path, scheduler="systemd")
    assert "systemd does not run there" in refused(place.run("watch", install=True))
    environment, watch, facts = on_systemd(mariadb, tmp_path / "again")
    asked = questions.read(load(CHANGE).watch)
    spot = phase.Place(environment, watch, asked, "")
    rows = phase.findings(spot, replace(facts, systemd=True, access=("600", "a", "a")), "install")
    assert ["enable-linger" in r.advice for r in rows if r.level is Level.REFUSED] == [True]


@pytest.mark.wide
def test_a_real_cron_runs_it(place: Bench, crontab: Path, tmp_path: Path) -> None:
    """Debian's own crontab takes the line, and its cron runs it at the next minute."""
    if os.getuid() != 0:
        pytest.skip("a cron daemon of one's own needs root, for a mount namespace")
    text = (place.folder / "inventory.yaml").read_text()
    (place.folder / "inventory.yaml").write_text(text.replace("watch:", "watch:\n      every: 1m"))
    assert place.run("watch", install=True).status == 0
    place.sandbox.query(f"ALTER TABLE {AUDIT} ADD COLUMN extra INT")
    programs = unpacked(CRON)
    script = tmp_path / "cron.sh"
    script.write_text(
        "set -e\nmount -t tmpfs none /var/spool\nmkdir -p /var/spool/cron/crontabs\n"
        "mount -t tmpfs none /run\n"
        f"{programs}/bin/crontab {crontab}\n{programs}/bin/crontab -l | grep -c runbook-watch\n"
        f"timeout 70 {programs}/sbin/cron -f || :\n"
    )
    done = subprocess.run(
        ["unshare", "-m", "bash", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
    assert json.loads((folder_of(place) / "last.json").read_text())["outcome"] == "alert"
    assert (tmp_path / "alerts").exists()


@pytest.mark.wide
def test_a_real_systemd_runs_it(mariadb: Sandbox, tmp_path: Path) -> None:
    """systemd takes the units, runs the scan at the next minute, and lets go of them again."""
    if os.getuid() != 0 or not Path(SYSTEMD).exists():
        pytest.skip("a systemd of one's own needs root, for namespaces, and systemd's program")
    environment, watch, facts = on_systemd(mariadb, tmp_path, every="1m")
    Path(facts.folder).mkdir(mode=0o700)
    asked = questions.read(load(CHANGE).watch)
    script = Path(facts.folder) / "watch.sh"
    script.write_text(texts.body(environment, watch, facts, asked))
    subprocess.run(["bash", str(script), "baseline"], check=True, capture_output=True)
    mariadb.query(f"ALTER TABLE {AUDIT} ADD COLUMN extra INT")
    commands = {
        "start": texts.systemd(environment, watch, facts),
        "stop": texts.without_systemd(environment, facts),
    }
    for name, text in commands.items():
        (tmp_path / f"{name}.sh").write_text(text)
    (tmp_path / "namespace.sh").write_text(
        "set -e\nmount --make-rprivate /\numount -l /sys/fs/cgroup/unified || :\n"
        "mount -t cgroup2 none /sys/fs/cgroup\nmount -t tmpfs none /run\n"
        "mkdir -p /run/systemd/system /run/user/0\n"
        f"export HOME={facts.home} XDG_RUNTIME_DIR=/run/user/0 PATH=/usr/bin:/bin\n"
        f"timeout 90 {SYSTEMD} --user --unit=default.target &\n"
        "until systemctl --user is-system-running >/dev/null 2>&1; do sleep 0.2; done\n"
        f"bash {tmp_path}/start.sh\n"
        f"for _ in $(seq 65); do grep -q alert '{facts.folder}/last.json' && break; sleep 1; done\n"
        f"bash {tmp_path}/stop.sh\nsystemctl --user list-timers --all --no-legend\nkill %1\n"
    )
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "bash",
            tmp_path / "namespace.sh",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[:2] == ["active", "the timer is gone"], done.stderr
    assert "runbook" not in done.stdout.split("gone", 1)[1]
    assert json.loads((script.parent / "last.json").read_text())["outcome"] == "alert"
    assert not list((Path(facts.home) / ".config" / "systemd" / "user").glob("runbook*"))
