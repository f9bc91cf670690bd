"""Smoke: the application's tests on a real host, streamed, counted, and refused where they harm."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from runbook.database.appendonly import refuses
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.standins import PASSES
from tests.support import MYSQL_IS_WIDE, Bench, bench

JEST = (
    'cd "$APP_HOME/current" && npx jest'
    " backend/__tests__/eventsController.autoAbsence.integration.test.js"
    " -i --json --outputFile={report}"
)


def place(sandbox: Sandbox, folder: Path, command: str, **more: Any) -> Bench:
    """Return a bench whose tests are `command`, on app1."""
    section = {"host": "app1", "command": command, "folder": f"{folder}/{{host}}", **more}
    return bench(sandbox, folder, smoke=section)


def runner(sandbox: Sandbox, folder: Path, text: str, **more: Any) -> Bench:
    """Return a bench whose tests are a script that has the report's path in $1."""
    script = folder / "tests.sh"
    script.write_text(f"set -e\n{text}\n")
    return place(sandbox, folder, f"bash {script} {{report}}", **more)


def told(journal: str) -> list[str]:
    """Return the lines of output that a run told, in order."""
    events = [json.loads(line) for line in Path(journal).read_text().splitlines()]
    return [line for event in events if event["event"] == "StepOutput" for line in event["lines"]]


@MYSQL_IS_WIDE
def test_integration_tests_pass_and_leave_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """After the migration jest's own tests pass on the host, are counted, and clean up."""
    sandbox.start_application("v1.1.0")
    here = place(sandbox, tmp_path, JEST)
    assert here.run("migrate").status == 0
    before = sandbox.query("SELECT COUNT(*) FROM vaulteer.users")
    ran = here.run("smoke")
    (step,) = ran.document["steps"]
    assert (ran.status, step["outcome"], step["detail"]) == (0, "ok", "6 passed")
    assert any("✓ flags nobody a second time" in line for line in told(ran.document["journal"]))
    assert sandbox.query("SELECT COUNT(*) FROM vaulteer.users") == before
    assert sandbox.query("SELECT COUNT(*) FROM vaulteer.event_attendance_audit") == [(0,)]


def test_every_integration_test_of_the_application_passes(mariadb: Sandbox, tmp_path: Path) -> None:
    """Both files, as jest finds them: who is checked in and corrected, and that all or nothing."""
    mariadb.start_application("v1.1.0")
    here = place(
        mariadb, tmp_path, 'cd "$APP_HOME/current" && npx jest -i --json --outputFile={report}'
    )
    assert here.run("migrate").status == 0
    ran = here.run("smoke")
    (step,) = ran.document["steps"]
    assert (ran.status, step["detail"]) == (0, "10 passed"), ran.why
    report = json.loads((tmp_path / "app1" / "tests" / "report").read_text(encoding="utf-8"))
    names = {
        Path(file["name"]).name.split(".")[1]: {each["title"] for each in file["assertionResults"]}
        for file in report["testResults"]
    }
    assert {file: len(tests) for file, tests in names.items()} == {
        "attendance": 4,
        "autoAbsence": 6,
    }
    assert "nothing is changed when the audit row cannot be written" in names["attendance"]
    assert mariadb.query("SELECT COUNT(*) FROM vaulteer.event_attendance_audit") == [(0,)]


def test_failures_of_the_application_are_named_last(mariadb: Sandbox, tmp_path: Path) -> None:
    """A release that audits nothing fails its tests: which ones, and how, ends the output."""
    mariadb.start_application("v1.2.0-unaudited")
    here = place(mariadb, tmp_path, JEST)
    assert here.run("migrate").status == 0
    with here.start("smoke", "--env=test") as process:
        output, _ = process.communicate()
    lines = output.splitlines()
    assert process.returncode == 1
    failed = next(n for n, line in enumerate(lines) if line.startswith("failed   smoke"))
    assert "3 passed, 3 failed" in lines[failed]
    assert "auto-absence > flags nobody a second time: expected passed" in "\n".join(lines[failed:])
    assert any("  ✕ flags nobody a second time" in line for line in lines[:failed])


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("echo all 12 tests passed", 1, "status 0, and no report is there"),
        (f"echo '{PASSES}' >$1; exit 3", 1, "1 passed, but the runner ended with status 3"),
        ("echo '{\"testResults\": []}' >$1", 1, "no test ran, so nothing is proven"),
        ("echo '<testsuite><testcase name=\"a\"/></testsuite>' >$1", 0, "1 passed"),
        ("echo begun; sleep 600", 1, "ended after 1 s, before the tests were through"),
        ("kill -9 $$", 1, "status 137, and no report is there"),
    ],
)
def test_the_report_decides_not_the_exit_status_alone(
    mariadb: Sandbox, tmp_path: Path, text: str, status: int, said: str
) -> None:
    """No report, no test, a status that disagrees, and a time that is over are failures."""
    ran = runner(mariadb, tmp_path, text, timeout="1s").run("smoke")
    assert (ran.status, said in ran.said) == (status, True)


