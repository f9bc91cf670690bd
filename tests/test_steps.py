"""Plans, digests, redaction and the small pure rules of the core."""

from __future__ import annotations

import dataclasses
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.database import ledger
from runbook.database.schema import Shape, difference
from runbook.database.sessions import parse_server
from runbook.errors import EXIT_STATUS, Outcome
from runbook.events import Event, Looking, StepFinished, redact, redacting
from runbook.hosts.shell import quote, script
from runbook.perform.chunks import LEAST_WIDTH, next_width
from runbook.plan.plan import Finding, Level, Plan
from runbook.plan.statements import Check, Statement
from runbook.plan.steps import Command
from runbook.telling.journal import plain

COMMAND = Command(phase="backup", title="look", where="db1", text="ls -l")
STATEMENT = Statement(
    phase="migrate",
    title="add",
    where="shop@db1",
    text="ALTER TABLE t ADD c INT",
    change="shop",
    table="t",
    checksum="0" * 64,
)


def plan(*steps: Command | Statement | Check) -> Plan:
    """Return a plan of these steps."""
    return Plan("staging", "migrate", "shop", steps)


def test_digest_says_what_is_sent() -> None:
    """Another text, another host or another order is another digest."""
    digests = {
        plan(COMMAND, STATEMENT).digest,
        plan(STATEMENT, COMMAND).digest,
        plan(dataclasses.replace(COMMAND, text="ls -l /")).digest,
        plan(dataclasses.replace(COMMAND, where="db2")).digest,
        plan(dataclasses.replace(COMMAND, done=True)).digest,
        plan(COMMAND).digest,
    }
    assert len(digests) == 6


@given(st.text(), st.text())
def test_digest_leaves_out_counts_and_estimates(found: str, cost: str) -> None:
    """What was counted or estimated does not change the digest."""
    told = dataclasses.replace(STATEMENT, found=found, cost=cost, timeout=1.0)
    assert plan(told).digest == plan(STATEMENT).digest


def test_pending_are_the_steps_that_would_change_something() -> None:
    """Reads and steps that are done already are not pending."""
    check = Check(phase="verify", title="c", where="db", text="SELECT 1", statements=("SELECT 1",))
    done = dataclasses.replace(STATEMENT, done=True)
    assert plan(COMMAND, check, done).pending == (COMMAND,)


def test_refusals_are_only_what_forbids() -> None:
    """A warning does not forbid a run."""
    rows = tuple(Finding("x", "db", level, "") for level in Level)
    assert [f.level for f in Plan("e", "p", "c", (), rows).refusals] == [Level.REFUSED]


def test_every_outcome_has_an_exit_status() -> None:
    """Only ok, changed and skipped exit with 0."""
    assert {o for o in Outcome if EXIT_STATUS[o] == 0} == {
        Outcome.OK,
        Outcome.CHANGED,
        Outcome.SKIPPED,
    }


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_no_secret_is_left_after_redaction(text: str, secrets: list[str]) -> None:
    """A redacted text holds none of the secrets, unless the mark itself spells one."""
    clean = redact(text + "".join(secrets), secrets)
    assert not [s for s in secrets if s in clean.replace("•••", "\0") and "\0" not in s]


def test_redaction_reaches_every_field_of_an_event() -> None:
    """Secrets in nested steps, tuples and details are replaced."""
    told: list[Event] = []
    tell = redacting(told.append, lambda: ("hunter2",))
    step = dataclasses.replace(COMMAND, text="echo hunter2")
    tell(StepFinished(1, step, Outcome.OK, 0.1, "hunter2", output=("a hunter2 b",)))
    tell(Looking("hunter2"))
    assert "hunter2" not in repr(told)
    assert "•••" in repr(told)


def test_plans_become_json() -> None:
    """A plan in a journal or document is JSON that carries its digest and kinds."""
    told = json.loads(json.dumps(plain(plan(COMMAND, STATEMENT))))
    assert told["digest"] == plan(COMMAND, STATEMENT).digest
    assert [step["kind"] for step in told["steps"]] == ["command", "statement"]


@pytest.mark.parametrize(
    ("text", "flavour", "version"),
    [
        ("10.11.19-MariaDB-log", "MariaDB", (10, 11, 19)),
        ("5.5.5-10.6.12-MariaDB", "MariaDB", (10, 6, 12)),
        ("9.7.4", "MySQL", (9, 7, 4)),
        ("8.0.36-0ubuntu0.22.04.1", "MySQL", (8, 0, 36)),
    ],
)
def test_server_versions(text: str, flavour: str, version: tuple[int, ...]) -> None:
    """Flavour and version are read from the server's own text."""
    server = parse_server(text)
    assert (server.flavour, server.version) == (flavour, version)


@given(st.integers(LEAST_WIDTH, 10**9), st.floats(0, 1e6), st.floats(0.001, 60))
def test_chunks_never_stall_nor_jump(width: int, took: float, wanted: float) -> None:
    """A range's width at most quadruples, at most halves, and never falls below the least."""
    new = next_width(width, took, wanted)
    assert max(LEAST_WIDTH, width // 2) <= new <= 4 * width


def test_a_new_table_stands_for_its_columns() -> None:
    """A table that is new is named alone; an old one names what it gained."""
    new = Shape("t", frozenset({"table:t", "column:t.a", "index:t.PRIMARY"}), "…")
    assert new.added_since(frozenset()) == ("table:t",)
    assert new.added_since(frozenset({"table:t", "index:t.PRIMARY"})) == ("column:t.a",)


def test_difference_shows_only_the_lines_that_differ() -> None:
    """Equal definitions have no difference; a missing table is said."""
    assert difference("a\nb", "a\nb") == ()
    assert difference("a\nb", "a\nc") == ("-b", "+c")
    assert difference("a", None) == ("-a", "+(no table)")


def test_templates_bind_by_name() -> None:
    """A template's names become arguments in their order, percent signs survive."""
    text, args = ledger.bind("SET x = :b, y = ':' LIKE '50%', z = :a", {"a": 1, "b": 2})
    assert text == "SET x = %s, y = ':' LIKE '50%%', z = %s"
    assert args == (2, 1)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoting_survives_a_shell(word: str) -> None:
    """A real shell gives a quoted word back unchanged."""
    printed = subprocess.run(
        ["sh", "-c", f"printf %s {quote(word)}"], check=True, capture_output=True
    )
    assert printed.stdout.decode() == word


def test_script_leaves_standard_input_free() -> None:
    """A script is read from descriptor 3, so that secrets can come on standard input."""
    assert script("\necho hi\n") == ("bash -euo pipefail /dev/fd/3 3<<'RUNBOOK'\necho hi\nRUNBOOK")
