"""What a statement says about itself, and quoting that the servers read back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymysql.cursors import Cursor

from runbook.sql import text as sqltext
from runbook.sql.text import Assign, Deallocate, Execute, Prepare
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("ALTER TABLE a ADD b INT", "a"),
        ("alter online ignore table if exists `a``b` drop c", "a`b"),
        ("CREATE TABLE IF NOT EXISTS a (b INT)", "a"),
        ("CREATE OR REPLACE TEMPORARY TABLE a (b INT)", "a"),
        ("DROP TABLE /* x */ IF EXISTS a", "a"),
        ("DROP TABLE a, b", None),
        ("TRUNCATE a", "a"),
        ("CREATE UNIQUE INDEX i USING BTREE ON a (b)", "a"),
        ("CREATE INDEX IF NOT EXISTS `on` ON a (b)", "a"),
        ("DROP INDEX i ON a ALGORITHM=INPLACE", "a"),
        ("CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW SET @x = 1", "a"),
        (
            "CREATE DEFINER = 'u'@'%' TRIGGER IF NOT EXISTS t AFTER DELETE ON a FOR EACH ROW DO 0",
            "a",
        ),
        ("DROP TRIGGER t", None),
        ("UPDATE LOW_PRIORITY a AS x SET b = 1", "a"),
        ("UPDATE a, b SET a.c = 1", None),
        ("UPDATE a JOIN b ON a.x = b.x SET a.c = 1", None),
        ("DELETE QUICK FROM a WHERE b", "a"),
        ("DELETE a FROM a JOIN b", None),
        ("INSERT IGNORE INTO a (b, c) VALUES (1, 2)", "a"),
        ("REPLACE a VALUES (1)", "a"),
        ("ALTER TABLE other.a ADD b INT", None),
        ("SELECT * FROM a", None),
        ("ALTER TABLE", None),
        ("", None),
    ],
)
def test_target_is_the_one_table_a_statement_is_about(text: str, table: str | None) -> None:
    """The table is found by grammar; several tables or another database's are none."""
    assert sqltext.target(text) == table


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "(SELECT 'x INTO OUTFILE y' AS `FOR UPDATE`) -- FOR UPDATE",
        "WITH a AS (SELECT REPLACE('a', 'b', 'c')) SELECT * FROM a",
        "SET @a = (SELECT 1), @b := 2",
        "SELECT 1 INTO @a",
        "SHOW CREATE TABLE a",
        "DO 0",
        "VALUES (1)",
        "SELECT 1;",
        "SELECT CURRENT_TIMESTAMP FROM a WHERE b = 'GET_LOCK('",
    ],
)
def test_reads_are_known(text: str) -> None:
    """What only reads counts as a read, whatever its strings, names and comments say."""
    assert sqltext.is_read(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT 1 /*! INTO OUTFILE 'x' */",
        "SELECT 1 /*M!100000 INTO DUMPFILE 'x' */",
        "SELECT * FROM a FOR UPDATE",
        "SELECT * FROM a FOR SHARE",
        "SELECT * FROM a LOCK IN SHARE MODE",
        "SELECT GET_LOCK('a', 1)",
        "DO RELEASE_ALL_LOCKS()",
        "SELECT NEXT VALUE FOR s",
        "SELECT 1; DROP TABLE a",
        "SELECT 'unclosed",
        "SET GLOBAL read_only = 1",
        "SET @@global.read_only = 1",
        "SET @a = 1, GLOBAL read_only = 1",
        "SET @a = 1, @@persist.read_only = 1",
        "SET SESSION TRANSACTION READ WRITE",
        "SET autocommit = 0",
        "SET PASSWORD = 'x'",
        "SET STATEMENT max_statement_time = 1 FOR UPDATE a SET b = 1",
        "WITH a AS (SELECT 1) DELETE FROM b",
        "UPDATE a SET b = 1",
        "EXECUTE x",
        "CALL p()",
        "ANALYZE DELETE FROM a",
        "EXPLAIN ANALYZE SELECT 1",
        "",
    ],
)
def test_what_is_more_than_a_read_is_known(text: str) -> None:
    """Writes, locks, files, server settings and second statements are no reads."""
    assert not sqltext.is_read(text)


def test_where_clause_is_the_condition_alone() -> None:
    """The condition ends before ORDER BY, LIMIT and RETURNING, and inner ones do not confuse it."""
    text = "UPDATE a SET b = (SELECT c FROM d WHERE e LIMIT 1)\n"
    text += "WHERE f = 'WHERE x' AND (g OR h)\n ORDER BY i LIMIT 5"
    assert sqltext.where_clause(text) == "f = 'WHERE x' AND (g OR h)"
    assert sqltext.where_clause("DELETE FROM a WHERE b RETURNING c") == "b"
    assert sqltext.where_clause("DELETE FROM a") is None
    assert sqltext.where_clause("SELECT 1 FROM a WHERE b") is None


