"""Reading the objects out of a dump: names, bodies and rows that nobody would think of."""

from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.hosts import jobs

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TRICKY = st.sampled_from(
    ["`", "``", "\n", ";", ";;", " ", "\\", '"', "'", ".", "*/", "/*", "--", "("]
)
WORDS = st.sampled_from(
    [
        "CREATE TABLE `x` (",
        "TRIGGER",
        "VIEW",
        "DELIMITER ;",
        "-- Dump completed",
        "IF",
        "ON",
        "BODY",
    ]
)
NAMES = st.lists(LETTERS | TRICKY | WORDS, min_size=1, max_size=6).map("".join)
LINES = st.lists(LETTERS | TRICKY | WORDS, max_size=6).map("".join)
BODIES = st.lists(LINES, max_size=4).map(
    lambda lines: "\n".join(line.rstrip(";\r\n ") for line in "\n".join(lines).split("\n"))
)


def quoted(name: str) -> str:
    """Quote a name as a dump does."""
    return "`" + name.replace("`", "``") + "`"


def listed(kind: str, name: str) -> str:
    """Write an object as a manifest does."""
    return f"{kind}:{''.join(ESCAPES.get(char, char) for char in name)}"


def table(name: str, rows: str) -> tuple[str, str]:
    """Return a table with a row, as both dump programs write it."""
    q, row = quoted(name), repr(rows)[1:-1].replace("'", "\\'")
    said = name.replace("\n", "\n-- ")
    return listed("table", name), (
        f"--\n-- Table structure for table `{said}`\n--\n\nDROP TABLE IF EXISTS {q};\n"
        f"/*!50503 SET character_set_client = utf8mb4 */;\nCREATE TABLE {q} (\n  `id` int\n)"
        f" ENGINE=InnoDB COMMENT='CREATE TABLE `no` (';\nLOCK TABLES {q} WRITE;\n"
        f"INSERT INTO {q} VALUES (1,'{row}'),\n(2,'{row}');\nUNLOCK TABLES;\n"
    )


def view(name: str, _: str) -> tuple[str, str]:
    """Return a view: its placeholder, and itself at the end."""
    q = quoted(name)
    return listed("view", name), (
        f"/*!50001 CREATE VIEW {q} AS SELECT \n 1 AS `a`*/;\n/*!50001 DROP VIEW IF EXISTS {q}*/;\n"
        "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`VIEW`@`%` SQL SECURITY INVOKER"
        " */\n"
        f"/*!50001 VIEW {q} AS select 1 AS `TABLE` */;\n"
    )


def trigger(name: str, body: str) -> tuple[str, str]:
    """Return a trigger whose statement is as its author wrote it."""
    return listed("trigger", name), (
        "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`TRIGGER x`@`%`*/ /*!50003 trigger if not"
        f" exists /* , */\n{quoted(name)} BEFORE INSERT\nON `t` FOR EACH ROW begin {body}\n"
        "end */;;\nDELIMITER ;\n"
    )


def procedure(name: str, body: str) -> tuple[str, str]:
    """Return a procedure, with the head that the server writes."""
    return listed("procedure", name), (
        f"/*!50003 DROP PROCEDURE IF EXISTS {quoted(name)} */;\nDELIMITER ;;\n"
        f"CREATE DEFINER=`u`@`%` PROCEDURE {quoted(name)}()\nbegin {body}\nend ;;\nDELIMITER ;\n"
    )


KINDS = st.sampled_from([table, view, trigger, procedure])


def read(sql: str) -> list[str]:
    """Return the lines that the script of a backup prints for a dump's SQL."""
    script = f"export LC_ALL=C\n{jobs.part('dump_objects')}\nobjects_in_dump shop"
    done = subprocess.run(
        ["bash", "-c", script], input=sql.encode(), capture_output=True, check=True
    )
    return done.stdout.decode().split("\n")[:-1]


@settings(max_examples=60)
@given(st.lists(st.tuples(KINDS, NAMES, BODIES), max_size=6))
def test_every_object_is_found_and_nothing_else(objects: list[tuple[object, str, str]]) -> None:
    """Whatever names, bodies and rows hold, exactly the created objects are listed."""
    made = [kind(name, body) for kind, name, body in objects]  # type: ignore[operator]
    sql = "".join(text for _, text in made) + "-- Dump completed on 2026-01-01\n"
    lines = read(sql)
    assert not [line for line in lines if line.startswith("defect")], lines
    found = [line.removeprefix("object ") for line in lines if line.startswith("object ")]
    assert sorted(found) == sorted(name for name, _ in made)
    assert f"bytes {len(sql.encode())}" in lines


def test_a_database_in_an_object_s_own_name_or_text_is_noticed() -> None:
    """A trigger created as shop.t is bound to it; a body that says shop.t mentions it."""
    sql = """\
CREATE TABLE `shop` (
  `a` int COMMENT 'shop.x'
);
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`shop`@`%`*/ /*!50003 TRIGGER shop.a AFTER
UPDATE ON t FOR EACH ROW set @x = 1 */;;
/*!50003 CREATE*/ /*!50017 DEFINER=`shop`@`%`*/ /*!50003 TRIGGER b AFTER
UPDATE ON `shop` . `t` FOR EACH ROW set @x = 1 */;;
CREATE DEFINER=`shop`@`%` FUNCTION `f`() RETURNS int
return (select max(a) from SHOP.t) ;;
CREATE DEFINER=`shop`@`%` FUNCTION `g`() RETURNS int
return (select max(shop.a) from workshop.t as shop where `shop`.`a` > 1) ;;
CREATE DEFINER=`shop`@`%` FUNCTION `h`() RETURNS int
return (select max(a) from workshop.t where shop = 1) ;;
DELIMITER ;
-- Dump completed
"""
    lines = read(sql)
    assert {line for line in lines if line.startswith("bound")} == {
        "bound trigger:a",
        "bound trigger:b",
    }
    mentions = {line.removeprefix("mentions ") for line in lines if line.startswith("mentions")}
    assert {"trigger:a", "function:f", "function:g"} <= mentions
    assert "function:h" not in mentions