def test_a_report_may_come_on_standard_output(mariadb: Sandbox, tmp_path: Path) -> None:
    """Without {report} what is printed is the report, and standard error is the log."""
    (tmp_path / "report").write_text(PASSES)
    here = place(mariadb, tmp_path, f"echo testing >&2; echo; cat {tmp_path}/report; echo")
    ran = here.run("smoke")
    assert (ran.status, ran.document["steps"][0]["detail"]) == (0, "1 passed")
    assert told(ran.document["journal"]) == ["testing"]
    assert (tmp_path / "app1" / "tests" / "report").read_text().strip() == PASSES


def test_an_old_report_is_not_taken_for_a_new_one(mariadb: Sandbox, tmp_path: Path) -> None:
    """A runner that reports nothing this time fails, although the last report said passed."""
    assert runner(mariadb, tmp_path, f"echo '{PASSES}' >$1").run("smoke").status == 0
    ran = runner(mariadb, tmp_path, "true").run("smoke")
    assert (ran.status, "no report is there" in ran.said) == (1, True)


def test_output_is_told_while_the_tests_run(mariadb: Sandbox, tmp_path: Path) -> None:
    """Each line is there before the tests go on, once, whole and without controls."""
    go = tmp_path / "go"
    text = (
        "printf '\\033[31mfirst\\033[0m\\a zoë\\n'; printf half\n"
        f"until [ -e {go} ]; do sleep 0.05; done\n"
        f"printf ' and half\\0\\n\\nlast'; echo '{PASSES}' >$1"
    )
    here = runner(mariadb, tmp_path, text)
    with here.start("smoke", "--env=test") as process:
        assert process.stdout
        lines: list[str] = []
        while not lines or "first" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended before it told anything"
        assert lines[-1] == "  | first\\x07 zoë\n"
        go.touch()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert [line for line in rest.splitlines() if line.startswith("  | ")] == [
        "  | half and half?",
        "  | ",
        "  | last",
    ]
    plan = here.run("smoke", dry_run=True).document["planned"][0]
    ours = [text for text in mariadb.commands("app1") if str(tmp_path) in text]
    assert set(ours) <= {plan["text"], plan["watch"], ours[0]}


def test_a_flood_of_output_is_cut_short_and_counted_right(mariadb: Sandbox, tmp_path: Path) -> None:
    """Of 300,000 lines some are told and the rest stay on the host; the tests still count."""
    here = runner(mariadb, tmp_path, f"seq 300000; echo '{PASSES}' >$1")
    ran = here.run("smoke")
    lines = told(ran.document["journal"])
    assert (ran.status, lines[:2], len(lines)) == (0, ["1", "2"], 5001)
    assert "more than 5000 lines" in lines[-1]
    assert ran.document["steps"][0]["output"][-1] == "300000"


