"""The backfill in ranges, where keys, rows and sessions are not as one would like them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from runbook.command.executor import perform
from runbook.database.sessions import SqlError
from runbook.errors import Outcome, StepFailed
from runbook.options import Options
from runbook.perform import statement
from runbook.phases import migrate
from runbook.plan.statements import Chunks, Statement
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import place
from tests.support import MYSQL_IS_WIDE, Bench, Ran, lean

pytestmark = MYSQL_IS_WIDE
TABLE = "vaulteer.event_participants"
LEFT = f"SELECT COUNT(*) FROM {TABLE} WHERE attendance_status IS NULL"
UNFINISHED = (
    "SELECT COUNT(*) FROM vaulteer.runbook_ledger WHERE entry = 'statement' AND finished_at IS NULL"
)
LAST_RUN = "SELECT outcome FROM vaulteer.runbook_ledger WHERE entry = 'run'"
OPEN = "SELECT COUNT(*) FROM information_schema.INNODB_TRX"


@pytest.fixture
def filling(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench whose migration fills 3,000 rows, in several ranges."""
    sandbox.reset(rows=3000, partial=True)
    return lean(sandbox, tmp_path, policy={"chunk_time": "1ms"})


def on_update(sandbox: Sandbox, body: str) -> None:
    """Let every update of a participant do something more, or remove that again."""
    sandbox.query("DROP TRIGGER IF EXISTS vaulteer.on_update")
    if body:
        sandbox.query(
            f"CREATE TRIGGER vaulteer.on_update BEFORE UPDATE ON {TABLE} FOR EACH ROW {body}"
        )


def number(sandbox: Sandbox, query: str) -> int:
    """Return the one number that a query asks for."""
    return int(str(sandbox.query(query)[0][0]))


def changed(ran: Ran) -> int:
    """Return how many rows the backfill of a run says that it changed."""
    (detail,) = (step["detail"] for step in ran.document["steps"] if step["kind"] == "chunks")
    return int(detail.removesuffix(" rows changed").replace(",", ""))


def killed(place: Bench, how: str) -> Ran:
    """Run migrate, and kill its writing session or its query inside a range of the backfill."""

    def kill() -> None:
        assert wait_until(lambda: number(place.sandbox, LEFT) == 2000, 20.0)
        time.sleep(0.2)
        writer = number(place.sandbox, "SELECT IS_USED_LOCK('runbook:vaulteer')")
        place.sandbox.query(f"KILL {how} {writer}")

    on_update(place.sandbox, "DO SLEEP(IF(NEW.participant_id = 1500, 20, 0))")
    killer = threading.Thread(target=kill)
    killer.start()
    ran = place.run("migrate")
    killer.join()
    on_update(place.sandbox, "")
    return ran


def test_a_gap_in_the_keys_costs_nothing(filling: Bench) -> None:
    """Behind a gap of two billion keys the ranges are as small as before it, and as few."""
    filling.sandbox.query(
        f"UPDATE {TABLE} SET participant_id = participant_id + 2000000000"
        " WHERE participant_id > 1500"
    )
    filling.sandbox.general_log(on=True)
    ran = filling.run("migrate")
    filling.sandbox.general_log(on=False)
    assert (ran.status, changed(ran)) == (0, 3000)
    asked = [said.text for said in filling.sandbox.statements()]
    ranges = [text for text in asked if text.startswith("SET @chunk_from = ")]
    assert 3 <= len(ranges) <= 6


def test_a_table_that_is_empty_by_now_is_filled_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows that went away between the look and the run leave nothing to do, and no open row."""
    sandbox.reset(rows=100, partial=True)
    with place(sandbox, tmp_path) as here:
        (fill,) = (s for s in migrate.prepare(here.site, Options()).steps if isinstance(s, Chunks))
        sandbox.query(f"DELETE FROM {TABLE}")
        with here.running() as run:
            run.ledger.open("")
            assert perform(fill, run).outcome is Outcome.OK
    assert number(sandbox, UNFINISHED) == 0
    here_too = lean(sandbox, tmp_path).run("migrate")
    assert here_too.status == 0


def test_an_error_inside_a_range_leaves_nothing_open(filling: Bench) -> None:
    """The range in hand is taken back, those before it stay, and the same command goes on."""
    on_update(
        filling.sandbox,
        "IF NEW.participant_id = 1200 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not 1200';"
        " END IF",
    )
    ran = filling.run("migrate")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "error 1644: not 1200" in ran.document["message"]
    assert "Done up to key 1000" in ran.document["advice"]
    assert number(filling.sandbox, LEFT) == 2000
    assert number(filling.sandbox, OPEN) == 0
    assert filling.sandbox.query(LAST_RUN) == [("failed",)]
    on_update(filling.sandbox, "")
    again = filling.run("migrate")
    assert (again.status, changed(again)) == (0, 2000)


def test_a_killed_query_is_told_as_that(filling: Bench) -> None:
    """KILL QUERY ends the run as failed, not as a time limit; the same command goes on."""
    ran = killed(filling, "QUERY")
    assert (ran.status, ran.document["outcome"]) == (1, "failed")
    assert "error 1317" in ran.document["message"]
    assert "KILL QUERY" in ran.document["advice"]
    assert number(filling.sandbox, LEFT) == 2000
    again = filling.run("migrate")
    assert (again.status, changed(again)) == (0, 2000)


def test_a_run_whose_lock_is_lost_stops(filling: Bench) -> None:
    """When the writing session is killed the run ends as unknown; the next one does the rest."""
    ran = killed(filling, "CONNECTION")
    assert (ran.status, ran.document["outcome"]) == (4, "unknown")
    assert "database connection was lost" in ran.document["message"]
    assert number(filling.sandbox, LEFT) == 2000
    assert "interrupted" in filling.run("status").said
    again = filling.run("migrate")
    assert (again.status, changed(again)) == (0, 2000)
    assert filling.run("verify").status == 0


def test_what_failed_after_it_happened_is_recorded(sandbox: Sandbox, tmp_path: Path) -> None:
    """A DDL that the server did and then reported as failed is in the ledger, so undone as well."""
    with place(sandbox, tmp_path) as here:
        steps = migrate.prepare(here.site, Options()).steps
        add = next(s for s in steps if isinstance(s, Statement) and "attendance_notes" in s.text)
        with here.running() as run:
            run.ledger.open("")

            def reported_as_failed() -> None:
                run.writer.execute(add.text)
                raise SqlError(1030, "Got error 28 from storage engine")

            with pytest.raises(StepFailed, match="error 1030"):
                statement.perform(add, run, reported_as_failed)
    recorded = "SELECT outcome, added FROM vaulteer.runbook_ledger WHERE entry = 'statement'"
    assert sandbox.query(recorded) == [("changed", "column:event_participants.attendance_notes")]
    with place(sandbox, tmp_path) as here:
        (again,) = (
            s for s in migrate.prepare(here.site, Options()).steps if s.origin == add.origin
        )
        assert again.done
