"""What stands in for the application where a whole window is tested: its tests, job and logs.

With `whole` every phase of a window has something to do, on hosts whose
application is the shell script of `tests.rollout`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.sandbox import Sandbox
from tests import logs
from tests.rollout import Rollout, running

PASSES = json.dumps({"testResults": [{"assertionResults": [{"title": "a", "status": "passed"}]}]})
"""The report of a test that has passed."""

FLAG = """\
INSERT IGNORE INTO event_attendance_audit
  (event_id, participant_id, action, previous_status, new_status, dedupe_key)
SELECT p.event_id, p.participant_id, 'mark_absent', p.attendance_status, 'absent',
  CONCAT('auto-absent:', p.participant_id)
FROM event_participants p JOIN events e USING (event_id)
WHERE e.uid = '{event}' AND p.status = 'registered' AND p.attendance_status = 'unknown';
SELECT ROW_COUNT();
UPDATE event_participants p JOIN events e USING (event_id)
SET attendance_status = 'absent', attendance_marked_at = NOW(), attendance_updated_at = NOW()
WHERE e.uid = '{event}' AND p.status = 'registered' AND p.attendance_status = 'unknown';
"""
"""What the application's job does in earnest, in SQL; it prints how many it has flagged."""

JOB = """\
flagged=$(mysql --defaults-extra-file={login} --skip-column-names vaulteer <<'SQL'
{sql}
SQL
)
echo "checking events"
flagged=$(({count}))
counts=$(printf '"scanned": %d, "flagged": %d, "skipped": {{"dedupe": 0}}' $flagged $flagged)
echo 'at noon {{"op": "summary", "event": "{event}", "summary": {{'"$counts"'}}}}'
{more}
"""


def job(
    sandbox: Sandbox,
    folder: Path,
    *,
    event: str = "event-2",
    also: str = "",
    count: str = "flagged",
    more: str = "",
    script: str = JOB,
) -> str:
    """Write the application's job as a script, and return the command that runs it.

    It does `also`, in SQL, after flagging the event's absences, says to have
    flagged `count`, and at the end does `more`, in bash.
    """
    file = folder / "job.sh"
    login, sql = sandbox.root / "app.cnf", FLAG.format(event=event) + also
    file.write_text(script.format(login=login, sql=sql, event=event, count=count, more=more))
    return f"bash {file}"


def suite(folder: Path, before: str = "echo testing") -> str:
    """Write the application's tests as a script that passes, and return their command."""
    file = folder / "tests.sh"
    file.write_text(f"{before}\necho '{PASSES}' >$1\n")
    return f"bash {file} {{report}}"


def sections(sandbox: Sandbox, folder: Path, *, slow: str = "") -> dict[str, Any]:
    """Return the sections of smoke, validate, watch and logs; `slow` is done within the first two.

    Tests run on app1, the job and the watch on app2; both hosts have a quiet log.
    """
    for host in logs.HOSTS:
        logs.log(folder, host).parent.mkdir(exist_ok=True)
        logs.log(folder, host).write_text(logs.history(1, 2))
    login = str(sandbox.root / "app.cnf")
    return {
        "smoke": {
            "host": "app1",
            "command": suite(folder, f"echo testing\n{slow}"),
            "folder": f"{folder}/{{host}}",
        },
        "validate": {
            "host": "app2",
            "command": job(sandbox, folder, script=f"{slow}\n{JOB}"),
            "report": "summary",
        },
        "watch": {"host": "app2", "folder": f"{folder}/watch", "credentials": login},
        "logs": {"api": {"role": "app", "file": f"{folder}/{{host}}/api.log"}},
        "monitor": {"interval": "100ms"},
    }


@contextmanager
def whole(sandbox: Sandbox, folder: Path, *, slow: str = "", **overrides: Any) -> Iterator[Rollout]:
    """Make a place where a first release runs and every phase has something to do."""
    sandbox.reset(rows=2000, partial=True)
    with running(sandbox, folder, **sections(sandbox, folder, slow=slow), **overrides) as place:
        yield place
