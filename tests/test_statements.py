"""The splitter against the real clients, and what a statement says about itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.errors import UsageError
from runbook.sql.statements import Statement, split
from runbook.sql.text import quote_name
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.schemas import NAME, Schema

OWN = {"select @@version_comment limit 1", "select $$"}
"""What MySQL's client asks by itself when it connects."""

WORDS = st.sampled_from(
    ["select", "1", "+", "-", "/", "*", "(", ")", "x.y", "a--b", "@v", ":=", "é", "5--1", "end"]
)


def one_line(text: str) -> str:
    """Return a text without its line ends."""
    return text.replace("\r", "").replace("\n", "")


INSIDE = st.lists(
    st.sampled_from(["a", "é", " ", "\n", ";", "#", "-", "/", "*", "$", "\r\n", "delimiter "]),
    max_size=6,
).map("".join)
QUOTED = st.one_of(
    st.builds("'{}'".format, INSIDE),
    st.builds('"{}"'.format, INSIDE),
    st.builds("`{}`".format, INSIDE),
    st.sampled_from(
        ["''", "'it''s'", r"'\''", r"'\\'", r"`\`", "`a``;b`", '"\\";"', "'\"`'", "'\\\n'"]
    ),
)
COMMENTS = st.one_of(
    st.builds("/* {} */".format, INSIDE),
    st.builds("-- {}\n".format, INSIDE.map(one_line)),
    st.builds("#{}\n".format, INSIDE.map(one_line)),
    st.sampled_from(
        ["/**/", "--\n", "--\t;\n", "/* it's; */", "-- it's;\n", "/*! 1 */", "/*!50003 ';' */"]
    ),
)
SPACE = st.sampled_from([" ", "\n", "\t", "\r\n", "  "])
MARKS = st.sampled_from(
    ["'", '"', "`", "\\", "/*", "*/", "--", "-- ", "#", "delimiter", "/*!", "$$"]
)
ENDS = st.sampled_from([";", "//", "\ndelimiter //\n", "\n Delimiter ;\r\n"])
PARTS = st.lists(st.one_of(WORDS, WORDS, WORDS, SPACE, SPACE, QUOTED, COMMENTS), max_size=5)


def section(delimiter: str, statements: list[list[str]]) -> str:
    """Return statements, each with its end, after the DELIMITER line that they need."""
    ended = (f"{''.join(parts)}{delimiter}" for parts in statements)
    return f"\nDELIMITER {delimiter}\n{''.join(ended)}\n"


ORDERLY = st.lists(
    st.one_of(
        PARTS.map(lambda parts: "".join(parts) + ";"),
        st.builds(
            section, st.sampled_from(["//", "$$", ";;", "end"]), st.lists(PARTS, max_size=3)
        ).map(lambda text: text + "DELIMITER ;\n"),
    ),
    max_size=5,
).map("".join)
SCRIPTS = st.one_of(
    ORDERLY,
    ORDERLY.map("\ufeff{}".format),
    st.lists(st.one_of(WORDS, SPACE, QUOTED, COMMENTS, ENDS, MARKS), max_size=8).map("".join),
)


@dataclass(frozen=True)
class Oracle:
    """The real client, and what a real server then received of it."""

    schema: Schema

    def received(self, script: str, *options: str) -> list[str]:
        """Return the texts that the server received, in order, without empty ones."""
        last = "SELECT COALESCE(MAX(thread_id), 0) FROM mysql.general_log"
        before = self.schema.run(last)[0][0]
        self.schema.client(
            script, "--force", "--skip-comments", "--default-character-set=utf8mb4", *options
        )
        rows = self.schema.run(
            "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
            f" WHERE command_type = 'Query' AND thread_id > {before}"
        )
        return [text for (text,) in rows if isinstance(text, str) and text and text not in OWN]


@pytest.fixture(scope="module", params=FLAVOURS)
def oracle(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    """Return the client of each server in turn, with the server's general log on."""
    server: Sandbox = request.getfixturevalue(f"{request.param}_server")
    raw = ["SET GLOBAL log_raw = {}"] if server.server == "mysql" else []
    with server.root_connection(None) as connection:
        schema = Schema(server, connection)
        schema.run(
            f"CREATE DATABASE IF NOT EXISTS {quote_name(NAME)}",
            *(text.format("ON") for text in raw),
            "TRUNCATE mysql.general_log",
            "SET GLOBAL general_log = ON",
        )
        yield Oracle(schema)
        schema.run(
            "SET GLOBAL general_log = OFF",
            *(text.format("OFF") for text in raw),
            f"DROP DATABASE {quote_name(NAME)}",
        )


def texts(script: str) -> list[str]:
    """Return the texts of a script's statements."""
    return [statement.text for statement in split(script, "f.sql")]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS)
