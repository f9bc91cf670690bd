"""What is previewed is what is sent: compared with what sshd and the server really received."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook import inventory
from runbook.plan.plan import Plan
from runbook.plan.statements import Chunks
from runbook.plan.steps import Follow
from runbook.sql.text import is_read
from runbook.telling import render
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.rollout import GOOD
from tests.rollout import running as deployed
from tests.standins import sections
from tests.support import Bench, Ran, bench
from tests.watching import AUDIT, insert, with_crontab

READS = ("SHOW", "EXPLAIN", "SIGNAL", "GET DIAGNOSTICS")
HARMLESS = re.compile(
    r"SET (NAMES|AUTOCOMMIT|SESSION|@|time_zone|STATEMENT max_statement_time = [\d.]+ FOR SELECT)"
    r"|PREPARE|EXECUTE|DEALLOCATE"
    r"|START TRANSACTION .*READ ONLY|COMMIT|ROLLBACK",
    re.IGNORECASE,
)
"""What changes nothing in a session whose writes the server refuses."""
DRIVER = re.compile(r"SET NAMES utf8mb4|SET AUTOCOMMIT = 1")
"""What a session that may write gets unsaid; all else there that is no read is previewed."""
AROUND = re.compile(r"SET SESSION|START TRANSACTION|ROLLBACK")
"""What several steps send, so that their order cannot be told by it."""

STAND_IN = Chunks(
    phase="", title="", where="", text="", change="", table=None, checksum="", span=(), key=""
)
FOLLOWED = Follow(phase="", title="", where="", text="", feeds=(), hours=0)

Sent = tuple[str, str]
"""A host and a command line."""
SFTP = "subsystem:sftp"


class Seen:
    """What hosts and server received since it was made."""

    def __init__(self, place: Bench) -> None:
        self.sandbox = place.sandbox
        self.sandbox.clear_commands()
        self.sandbox.general_log(True)

    def commands(self) -> list[Sent]:
        """Return every command line that an sshd was asked to run; in order, for each host."""
        return [(host, c) for host in self.sandbox.hosts for c in self.sandbox.commands(host)]

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
def place(sandbox: Sandbox, tmp_path: Path, phase: str) -> Iterator[Bench]:
    """Return a bench on each server in turn, with a column that is there in part.

    The application's tests and its job are scripts; where it is deployed, so is its program.
    """
    sandbox.reset(rows=2000, partial=True)
    own = {**sections(sandbox, tmp_path), "backup": {"snapshot": "true"}}
    if phase not in ROLLED:
        with with_crontab(sandbox):
            yield bench(sandbox, tmp_path, **own)
        return
    with deployed(sandbox, tmp_path, **own) as rolled:
        rolled.release(GOOD)
        yield rolled.bench


def beside_reads(session: list[str]) -> list[str]:
    """Return the statements that are no reads."""
    return [t for t in session if not is_read(t) and not t.upper().startswith(READS)]


def only_reads(session: list[str]) -> bool:
    """Whether a session was made read-only at once and then only read."""
    first = next(i for i, text in enumerate(session) if text.startswith("SET SESSION TRANSACTION"))
    return first <= 3 and all(HARMLESS.match(text) for text in beside_reads(session))


def rendered(place: Bench, ran: Ran) -> list[re.Pattern[str]]:
    """Return what the preview says the writing session sends, as patterns."""
    environment = inventory.load(place.folder / "inventory.yaml").environment("test")
    pending = [s for s in ran.document["planned"] if not s["done"]]
    followed = [FOLLOWED] if any(s["kind"] == "follow" for s in pending) else []
    around = render.around(Plan("test", "", "", (STAND_IN, *followed)), environment)
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
    if phase not in UNMIGRATED:
        assert place.run("migrate").status == 0
        place.sandbox.query(
            "UPDATE vaulteer.event_participants SET attendance_notes = 'x' WHERE participant_id < 9"
        )
    for command, options in BEFORE.get(phase, ()):
        assert place.run(command, **options).status == 0
    if phase == "watch --accept":
        insert(place.sandbox, 1)
        assert place.run("watch", once=True).status == 0
        place.sandbox.query(f"DELETE FROM {AUDIT}")
        assert place.run("watch", once=True).status == 1
    if phase == "restore":
        place.sandbox.query("DROP DATABASE IF EXISTS vaulteer_restore_1")
    flags = {word.removeprefix("--"): True for word in phase.split()[1:]}
    return {**flags, **OPTIONS.get(phase, {})}


def commands(pending: list[dict[str, Any]]) -> list[Sent]:
    """Return the commands that steps show and that change something, in order."""
    key = {
        "command": "text",
        "baseline": "text",
        "job": "text",
        "suite": "text",
        "trial": "command",
    }
    return [(s["where"], s[key[s["kind"]]]) for s in pending if s["kind"] in key]


def questions(pending: list[dict[str, Any]]) -> set[Sent]:
    """Return the commands with which steps only ask, as often as they like."""
    found: set[Sent] = set()
    for step in pending:
        texts = {
            "inspect": lambda s: [s["text"]],
            "expect": lambda s: [s["text"]],
            "scan": lambda s: [s["text"]],
            "trial": lambda s: [s["free"]],
            "wait": lambda s: [*s["checks"], s["report"]],
        }.get(step["kind"], lambda _: [])(step)
        found |= {(step["where"], text) for text in texts}
        if step["kind"] == "survey":
            found |= {(host, text) for host, text in step["asked"]}
        if step["kind"] == "follow":
            found |= {(feed["host"], feed["text"]) for feed in step["feeds"]}
    return found


def together(step: dict[str, Any]) -> list[str]:
    """Return the statements that a step sends in one session, one after the other."""
    if step["kind"] == "proof":
        return statements([step])
    if step["kind"] == "trial":
        return [*step["subject"], *step["before"], *step["after"]]
    return list(step["statements"]) if step["kind"] == "check" else []


def within(part: list[str], whole: list[str]) -> bool:
    """Whether all of `part` is in `whole`, in its order."""
    rest = iter(whole)
    return all(text in rest for text in part)


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
    "triggers --remove",
    "watch",
    "watch --install",
    "watch --once",
    "watch --accept",
    "watch --remove",
    "deploy",
    "smoke",
    "validate",
    "monitor",
    "run",
)
UNMIGRATED = {"preflight", "backup", "restore", "migrate", "deploy", "run"}
"""The phases that have something to do before a migration; the others come after it."""
BEFORE: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "rollback": (("export", {}),),
    "restore": (("backup", {}),),
    "triggers --remove": (("triggers", {}),),
    "watch": (("watch", {"install": True}),),
    "watch --remove": (("watch", {"install": True}),),
}
"""What else is run before."""
OPTIONS: dict[str, dict[str, Any]] = {
    "restore": {"into": "vaulteer_restore_1"},
    "deploy": {"release": "main"},
    "monitor": {"once": True},
    "run": {"triggers": True, "release": "main", "hours": "0.0004"},
}
"""What is typed beside the phase's own words."""
ALIKE = {"verify", "status", "deploy", "smoke", "validate", "monitor"}
"""The phases that ask both servers alike, beside those of the watch: on MySQL they are wide."""
ROLLED = {"deploy", "run"}
"""The phases that need an application which can be deployed."""


