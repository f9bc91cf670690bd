"""What a statement's own text says that it adds."""

from __future__ import annotations

import pytest

from runbook.database.schema import Shape
from runbook.sql.adds import adds

CASES = {
    "ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT 1 AFTER b, ALGORITHM=INSTANT": "column:t.a",
    "ALTER TABLE `t` ADD `a b` ENUM('x,y', 'ADD COLUMN z')": "column:t.a b",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT, ADD b DECIMAL(1,2)": "column:t.a column:t.b",
    "ALTER TABLE t ADD (a INT, b INT, KEY k (a))": "column:t.a column:t.b index:t.k",
    "ALTER TABLE t ADD a INT UNIQUE": "column:t.a index:t.a",
    "ALTER TABLE t ADD a INT CHECK (a > 0)": "column:t.a constraint:t.*",
    "ALTER TABLE t ADD INDEX i (a, b), LOCK=NONE": "index:t.i",
    "ALTER TABLE t ADD UNIQUE (a, b)": "index:t.a",
    "ALTER TABLE t ADD PRIMARY KEY (a)": "index:t.PRIMARY",
    "ALTER TABLE t ADD CONSTRAINT u UNIQUE KEY USING BTREE (a)": "index:t.u",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)": "constraint:t.c",
    "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id)": (
        "constraint:t.f index:t.a index:t.f"
    ),
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (id)": "constraint:t.* index:t.a",
    "ALTER TABLE t CHANGE COLUMN a b INT, RENAME INDEX i TO j": "column:t.b index:t.j",
    "ALTER TABLE t DROP COLUMN a, MODIFY b INT, CONVERT TO CHARACTER SET utf8mb4": "",
    "CREATE UNIQUE INDEX i ON t (a)": "index:t.i",
    "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, KEY k (id))": "table:t",
    "CREATE TRIGGER IF NOT EXISTS g BEFORE UPDATE ON t FOR EACH ROW SET @a = 1": "trigger:g",
    "DROP INDEX i ON t": "",
    "UPDATE t SET a = 1": "",
    "ALTER TABLE elsewhere.t ADD COLUMN a INT": "",
}


@pytest.mark.parametrize("text", CASES)
def test_what_a_text_adds(text: str) -> None:
    """Columns, keys, tables and triggers are named, however the text spells that."""
    assert " ".join(adds(text)) == CASES[text]


def test_what_a_text_does_not_name_is_not_its() -> None:
    """Of what is new only what is named counts, in any case; `*` is any name of its kind."""
    new = {"column:T.A", "column:T.vip", "constraint:T.T_chk_1", "index:T.a"}
    now = Shape("T", frozenset({"table:T", *new}), "…")
    before = frozenset({"table:T"})
    assert now.added_since(before, ("column:t.a",)) == ("column:T.A",)
    assert now.added_since(before, ("constraint:t.*",)) == ("constraint:T.T_chk_1",)
    assert now.added_since(before, ()) == ()
    assert set(now.added_since(before)) == new