def test_split_equals_what_the_server_receives_from_the_client(oracle: Oracle, script: str) -> None:
    """What `split` does not refuse, it splits as the real client does."""
    with contextlib.suppress(UsageError):
        expected = texts(script)
        assert oracle.received(script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "select 1; -- c\nselect 2",
        "select 1 --\n+1;",
        "select/* a;b */1;",
        "select /*!50003 1 */, 2;",
        "\ufeffselect 1;\r\nselect\r\n2;\r\n",
        "select 'a\r\nb';",
        "delimiter //\ncreate trigger t begin\n -- it's; c\n set x = 1;\nend//\ndelimiter ;\n1",
        "DELIMITER $$\nCREATE TRIGGER t BEGIN SIGNAL SQLSTATE '45000'; END$$\nDELIMITER ;\n",
        "delimiter ;;\nselect ';'; ;;select 2;;",
        "; ;\n/* only; */;-- it's\n#;\n",
        "select 'delimiter\ndelimiter //\n', `\ndelimiter //\n` /*\ndelimiter //\n*/;",
        "select `a\\`;select \"b\\\";\"; select 'c'';';",
        "select 'a\\\nb';",
        "x/* a\nb */y;x/* a\nb\n*/\ny;",
    ],
)
def test_split_equals_the_client_on_known_corners(oracle: Oracle, script: str) -> None:
    """Corners that a generator rarely meets are split as the real client does."""
    assert oracle.received(script) == texts(script) or not texts(script)


def test_mariadbs_conditional_comments_are_kept(oracle: Oracle) -> None:
    """`/*M! */` reaches MariaDB, as its own client sends it; to MySQL it is a comment."""
    script = "select 1 /*M! + 1 */;"
    assert texts(script) == ["select 1 /*M! + 1 */"]
    if oracle.schema.server.server == "mariadb":
        assert oracle.received(script) == texts(script)


def test_statements_know_where_they_stand() -> None:
    """A statement has the line of its first significant character, and its delimiter."""
    script = "/* a\nb */\n\n  select 1; select\n2;\n\ndelimiter //\n-- c\nselect 3;\n//\nselect 4"
    assert split(script, "a/b.sql") == (
        Statement("select 1", "a/b.sql", 4),
        Statement("select\n2", "a/b.sql", 4),
        Statement("select 3", "a/b.sql", 9, "//"),
        Statement("select 4", "a/b.sql", 11, "//"),
    )
    assert split(script, "a/b.sql")[2].source == "a/b.sql:9"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("select 1;\nselect 'a\n\n;", "f.sql:2: the quote ' that starts here is not closed"),
        ('\n"', 'f.sql:2: the quote " that starts here'),
        ("select `a;", "f.sql:1: the quote ` that starts here"),
        ("select 1;\n/* a\n;", "f.sql:2: the comment that starts here is not closed"),
        ("select /*! 1", "f.sql:1: the comment that starts here is not closed"),
        ("select 1\\G", "f.sql:1: backslash commands"),
        ("\nsource other.sql\n", "f.sql:2: `source` is a command of the mysql client"),
        ("select 1;\nUSE other;", "f.sql:2: `USE` is a command of the mysql client"),
        ("system rm -rf x;", "f.sql:1: `system` is a command"),
        ("select 1; delimiter //\n", "f.sql:1: `delimiter` is a command"),
        (
            "select 1\ndelimiter //\n",
            "f.sql:2: DELIMITER inside the statement of line 1; is its ; missing",
        ),
        ("delimiter\n", "f.sql:1: DELIMITER takes one word"),
        ("delimiter // select 1;\n", "f.sql:1: DELIMITER takes one word"),
        ("delimiter \\\\\n", "f.sql:1: DELIMITER takes one word"),
        ("--select 1;\n", "f.sql:1: `--` starts a comment only when a space follows it"),
        (
            "select /*! 1; */ 2;",
            "f.sql:1: the delimiter ; inside the conditional comment of line 1",
        ),
        ("select /*!\n-- 1\n*/ 2;", "f.sql:2: a comment inside the conditional comment of line 1"),
        ("select /* /* */ 1;", "f.sql:1: /* inside the comment of line 1"),
        ("select /*+ NO_ICP(t) */ 1;", "f.sql:1: MariaDB's client does not send optimizer hints"),
        ("select $a$;$a$;", "f.sql:1: MySQL's client takes $...$ for a quote"),
        ("select `a\\\n`;", "f.sql:1: a backslash ends the line inside a quoted name"),
        ("select 1;\nselect\0 2;", "f.sql:2: control character '\\x00'"),
        ("-- old Mac\rselect 1;", "f.sql:1: control character '\\r'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(script: str, message: str) -> None:
    """Unclosed quotes, client commands and what clients disagree on are errors with a place."""
    with pytest.raises(UsageError) as caught:
        split(script, "f.sql")
    assert caught.value.message.startswith(message)
