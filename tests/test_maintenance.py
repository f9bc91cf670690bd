"""The maintenance window: every phase as one plan, what is left out and why, manual steps."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.errors import UsageError
from runbook.options import Options
from runbook.plan.order import ORDER, left_out
from sandbox.processes import wait_until
from sandbox.releases import FIRST
from sandbox.sandbox import Sandbox
from tests import logs
from tests.support import MYSQL_IS_WIDE, PROJECT, Bench, Ran, bench
from tests.terminal import CTRL_C, answered

SNAPSHOT = {"snapshot": {"before": "migrate", "ask": "Is the cloud snapshot taken?"}}


def phases(ran: Ran) -> list[str]:
    """Return the phases of a plan in order, each once."""
    return list(dict.fromkeys(step["phase"] for step in ran.document["planned"]))


def skipped(ran: Ran) -> dict[str, str]:
    """Return the phases that a plan leaves out, and why."""
    return {s["phase"]: s["text"] for s in ran.document["planned"] if s["kind"] == "skip"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first": "verfy"}, "did you mean verify?"),
        ({"first": "verify", "last": "backup"}, "--from=verify comes after --until=backup"),
        ({"skip": ("smoke",)}, "the reason is missing"),
        ({"skip": ("smok: no data",)}, "did you mean smoke?"),
    ],
)
def test_what_is_left_out_must_make_sense(options: dict[str, Any], said: str) -> None:
    """A phase that is none, an order upside down and a skip without a reason are refused."""
    with pytest.raises(UsageError, match="--") as refused:
        left_out(Options(**options))
    assert said in refused.value.message


def test_phases_before_from_and_behind_until_are_left_out() -> None:
    """--from and --until name the first and the last phase; preflight is never left out."""
    why = left_out(Options(first="migrate", last="verify", skip=("verify: done by hand",)))
    assert [name for name in ORDER if name not in why] == ["preflight", "migrate"]
    assert why["verify"] == "done by hand"
    assert why["monitor"] == "--until=verify"


@MYSQL_IS_WIDE
def test_a_window_is_one_plan_that_runs_as_previewed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Preview and run are the same plan, in the runbook's order; run again, nothing is changed."""
    place = bench(sandbox, tmp_path)
    preview = place.run("run", dry_run=True)
    assert preview.status == 0
    assert phases(preview) == [name for name in ORDER if name in phases(preview)]
    ran = place.run("run", plan=preview.document["plan"])
    assert ran.status == 0, ran.why
    assert place.run("verify").status == 0
    again = place.run("run")
    assert again.document["outcome"] == "ok", again.why


def test_a_skip_is_part_of_the_plan_with_its_reason(mariadb: Sandbox, tmp_path: Path) -> None:
    """What is left out stands in plan, digest and journal, with why."""
    place = bench(mariadb, tmp_path)
    whole = place.run("run", dry_run=True)
    less = place.run("run", dry_run=True, skip=("validate: the job runs at noon",))
    assert skipped(less)["validate"] == "the job runs at noon"
    assert less.document["plan"] != whole.document["plan"]
    ran = place.run("run", skip=("validate: the job runs at noon",))
    assert "the job runs at noon" in Path(ran.document["journal"]).read_text()


def test_until_migrate_only_migrates(mariadb: Sandbox, tmp_path: Path) -> None:
    """With --from=migrate --until=migrate nothing else is done, not even a backup."""
    place = bench(mariadb, tmp_path)
    ran = place.run("run", first="migrate", last="migrate")
    assert ran.status == 0, ran.why
    assert {s["phase"] for s in ran.document["steps"] if s["outcome"] == "changed"} == {"migrate"}
    assert not (tmp_path / "backups").exists()


