"""Which tables a query reads: told from its text, compared with what the servers resolve."""

from __future__ import annotations

import pytest

from runbook.sql.sources import Source, sources
from sandbox.sandbox import Sandbox

QUERIES = {
    "SELECT 1": "",
    "SELECT 1 FROM DUAL": "",
    "SELECT * FROM a": "a",
    "select x.* from db.`a` x where x.b in (select c from d)": "a=x d",
    "SELECT r.* FROM a AS r WHERE EXISTS (SELECT 1 FROM b)": "a=r b",
    "SELECT * FROM a, b AS y, (SELECT * FROM c) AS z": "a b=y c",
    "SELECT * FROM (a LEFT JOIN b ON a.x = b.x, c d) JOIN e USING (x)": "a b c=d e",
    "SELECT * FROM a NATURAL JOIN b STRAIGHT_JOIN c": "a b c",
    "SELECT * FROM a USE INDEX (i) IGNORE INDEX (j) JOIN b FORCE INDEX (k)": "a b",
    "SELECT * FROM a PARTITION (p, q) AS x, b": "a=x b",
    "SELECT EXTRACT(YEAR FROM d), TRIM(LEADING 'x' FROM n) FROM a": "a",
    "SELECT (SELECT MAX(x) FROM b), (1, 2) = (3, 4) FROM a WHERE x IN (1, 2) ORDER BY x, y": "b a",
    "WITH w AS (SELECT * FROM a), v (p, q) AS (SELECT 1, 2) SELECT * FROM w, v JOIN b": "a b",
    "WITH RECURSIVE w (n) AS (SELECT 1 UNION SELECT n + 1 FROM w) SELECT * FROM w, a": "a",
    "SELECT * FROM a UNION ALL (SELECT * FROM b LIMIT 1) UNION SELECT * FROM c": "a b c",
    "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (x INT PATH '$')) AS j, a": "a",
    "SELECT a, b FROM t GROUP BY a, b HAVING COUNT(*) > 1 WINDOW w AS (ORDER BY a), u AS (w)": "t",
    "SELECT 'FROM x', `FROM`, \"FROM y\" /* FROM z */ FROM `from` -- FROM w": "from",
    "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x) AS l": "a b",
    "SELECT CASE WHEN x THEN (SELECT 1 FROM b) END FROM a FOR UPDATE": "b a",
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.items())
def test_the_tables_of_every_from_clause_are_found(query: str, expected: str) -> None:
    """Joins, subqueries, unions and aliases are followed; functions and WITH names are not."""
    pairs = (word.partition("=") for word in expected.split())
    assert sources(query) == tuple(Source(table, alias or table) for table, _, alias in pairs)


def test_locking_them_is_enough_for_the_server(sandbox: Sandbox) -> None:
    """A server that has locked exactly these tables, under these names, runs the query."""
    queries = [
        "SELECT p.participant_id FROM event_participants AS p, (SELECT uid FROM events e) AS f"
        " WHERE p.user_id IN (SELECT user_id FROM users) LIMIT 1",
        "WITH w AS (SELECT event_id FROM events) SELECT a.event_id FROM w AS a"
        " JOIN (users u, event_participants) LIMIT 1",
        "SELECT EXTRACT(YEAR FROM start_datetime) FROM vaulteer.events x"
        " UNION (SELECT 1 FROM users LIMIT 1)",
    ]
    with sandbox.root_connection() as connection, connection.cursor() as cursor:
        for query in queries:
            locked = ", ".join(f"`{s.table}` AS `{s.alias}` READ" for s in sources(query))
            cursor.execute(f"LOCK TABLES {locked}")
            cursor.execute(query)
            cursor.execute("UNLOCK TABLES")
