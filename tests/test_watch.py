"""`invoke watch`: put on a host, run there by cron or from here, accepted, reported, removed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.errors import UsageError
from runbook.sql.change import read
from runbook.watch import questions
from sandbox.sandbox import Sandbox
from tests.support import Bench, Ran, bench
from tests.test_kill import TRIES, deaths, killed
from tests.watching import AUDIT, CHANGE, folder_of, insert, watched, with_crontab

OTHERS = "MAILTO=root\n# somebody else's\n5 4 * * * true\n"


@pytest.fixture
def crontab(mariadb: Sandbox) -> Iterator[Path]:
    """Give MariaDB's hosts a crontab; return the file that app2 keeps it in."""
    with with_crontab(mariadb) as table:
        yield table


@pytest.fixture
def place(mariadb: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on MariaDB with the watched table, and a watch on app2."""
    return watched(mariadb, tmp_path)


def as_cron(table: Path) -> subprocess.CompletedProcess[str]:
    """Run our line of a crontab as cron would: its own shell, environment and way with %."""
    (line,) = [row for row in table.read_text().splitlines() if "runbook-watch" in row]
    command = line.split(maxsplit=5)[5]
    text = command.replace("\\%", "\0")
    assert "%" not in text
    return subprocess.run(
        ["/bin/sh", "-c", text.replace("\0", "%")],
        env={"HOME": "/", "LOGNAME": "nobody", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def refused(ran: Ran) -> str:
    """Return what a refused run refused."""
    assert (ran.status, ran.document["outcome"]) == (3, "refused"), ran.why
    rows = [f for f in ran.document["findings"] if f["level"] == "refused"]
    return " ".join(f"{f['what']}: {f['detail']} → {f['advice']}" for f in rows)


def test_installed_run_by_cron_reported_and_removed(place: Bench, crontab: Path) -> None:
    """Put on its host it is run by its crontab line; what it finds is reported; then it is gone."""
    crontab.write_text(OTHERS)
    insert(place.sandbox, *range(1, 20))
    ran = place.run("watch", install=True)
    assert (ran.status, ran.outcomes) == (0, ["changed"] * 3), ran.why
    assert "19 rows are the baseline" in ran.said
    assert crontab.read_text().startswith(OTHERS)
    assert crontab.read_text().count("\n") == OTHERS.count("\n") + 1
    again = place.run("watch", install=True)
    assert (again.status, again.outcomes) == (0, ["ok", "ok"])
    assert as_cron(crontab).returncode == 0
    assert place.run("watch").document["outcome"] == "ok"

    time.sleep(1.1)
    assert as_cron(crontab).returncode == 0
    place.sandbox.query(f"UPDATE {AUDIT} SET reason = '' WHERE id = 3")
    insert(place.sandbox, 20)
    assert as_cron(crontab).returncode == 1
    (alert,) = (place.folder / "alerts").read_text().splitlines()
    assert [row["key"] for row in json.loads(alert)["findings"]] == ["3"]
    told = place.run("watch")
    assert (told.status, told.document["outcome"]) == (1, "failed")
    (check,) = told.document["steps"][0]["checks"]
    assert check["name"] == "event_attendance_audit 3"
    status = place.run("status")
    assert status.status == 0
    assert "1 findings: 1 changed" in status.said

    removed = place.run("watch", remove=True)
    assert (removed.status, removed.outcomes) == (0, ["changed", "changed"])
    assert crontab.read_text() == OTHERS
    assert not folder_of(place).exists()
    assert place.run("watch", remove=True).document["planned"] == []
    assert place.run("watch").status == 1


@pytest.mark.usefixtures("crontab")
def test_status_asks_for_one_way_to_be_append_only(place: Bench) -> None:
    """Without triggers and a watch, both are pending; where one stands the other is not."""

    def told() -> dict[str, tuple[str, str]]:
        found = place.run("status").document["findings"]
        ways = {"append-only", "watch"}
        return {f["what"]: (f["level"], f["detail"]) for f in found if f["what"] in ways}

    assert told() == {
        "append-only": ("pending", "not made"),
        "watch": ("pending", "the watch is not installed"),
    }
    assert place.run("watch", install=True).status == 0
    assert told()["append-only"] == ("ok", "not made; the watch stands")
    assert told()["watch"][0] == "ok"
    assert place.run("watch", remove=True).status == 0
    assert place.run("triggers").status == 0
    assert told()["append-only"][0] == "ok"
    assert told()["watch"] == ("ok", "the watch is not installed; triggers stand")


def test_another_timetable_replaces_the_first(place: Bench, crontab: Path) -> None:
    """With another interval the same command puts one line in place of the other."""
    assert place.run("watch", install=True).status == 0
    text = (place.folder / "inventory.yaml").read_text()
    (place.folder / "inventory.yaml").write_text(text.replace("watch:", "watch:\n      every: 2h"))
    ran = place.run("watch", install=True)
    assert (ran.status, ran.outcomes) == (0, ["changed"] * 3)
    assert [row.split(" bash")[0] for row in crontab.read_text().splitlines()] == ["0 */2 * * *"]


def test_killed_within_its_installation_the_same_command_finishes_it(
    place: Bench, crontab: Path
) -> None:
    """Killed after each of its steps, installing and removing again come to the same end."""
    insert(place.sandbox, *range(1, 20))
    for _ in range(2):
        assert killed(place, "watch", "after a step", "install=yes")
    assert place.run("watch", install=True).outcomes == ["ok", "changed", "changed"]
    assert place.run("watch", install=True).outcomes == ["ok", "ok"]
    assert crontab.read_text().count("watch.sh") == 1
    assert as_cron(crontab).returncode == 0
    assert 1 <= deaths(place, "watch", "after a step", "remove=yes") < TRIES
    assert not folder_of(place).exists()
    assert "watch.sh" not in crontab.read_text()


def test_once_needs_nothing_installed(sandbox: Sandbox, tmp_path: Path) -> None:
    """--once takes the baseline, finds what is done to it, and --accept takes that over."""
    place = watched(sandbox, tmp_path, scheduler="own")
    insert(sandbox, *range(1, 20))
    first = place.run("watch", once=True)
    assert (first.status, first.outcomes) == (0, ["ok"]), first.why
    assert "triggers that keep" not in place.run("validate", dry_run=True).said
    assert place.run("watch", accept=True).document["planned"] == []
    sandbox.query(f"DELETE FROM {AUDIT} WHERE id = 4")
    found = place.run("watch", once=True)
    assert (found.status, found.document["outcome"]) == (1, "failed")
    assert [c["actual"] for c in found.document["steps"][0]["checks"]] == ["deleted"]
    preview = place.run("watch", accept=True, dry_run=True)
    assert place.run("watch").status == 1
    assert "triggers that keep" in place.run("validate", dry_run=True).said
    taken = place.run("watch", accept=True, plan=preview.document["plan"])
    assert (taken.status, taken.outcomes) == (0, ["changed"]), taken.why
    assert place.run("watch", once=True).status == 0


def test_an_overdue_scan_is_an_alert(place: Bench) -> None:
    """Without a scan for two intervals the report and status say so, though the last was clean."""
    assert place.run("watch").status == 1
    assert place.run("watch", once=True).status == 0
    ran = folder_of(place) / "ran"
    ran.write_text(f"{int(ran.read_text()) - 1861}\n")
    told = place.run("watch")
    assert (told.status, told.document["outcome"]) == (1, "failed")
    assert "one is due every 15 min" in told.said
    assert "no scan has ended well for 31 min" in place.run("status").said


def test_the_report_needs_no_database(place: Bench) -> None:
    """While the database is down the report still tells; a scan says what failed, and alerts."""
    assert place.run("watch", once=True).status == 0
    place.sandbox.kill_database()
    try:
        assert place.run("watch").status == 0
        failed = place.run("watch", once=True)
        assert (failed.status, failed.document["outcome"]) == (1, "failed")
        assert "the database could not be asked" in failed.document["message"]
        assert place.run("watch").status == 1
    finally:
        place.sandbox.restart_database()
    assert "could not be asked" in (place.folder / "alerts").read_text()


def test_what_the_host_lacks_is_refused_before(place: Bench) -> None:
    """Credentials that are missing or open, and no crontab, are told with what mends them."""
    said = refused(place.run("watch", install=True))
    assert "there is no crontab program" in said
    file = place.folder / "with space and 100%" / "watch.cnf"
    file.chmod(0o644)
    assert f"chmod 600 {file}" in refused(place.run("watch", once=True))
    file.unlink()
    said = refused(place.run("watch", once=True))
    assert "is not there" in said
    assert "GRANT SELECT ON `vaulteer`.* TO" in said
    assert not folder_of(place).exists()


def test_what_the_inventory_lacks_is_a_usage_error(mariadb: Sandbox, tmp_path: Path) -> None:
    """Without the section the example is shown; two wishes at once are refused."""
    ran = bench(mariadb, tmp_path).run("watch")
    assert ran.status == 2
    assert "watch: {host: app1" in ran.document["advice"]
    (tmp_path / "more").mkdir()
    ran = watched(mariadb, tmp_path / "more").run("watch", once=True, install=True)
    assert ran.status == 2
    assert "one at a time" in ran.document["message"]


def test_no_secret_is_in_what_is_installed(place: Bench, crontab: Path) -> None:
    """The script, the crontab and the plan name the file with the password, never the password."""
    ran = place.run("watch", install=True)
    assert ran.status == 0
    script = (folder_of(place) / "watch.sh").read_text()
    for account in ("app", "migrator"):
        secret = place.sandbox.password(account)
        assert secret not in script + crontab.read_text() + ran.said
    modes = {path.stat().st_mode & 0o077 for path in folder_of(place).rglob("*")}
    assert modes == {0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1 AS row_key, 'x' AS row_hash;", "two reads set @watch_from"),
        ("SELECT a AS row_hash, SLEEP(@other) FROM t;", "two reads"),
        ("DELETE FROM t;", "only reads"),
        ("SELECT 'a' AS check_name, @x AS expected, 1 AS actual;", "only reads"),
    ],
)
def test_a_watch_file_only_reads(tmp_path: Path, text: str, problem: str) -> None:
    """A file that writes, or that knows other variables than its range, is a mistake."""
    file = tmp_path / "t.sql"
    file.write_text(text)
    with pytest.raises(UsageError, match=problem):
        questions.read((read(file, "t.sql"),))


def test_by_hand_the_files_run(place: Bench) -> None:
    """The plain client prints a line a row, and a check."""
    insert(place.sandbox, 1, 2, 3)
    programs = place.sandbox.database.programs
    out = subprocess.run(
        [str(programs.client), f"--defaults-file={place.sandbox.root / 'app.cnf'}", "vaulteer"],
        input="".join(f.read_text() for f in sorted((CHANGE / "watch").iterdir())),
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert out.count("\n") == 6