def test_a_manual_step_answered_beforehand_is_recorded(mariadb: Sandbox, tmp_path: Path) -> None:
    """--answer lets a script pass a manual step; the answer is told as the step's detail."""
    place = bench(mariadb, tmp_path, manual=SNAPSHOT)
    ran = place.run("run", answer=("snapshot: snap-0123",))
    assert ran.status == 0, ran.why
    (asked,) = (step for step in ran.document["steps"] if step["kind"] == "ask")
    assert (asked["outcome"], asked["detail"]) == ("ok", "snap-0123")


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ((), 3, 'Answer beforehand: --answer=\\"snapshot: …\\"'),
        (("snapshot:",), 2, "the answer is missing"),
        (("snapshto: x",), 2, "did you mean snapshot?"),
        (("snapshot: no",), 130, "stopped at snapshot: the answer was no"),
    ],
)
def test_a_manual_step_that_is_not_done_changes_nothing(
    mariadb: Sandbox, tmp_path: Path, answer: tuple[str, ...], status: int, said: str
) -> None:
    """Without a terminal an unanswered step refuses the run; an answer of no stops it there."""
    place = bench(mariadb, tmp_path, manual=SNAPSHOT)
    before = place.schema()
    ran = place.run("run", answer=answer)
    assert ran.status == status
    assert said in ran.said
    assert place.schema() == before


def test_a_person_is_asked_at_the_step(mariadb: Sandbox, tmp_path: Path) -> None:
    """At a terminal the question comes when its phase does, and the run goes on with the answer."""
    place: Bench = bench(mariadb, tmp_path, manual=SNAPSHOT)
    status, screen = answered(
        place, ("run", "--env=test"), ("Is the cloud snapshot taken?", b"snap-77\n")
    )
    assert status == 0, screen[-2000:]
    assert "snapshot · snap-77" in screen


def test_after_a_failed_check_nobody_is_asked(mariadb: Sandbox, tmp_path: Path) -> None:
    """A question whose phase will not run any more is skipped with it."""
    manual = {"ready": {"before": "validate", "ask": "Ready?"}}
    place = bench(mariadb, tmp_path, manual=manual)
    ran = place.run("run", skip=("migrate: to see verify fail",), answer=("ready: yes",))
    assert ran.status == 1
    (asked,) = (step for step in ran.document["steps"] if step["kind"] == "ask")
    assert asked["outcome"] == "skipped"


def test_the_logs_are_followed_without_the_lock(mariadb: Sandbox, tmp_path: Path) -> None:
    """A window that ends with the logs shuts nobody out meanwhile, and stops as monitor does."""
    place = logs.place(mariadb, tmp_path)
    for host in logs.HOSTS:
        logs.log(tmp_path, host).write_text(logs.history(1, 2))
    assert "--hours" in skipped(place.run("run", dry_run=True))["monitor"]
    with place.start("run", "--env=test", "--hours=1") as process:
        kept = tmp_path / ".runbook" / "test" / "monitor" / "watch.json"
        assert wait_until(lambda: kept.exists() or process.poll() is not None, 60)
        assert mariadb.query("SELECT IS_USED_LOCK('runbook:vaulteer')") == [(None,)]
        ended = "SELECT outcome FROM vaulteer.runbook_ledger WHERE entry = 'run' AND phase = 'run'"
        assert place.run("export").status == 0
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "stopped following" in out
    assert "Resume: invoke monitor --env=test --hours=1\n" in out
    assert mariadb.query(ended)[0] == ("changed",)


def test_the_logs_are_not_followed_after_a_failed_check(mariadb: Sandbox, tmp_path: Path) -> None:
    """What is not as it should be is told at once, not after a day."""
    place = logs.place(mariadb, tmp_path)
    for host in logs.HOSTS:
        logs.log(tmp_path, host).write_text(logs.history(1, 2))
    ran = place.run("run", hours="24", skip=("migrate: to see verify fail",))
    assert ran.status == 1
    assert ran.document["steps"][-1]["outcome"] == "skipped"
    assert ran.document["steps"][-1]["kind"] == "follow"