CASES = [
    pytest.param(
        server,
        phase,
        marks=[pytest.mark.wide]
        * (server == "mysql" and (phase in ALIKE or phase.startswith("watch"))),
    )
    for phase in PHASES
    for server in FLAVOURS
]


@pytest.mark.parametrize(("sandbox", "phase"), CASES, indirect=["sandbox"])
def test_a_dry_run_only_reads_and_a_run_sends_what_was_previewed(place: Bench, phase: str) -> None:
    """A dry run sends only its look; the run sends the look and the previewed texts, no more."""
    options, name = prepare(place, phase), phase.split(maxsplit=1)[0]

    seen = Seen(place)
    preview = place.run(name, dry_run=True, **options)
    look = Counter(seen.commands())
    assert all(only_reads(session) for session in seen.sessions())

    seen = Seen(place)
    ran = place.run(name, **options)
    assert ran.status == 0, ran.why
    assert ran.document["plan"] == preview.document["plan"]
    pending = [s for s in preview.document["planned"] if not s["done"] and not s["rescues"]]
    sent, changes = seen.commands(), commands(pending)
    for command, times in look.items():
        assert sent.count(command) >= times or command[1] == SFTP
    watched = {(s["where"], s["watch"]) for s in pending if "watch" in s}
    beyond = {c for c in sent if c not in look and c[1] != SFTP}
    assert beyond <= {*changes, *questions(pending), *watched}
    assert questions(pending) <= set(sent)
    assert not set(changes) & set(look)
    assert sorted(c for c in sent if c in changes) == sorted(changes)  # each just once
    for host in place.sandbox.hosts:
        assert within([c for at, c in changes if at == host], [c for at, c in sent if at == host])

    sessions = seen.sessions()
    writers = [s for s in sessions if any("GET_LOCK" in text for text in s)]
    texts = rendered(place, preview)
    said = (text for s in writers for text in beside_reads(s) if not DRIVER.fullmatch(text))
    unseen = [text for text in said if not any(p.fullmatch(text) for p in texts)]
    assert unseen == []
    assert all(only_reads(s) for s in sessions if s not in writers)
    sql = [text for text in statements(pending) if not AROUND.match(text)]
    order = list(dict.fromkeys(text for s in writers for text in s if text in sql))
    assert order == list(dict.fromkeys(sql))
    for step in (s for s in pending if together(s)):
        assert any(within(together(step), session) for session in sessions), step["title"]
