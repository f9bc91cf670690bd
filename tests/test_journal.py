"""The journal: what it knows of a run besides its steps, and that no text can break it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runbook.command import counting
from runbook.errors import Outcome
from runbook.events import Moment, RunFinished
from runbook.telling.journal import Journal
from sandbox.sandbox import Sandbox
from tests.looking import Place
from tests.support import MYSQL_IS_WIDE, Ran, bench

TABLES = ("event_participants", "event_attendance_audit")


def told(ran: Ran, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind in a run's journal."""
    lines = map(json.loads, Path(ran.document["journal"]).read_text().splitlines())
    return [line for line in lines if line["event"] == kind]


def counts(ran: Ran) -> dict[str, list[int | None]]:
    """Return the rows of every table before and after; all are exact."""
    before, after = told(ran, "Counted")
    assert (before["moment"], after["moment"]) == ("before", "after")
    assert all(row["exact"] for row in (*before["tables"], *after["tables"]))
    pairs = zip(before["tables"], after["tables"], strict=True)
    return {one["table"]: [one["rows"], other["rows"]] for one, other in pairs}


@MYSQL_IS_WIDE
def test_rows_are_counted_before_and_after(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each table that a run changes is counted at both ends; one that is not there has none."""
    place = bench(sandbox, tmp_path)
    preview = place.run("migrate", dry_run=True)
    migrated = place.run("migrate", plan=preview.document["plan"])
    assert counts(migrated) == dict(zip(TABLES, ([500, 500], [None, 0]), strict=True))
    said = f"--plan={preview.document['plan']}, the digest of a preview"
    assert [line["confirmed"] for line in told(migrated, "RunStarted")] == [said]
    sandbox.query("DELETE FROM vaulteer.event_participants WHERE participant_id <= 100")
    assert place.run("export").status == 0
    undone = place.run("rollback")
    assert counts(undone) == dict(zip(TABLES, ([400, 400], [0, None]), strict=True))
    assert told(place.run("verify"), "Counted") == []


def test_a_table_that_cannot_be_counted_in_time_is_estimated(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The count gives way to the server's estimate after its time, and says so."""
    with (
        Place(sandbox, tmp_path).opened() as site,
        sandbox.root_connection() as other,
        other.cursor() as cursor,
    ):
        cursor.execute("LOCK TABLES event_participants WRITE")
        (row,) = counting.count(site.reader, Moment.BEFORE, ("event_participants",)).tables
    assert row.exact is False
    assert row.rows is not None
    assert 250 < row.rows < 1000


def test_any_text_can_be_written(tmp_path: Path) -> None:
    """A text that UTF-8 cannot hold, and one with line breaks, is one line of valid JSON."""
    journal = Journal(tmp_path, "run")
    odd = "a\udc80b\nc\u2028"
    journal(RunFinished("run", Outcome.FAILED, 0.1, odd))
    journal.close()
    (line,) = journal.path.read_text("utf-8").split("\n")[:-1]
    assert json.loads(line)["message"] == odd