@pytest.mark.wide
def test_the_whole_window_as_it_is_shipped(sandbox: Sandbox, tmp_path: Path) -> None:
    """The sandbox's own environment runs every phase as previewed, again with nothing to do."""
    sandbox.start_application(FIRST)
    shipped = yaml.safe_load((PROJECT / "inventory.yaml").read_text())["environments"]["sandbox"]
    sections = {name: shipped[name] for name in ("deploy", "smoke", "validate", "health", "hosts")}
    place = bench(sandbox, tmp_path, **sections)
    before = place.schema()
    preview = place.run("run", dry_run=True, release="v1.1.0", triggers=True)
    pinned = next(word for word in preview.document["next"].split() if word[:10] == "--release=")
    ran = place.run("run", release=pinned[10:], triggers=True, plan=preview.document["plan"])
    assert ran.status == 0, ran.why
    assert skipped(ran).keys() <= {"monitor"}
    assert phases(ran)[:7] == list(ORDER[1:8])
    again = place.run("run", release="v1.1.0", triggers=True)
    assert again.document["outcome"] == "ok", again.why
    assert place.run("export").status == 0
    assert place.run("rollback").status == 0
    assert place.schema() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"triggers": True, "last": "smoke"}, "--triggers is about triggers, which is left out"),
        ({"event": "e", "skip": ("validate: no job",)}, "--event=e is about validate"),
        ({"release": "main", "first": "migrate"}, "--release=main is about deploy"),
    ],
)
def test_what_is_asked_of_a_phase_that_is_left_out_is_refused(
    options: dict[str, Any], said: str
) -> None:
    """An option whose phase would not run is a mistake, not a thing to pass over."""
    with pytest.raises(UsageError) as refused:
        left_out(Options(**options))
    assert said in refused.value.message


def test_triggers_of_tables_that_nothing_makes_are_refused(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """A window that begins behind a migration which never was refuses before it does anything."""
    ran = bench(mariadb, tmp_path).run("run", first="triggers", triggers=True)
    assert (ran.status, ran.document["steps"]) == (3, [])
    assert "invoke migrate --env=test first" in ran.said


def test_a_migration_without_a_backup_is_warned_of(mariadb: Sandbox, tmp_path: Path) -> None:
    """Where the backup is left out of a window that migrates, the preview warns of it."""
    place = bench(mariadb, tmp_path)
    left = "left out (no room), and the migration would change the database"
    assert left in place.run("run", dry_run=True, skip=("backup: no room",)).said
    assert "left out" not in str(place.run("run", dry_run=True).document["findings"])


def test_ctrl_c_at_a_question_stops_there(mariadb: Sandbox, tmp_path: Path) -> None:
    """Once is enough while a person is asked: nothing is in hand, so nothing is in doubt."""
    place: Bench = bench(mariadb, tmp_path, manual=SNAPSHOT)
    status, screen = answered(
        place, ("run", "--env=test"), ("Is the cloud snapshot taken?", CTRL_C)
    )
    assert status == 130, screen[-2000:]
    assert "stopped at snapshot: no answer" in screen
    assert "still be running" not in screen


def test_a_typed_answer_acts_on_no_terminal(mariadb: Sandbox, tmp_path: Path) -> None:
    """Control characters and bytes of no encoding in an answer are kept as escapes, no colours."""
    place: Bench = bench(mariadb, tmp_path, manual=SNAPSHOT)
    question = ("Is the cloud snapshot taken?", b"a\x1b[31mb\x1b]\xff\n")
    status, screen = answered(place, ("run", "--env=test"), question)
    assert status == 0, screen[-2000:]
    (journal,) = (tmp_path / ".runbook" / "test" / "journal").iterdir()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    told = [e["detail"] for e in lines if e["event"] == "StepFinished"]
    assert r"ab\x1b]\udcff" in told


@pytest.mark.parametrize("odd", ["a\x1b[31mb", "a\nb", "\udcff"])
def test_an_option_that_cannot_be_printed_is_refused(
    mariadb: Sandbox, tmp_path: Path, odd: str
) -> None:
    """What would act on a terminal, or no file can hold, is a mistake and no defect."""
    ran = bench(mariadb, tmp_path).run("run", dry_run=True, skip=(f"smoke: {odd}",))
    assert ran.status == 2
    assert "holds a character that cannot be printed" in ran.said