@pytest.mark.wide
def test_a_flood_faster_than_we_read_is_not_read_to_its_end(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Of a hundred megabytes, a line or many, a few are asked for, and its very last words told."""
    flood = "head -c 20000000 /dev/zero | tr '\\0' x; echo; yes | head -c 80000000; echo the end"
    here = runner(mariadb, tmp_path, f"{flood}; echo '{PASSES}' >$1")
    mariadb.clear_commands()
    ran = here.run("smoke")
    lines = told(ran.document["journal"])
    assert (ran.status, lines[-1]) == (0, "… more than 8 MiB; the rest is in the log on the host")
    assert max(map(len, lines)) == 2000
    assert ran.document["steps"][0]["output"][-1] == "the end"
    assert len(mariadb.commands("app1")) < 100


def test_a_lost_connection_does_not_end_the_tests(mariadb: Sandbox, tmp_path: Path) -> None:
    """The outcome is unknown then; the same command finds the same tests and counts them."""
    go = tmp_path / "go"
    text = (
        f"echo ran >>{tmp_path}/times\nuntil [ -e {go} ]; do sleep 0.05; done\necho '{PASSES}' >$1"
    )
    here = runner(mariadb, tmp_path, text)

    def cut_off() -> bool:
        for connection in mariadb.connections("app1"):
            connection.send(signal.SIGKILL)
        return process.poll() is not None

    with here.start("smoke", "--env=test") as process:
        assert wait_until((tmp_path / "times").exists, 60)
        # Cut between two looks, a connection is made anew and nothing is lost: cut until one is.
        assert wait_until(cut_off, 60)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, "the same command finds it there" in output) == (4, True)
    preview = here.run("smoke", dry_run=True).document["planned"][0]
    assert "attaches to them" in preview["found"]
    mariadb.clear_commands()
    with here.start("smoke", "--env=test") as process:
        assert wait_until(lambda: preview["watch"] in mariadb.commands("app1"), 60)
        go.touch()
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, "· 1 passed ·" in output) == (0, True)
    assert (tmp_path / "times").read_text() == "ran\n"


@MYSQL_IS_WIDE
def test_refused_once_append_only_triggers_stand(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is run where rows could not be deleted any more, whoever made the trigger."""
    here = runner(sandbox, tmp_path, f"touch {tmp_path}/ran")
    assert here.run("migrate").status == 0
    sandbox.query(
        "CREATE TRIGGER vaulteer.keep BEFORE DELETE ON vaulteer.event_attendance_audit"
        " FOR EACH ROW BEGIN /* for ever */ SIGNAL SQLSTATE '45000'; END"
    )
    ran = here.run("smoke")
    assert (ran.status, "keep on event_attendance_audit: integration" in ran.said) == (3, True)
    sandbox.query("DROP TRIGGER vaulteer.keep")
    assert here.run("triggers").status == 0
    ran = here.run("smoke")
    assert (ran.status, "trg_event_attendance_audit_no_delete" in ran.said) == (3, True)
    assert "invoke triggers --remove" in ran.said
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("SIGNAL SQLSTATE '45000'", True),
        ("BEGIN\n  -- nobody\n  SIGNAL SQLSTATE '45000';\nEND", True),
        ("begin # nobody\n signal sqlstate '45000'; end", True),
        ("keep: BEGIN SIGNAL SQLSTATE '45000'; END keep", True),
        ("BEGIN IF OLD.paid THEN SIGNAL SQLSTATE '45000'; END IF; END", False),
        ("INSERT INTO gone VALUES (OLD.id)", False),
    ],
)
def test_only_a_trigger_that_always_refuses_is_append_only(body: str, expected: bool) -> None:
    """A trigger that asks first, or only writes down, may let a test's own rows go."""
    assert refuses(body) is expected


def test_policy_and_inventory_can_keep_tests_away(mariadb: Sandbox, tmp_path: Path) -> None:
    """Where policy says never they are refused; without the section the message shows one."""
    section = {"host": "app1", "command": f"touch {tmp_path}/ran", "folder": f"{tmp_path}/smoke"}
    never = {"confirm": "none", "never": ["smoke"]}
    ran = bench(mariadb, tmp_path, smoke=section, policy=never).run("smoke")
    assert (ran.status, "policy.never forbids smoke in test" in ran.said) == (3, True)
    ran = bench(mariadb, tmp_path).run("smoke")
    assert (ran.status, "--outputFile={report}" in ran.said) == (2, True)
    assert not (tmp_path / "ran").exists()


def test_before_the_migration_a_warning_says_what_to_expect(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Tests may run before the migration; that those of it will fail is said before."""
    ran = runner(mariadb, tmp_path, "true").run("smoke", dry_run=True)
    assert (ran.status, "tests of what it brings will fail" in ran.said) == (0, True)


def test_a_window_runs_the_tests_where_they_may_run(mariadb: Sandbox, tmp_path: Path) -> None:
    """A failed test stops the window; standing triggers and policy leave the tests out of it."""
    failing = PASSES.replace("passed", "failed")
    fails = runner(mariadb, tmp_path, f"echo '{failing}' >$1").run("run", triggers=True)
    outcomes = {step["phase"]: step["outcome"] for step in fails.document["steps"]}
    assert (fails.status, outcomes["smoke"], outcomes["triggers"]) == (1, "failed", "skipped")
    here = runner(mariadb, tmp_path, f"echo '{PASSES}' >$1")
    assert here.run("run", triggers=True).status == 0

    def why(place: Bench) -> str:
        planned = place.run("run", dry_run=True).document["planned"]
        return "".join(s["text"] for s in planned if (s["phase"], s["kind"]) == ("smoke", "skip"))

    assert "append-only triggers stand" in why(here)
    assert "policy.never" in why(bench(mariadb, tmp_path, policy={"never": ["smoke"]}))
    assert "key smoke" in why(bench(mariadb, tmp_path))