def test_variables_are_found_outside_quotes_and_comments() -> None:
    """A user variable is found in any spelling, never in strings, comments or system variables."""
    assert sqltext.mentions_variable("x BETWEEN @chunk_from AND 1", "chunk_from")
    assert sqltext.mentions_variable("x > @`Chunk_From`", "chunk_from")
    for text in (
        "'@chunk_from'",
        "/* @chunk_from */ 1",
        "@chunk_from2",
        "@@chunk_from",
        "`@chunk_from`",
    ):
        assert not sqltext.mentions_variable(f"SELECT {text}", "chunk_from")


def test_algorithm_and_lock_are_those_that_the_ddl_names() -> None:
    """Both are read from the clauses of DDL, with or without the equals sign."""
    text = "ALTER TABLE a ADD algorithm_x INT COMMENT 'LOCK=SHARED', algorithm = inplace, LOCK NONE"
    assert (sqltext.algorithm(text), sqltext.lock(text)) == ("INPLACE", "NONE")
    assert sqltext.algorithm("ALTER TABLE a ADD b INT") is None
    assert sqltext.algorithm("SELECT ALGORITHM = COPY") is None


def test_leading_keywords_end_where_names_begin() -> None:
    """Only the keywords at the start are told."""
    assert sqltext.leading_keywords("create /* a */ unique index i ON a (b)") == (
        "CREATE",
        "UNIQUE",
        "INDEX",
    )
    assert sqltext.leading_keywords("/*!50003 drop */ table `update`") == ("DROP", "TABLE")
    assert sqltext.leading_keywords("'select'") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PREPARE step FROM @ddl", Prepare("step", "ddl")),
        ("prepare `step` from @`Ddl`", Prepare("step", "ddl")),
        ("PREPARE step FROM 'SELECT 1'", None),
        ("EXECUTE step", Execute("step")),
        ("EXECUTE step USING @a, @b", Execute("step", ("a", "b"))),
        ("EXECUTE IMMEDIATE 'DROP TABLE a'", None),
        ("DEALLOCATE PREPARE step", Deallocate("step")),
        ("DROP PREPARE step", Deallocate("step")),
        ("SET @a = (SELECT 1, 2), @`B` := 3", Assign(("a", "b"))),
        ("SET @a = 1, sql_mode = ''", None),
        ("DROP TABLE step", None),
    ],
)
def test_the_guard_protocol_is_recognised(text: str, said: object) -> None:
    """PREPARE from a variable, EXECUTE, DEALLOCATE and SET of user variables are told apart."""
    assert sqltext.recognise(text) == said


def test_a_name_that_cannot_be_is_refused() -> None:
    """An empty name, or one with a NUL, is an error before it is SQL."""
    for name in ("", "a\0b"):
        with pytest.raises(ValueError, match="not a name"):
            sqltext.quote_name(name)


@pytest.fixture(scope="module", params=FLAVOURS)
def cursor(request: pytest.FixtureRequest) -> Iterator[Cursor]:
    """Return a session's cursor on each server in turn."""
    server: Sandbox = request.getfixturevalue(f"{request.param}_server")
    with server.root_connection(None) as connection, connection.cursor() as opened:
        yield opened


@settings(max_examples=60)
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"])
def test_quoted_strings_mean_themselves_in_every_sql_mode(
    cursor: Cursor, mode: str, value: str
) -> None:
    """The server reads a quoted string back as the very value, whatever its SQL mode."""
    cursor.execute(f"SET SESSION sql_mode = '{mode}'")
    cursor.execute(f"SELECT {sqltext.quote_string(value)}")
    assert cursor.fetchone() == (value,)


NAMES = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20
).filter(lambda name: name == name.strip())
"""Names without blanks around: the servers refuse one behind, MySQL drops one before an alias."""


@settings(max_examples=60)
@given(name=NAMES)
def test_quoted_names_mean_themselves(cursor: Cursor, name: str) -> None:
    """The server calls a column by the very name that was quoted."""
    quoted = sqltext.quote_name(name)
    cursor.execute("SET SESSION sql_mode = ''")
    cursor.execute(f"SELECT x.{quoted} FROM (SELECT 1 AS {quoted}) AS x")
    assert cursor.description[0][0] == name
