"""What a file of a change may not do: refused when it is planned, with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.database import guards
from runbook.errors import Refusal
from runbook.sql.change import SqlFile
from runbook.sql.statements import split
from sandbox.sandbox import Sandbox
from tests.dumps import Place, place
from tests.exporting import exporting

PREPARED = "SET @text = '{}';\nPREPARE step FROM @text;\nEXECUTE step;\n"
MIGRATIONS = {
    "SET @a = 'x';\nUPDATE users SET email = @a;": (2, "it needs @a, which only this file's own"),
    PREPARED.format("UPDATE users SET email = @a"): (1, "it needs @a, which only this file's own"),
    "SET @a = 1, @s = 'DO ?';\nPREPARE s FROM @s;\nEXECUTE s USING @a;": (3, "EXECUTE … USING"),
    "EXECUTE step;": (1, "EXECUTE step, but nothing of that name"),
    "SET @s = NULL;\nPREPARE s FROM @s;\nEXECUTE s;": (1, "@s is NULL"),
    "SET @s = (SELECT nothing FROM users);": (1, "error 1054: Unknown column"),
    "\nSET SESSION sql_mode = '';": (2, "SET is no change of schema or rows"),
    "\nSTART TRANSACTION;": (2, "START is no change of schema or rows"),
    "COMMIT;": (1, "COMMIT is no change of schema or rows"),
    "CALL tidy();": (1, "CALL is no change of schema or rows"),
    "LOCK TABLES users WRITE;": (1, "LOCK is no change of schema or rows"),
    "GRANT SELECT ON users TO app;": (1, "GRANT is no change of schema or rows"),
    "SELECT * FROM users FOR UPDATE;": (1, "SELECT is no change of schema or rows"),
    PREPARED.format("CALL tidy()"): (1, "CALL is no change of schema or rows"),
    "DELIMITER //\nBEGIN NOT ATOMIC DROP TABLE users; END //": (2, "BEGIN is no change of schema"),
}
EXPORTS = {
    "DELETE FROM users;": (1, "an export is a SELECT, not DELETE"),
    PREPARED.format("DELETE FROM users"): (1, "an export is a SELECT, not DELETE"),
    PREPARED.format("SHOW TABLES"): (1, "an export is a SELECT, not SHOW"),
    "\nSHOW TABLES;": (2, "an export is a SELECT, not SHOW"),
    "SELECT 1 INTO OUTFILE '/tmp/one';": (1, "an export only reads"),
    "SELECT * FROM users FOR UPDATE;": (1, "an export only reads"),
    "WITH w AS (SELECT 1) DELETE FROM users;": (1, "an export only reads"),
    "SET @a = 1;\nSELECT @a AS a FROM users;": (2, "it needs @a, which only this file's own"),
}


@pytest.fixture(scope="module")
def site(mariadb_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return one place on MariaDB, whose database is only read."""
    mariadb_server.reset()
    with place(mariadb_server, tmp_path_factory.mktemp("mistakes")) as opened:
        yield opened


def refusal(site: Place, text: str, *, take_reads: bool) -> str:
    """Return the refusal that planning a file of this text ends with."""
    file = SqlFile("x.sql", "", split(text, "x.sql"))
    with pytest.raises(Refusal) as refused:
        guards.choose(site.site.reader, file, take_reads=take_reads)
    return refused.value.message


@pytest.mark.parametrize("text", MIGRATIONS)
def test_what_cannot_stand_in_a_plan_is_refused(site: Place, text: str) -> None:
    """A migration that needs its own session, or changes no schema or rows, is named by line."""
    line, said = MIGRATIONS[text]
    assert refusal(site, text, take_reads=False).startswith(f"x.sql:{line}: {said}")


@pytest.mark.parametrize("text", EXPORTS)
def test_what_is_no_export_is_refused(site: Place, text: str) -> None:
    """An export that writes, locks or shows anything but rows is named by line."""
    line, said = EXPORTS[text]
    assert refusal(site, text, take_reads=True).startswith(f"x.sql:{line}: {said}")


def test_a_command_with_such_a_file_changes_nothing(mariadb: Sandbox, tmp_path: Path) -> None:
    """Export and migrate refuse and say which line of which file; status tells it as well."""
    here = exporting(mariadb, tmp_path, {"wrong": "DELETE FROM users"})
    assert "change/export/wrong.sql:1: an export is" in here.run("export").document["message"]
    (tmp_path / "change" / "migrate" / "more.sql").write_text("CALL tidy();\n")
    for command, status in (("migrate", 3), ("status", 0)):
        ran = here.run(command)
        assert ran.status == status
        assert "change/migrate/more.sql:1: CALL is no change" in ran.said
