"""What is previewed is what is sent: compared with what sshd and the server really received."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runbook import inventory
from runbook.sql.text import is_read
from runbook.steps import Chunks, Plan
from runbook.telling import render
from sandbox.sandbox import Sandbox
from tests.support import Bench, Ran, bench

READS = ("SHOW", "EXPLAIN", "SIGNAL", "GET DIAGNOSTICS")
HARMLESS = re.compile(
    r"SET (NAMES|AUTOCOMMIT|SESSION|@|time_zone|STATEMENT max_statement_time = [\d.]+ FOR SELECT)"
    r"|PREPARE|EXECUTE|DEALLOCATE"
    r"|START TRANSACTION .*READ ONLY|COMMIT|ROLLBACK",
    re.IGNORECASE,
)

STAND_IN = Chunks(
    phase="", title="", where="", text="", change="", table=None, checksum="", span=(), key=""
)


class Seen:
    """What hosts and server received since it was made."""

    def __init__(self, place: Bench) -> None:
        self.sandbox = place.sandbox
        self.sandbox.clear_commands()
        self.sandbox.general_log(True)

    def commands(self) -> Counter[str]:
        """Return every command line that an sshd was asked to run, with how often."""
        return Counter(c for host in self.sandbox.hosts for c in self.sandbox.commands(host))

    def sessions(self) -> list[list[str]]:
        """Return the statements of each session of the program, in order.

        Those of mysqldump and mysql, which a job starts on its host, begin otherwise.
        """
        self.sandbox.general_log(False)
        threads: dict[int, list[str]] = {}
        for statement in self.sandbox.statements():
            if statement.kind == "Query":
                threads.setdefault(statement.thread, []).append(statement.text)
        return [texts for texts in threads.values() if texts[0] == "SET NAMES utf8mb4"]


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Return a bench on each server in turn, with a column that is there in part."""
    sandbox.reset(rows=2000, partial=True)
    return bench(sandbox, tmp_path)


def changing(session: list[str]) -> list[str]:
    """Return the statements that are no reads."""
    return [
        text
        for text in session
        if not is_read(text) and not text.upper().startswith(READS) and not HARMLESS.match(text)
    ]


def only_reads(session: list[str]) -> bool:
    """Whether a session was made read-only at once and then only read."""
    first = next(i for i, text in enumerate(session) if text.startswith("SET SESSION TRANSACTION"))
    return first <= 3 and not changing(session)


def rendered(place: Bench, ran: Ran) -> list[re.Pattern[str]]:
    """Return what the preview says the writing session sends, as patterns."""
    environment = inventory.load(place.folder / "inventory.yaml").environment("test")
    pending = [s for s in ran.document["planned"] if not s["done"]]
    around = render.around(Plan("test", "", "", (STAND_IN,)), environment)
    return [_pattern(text) for text in (*statements(pending), *around)]


def statements(pending: list[dict[str, Any]]) -> list[str]:
    """Return the statements that steps show, one by one and in order."""
    texts = []
    for step in pending:
        if step["kind"] in {"statement", "chunks", "record"}:
            texts.append(step["text"])
        elif step["kind"] == "guarded":
            parts = [*step["opening"], *step["checks"], step["drop"], *step["closing"]]
            assert step["text"] == ";\n".join(parts)
            texts += parts
        elif step["kind"] == "proof":
            parts = [*step["opening"], step["attempt"], step["diagnose"], step["closing"]]
            assert step["text"] == ";\n".join(parts)
            texts += parts
    return texts


def _pattern(template: str) -> re.Pattern[str]:
    """Turn a template's `:name`s into whatever value a run puts there."""
    pieces = re.split(r":[a-z_]+", template)
    return re.compile(r"(?:'(?:[^'\\]|\\.|'')*'|NULL|\d+)".join(map(re.escape, pieces)), re.DOTALL)


def prepare(place: Bench, phase: str) -> dict[str, Any]:
    """Bring the environment to where `phase` has something to do; return its options."""
    if phase in {"export", "rollback", "verify", "status", "triggers"}:
        assert place.run("migrate").status == 0
        place.sandbox.query(
            "UPDATE vaulteer.event_participants SET attendance_notes = 'x' WHERE participant_id < 9"
        )
    if phase == "rollback":
        assert place.run("export").status == 0
    if phase == "restore":
        assert place.run("backup").status == 0
        place.sandbox.query("DROP DATABASE IF EXISTS vaulteer_restore_1")
        return {"into": "vaulteer_restore_1"}
    return {}


PHASES = (
    "preflight",
    "backup",
    "restore",
    "migrate",
    "verify",
    "export",
    "rollback",
    "status",
    "triggers",
)


@pytest.mark.parametrize("phase", PHASES)
def test_a_dry_run_only_reads_and_a_run_sends_what_was_previewed(place: Bench, phase: str) -> None:
    """A dry run sends only its look; the run sends the look and the previewed texts, no more."""
    options = prepare(place, phase)

    seen = Seen(place)
    preview = place.run(phase, dry_run=True, **options)
    look = seen.commands()
    assert all(only_reads(session) for session in seen.sessions())

    seen = Seen(place)
    ran = place.run(phase, **options)
    assert ran.status == 0
    assert ran.document["plan"] == preview.document["plan"]
    pending = [s for s in preview.document["planned"] if not s["done"]]
    hosts = [s for s in pending if s["kind"] in {"command", "inspect", "job"}]
    sent = seen.commands()
    for command, times in look.items():
        assert sent[command] >= times or command == "subsystem:sftp"
    beyond = {c for c in sent if c not in look and c != "subsystem:sftp"}
    assert beyond <= {s["text"] for s in hosts} | {s["watch"] for s in hosts if "watch" in s}
    assert {s["text"] for s in hosts} <= set(sent)

    writers = [s for s in seen.sessions() if any("GET_LOCK" in text for text in s)]
    texts = rendered(place, preview)
    unseen = [
        text for s in writers for text in changing(s) if not any(p.fullmatch(text) for p in texts)
    ]
    assert unseen == []
    assert all(only_reads(s) for s in seen.sessions() if s not in writers)
    sql = [text for text in statements(pending) if not text.startswith("SET SESSION")]
    order = list(dict.fromkeys(text for s in writers for text in s if text in sql))
    assert order == list(dict.fromkeys(sql))
