"""What every SQL file of a change must be like, read without a server (see sql/README.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runbook.sql import proofs
from runbook.sql.change import FOLDERS, read
from runbook.sql.statements import split
from runbook.sql.text import Deallocate, is_read, leading_keywords, mentions_variable, recognise
from runbook.watch import questions
from tests.schemas import ATTENDANCE, CHANGES

BOTH = (ATTENDANCE, CHANGES / "library")
FILES = [file for change in BOTH for file in sorted(change.glob("*/*.sql"))]
DIRECT = {("CREATE", "TRIGGER"), ("DROP", "TRIGGER")}
"""What MySQL cannot PREPARE."""

each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: str(file.relative_to(file.parents[2]))
)


def test_both_changes_are_complete() -> None:
    """A change has migrate, verify, export and rollback, and no folder that nobody reads."""
    for change in BOTH:
        folders = {folder.name for folder in change.iterdir()}
        assert {"migrate", "verify", "export", "rollback"} <= folders <= set(FOLDERS)


@each_file
def test_a_naive_runner_sees_the_same_statements(file: Path) -> None:
    """Cut at every semicolon, a file yields the very statements, and none begins with `--`.

    But triggers: their bodies need DELIMITER, and no migration runner is given them.
    """
    if file.parent.name == "triggers":
        assert "DELIMITER $$" in file.read_text()
        return
    pieces = [piece.strip() for piece in file.read_text().split(";") if piece.strip()]
    assert not [piece for piece in pieces if piece.startswith("--")]
    assert [[s.text for s in split(piece, file.name)] for piece in pieces] == [
        [s.text] for s in split(file.read_text(), file.name)
    ]


@each_file
def test_comments_confuse_nobody(file: Path) -> None:
    """Comments are `/* */` at the start of a line, without quotes and semicolons."""
    text = file.read_text()
    for comment in re.findall(r"/\*.*?\*/", text, re.DOTALL):
        assert not set(comment) & set("'\"`;#"), comment
    assert not re.search(r"^\s*(--|#)", text, re.MULTILINE)
    assert not re.search(r"\S.*/\*", text)


@each_file
def test_every_change_of_a_file_can_be_planned(file: Path) -> None:
    """A statement is a read, a part of the guard protocol, or one of the few direct changes."""
    spans: set[str] = set()
    if file.parent.name in {"proof", "watch"}:
        file_of = read(file, file.name)
        if file.parent.name == "proof":
            proofs.read(file_of)
        else:
            questions.read((file_of,))
        return
    texts = [statement.text for statement in split(file.read_text(), file.name)]
    for before, text in zip(["", *texts], texts, strict=False):
        spans |= {v for v in ("chunk_from", "chunk_to") if f" INTO @{v} FROM " in text}
        if recognise(text) or is_read(text):
            continue
        assert file.parent.name in {"migrate", "rollback", "triggers"}, text
        if leading_keywords(text)[:1] == ("UPDATE",):
            assert spans == {"chunk_from", "chunk_to"}
            assert all(mentions_variable(text, name) for name in spans)
            assert not isinstance(recognise(before), Deallocate)
        else:
            assert leading_keywords(text)[:2] in DIRECT, text
            assert isinstance(recognise(before), Deallocate)


@each_file
def test_sql_works_in_every_sql_mode(file: Path) -> None:
    """Strings have single quotes and no backslash, so ANSI_QUOTES and its like don't matter."""
    assert '"' not in file.read_text()
    assert "\\" not in file.read_text()
