"""Asks the server about the queries of an export: their columns, and the rows there are."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.database.fields import FLOAT, Field
from runbook.database.sessions import Session, as_text
from runbook.database.settings import EVERY_ROW
from runbook.errors import Refusal
from runbook.exports.queries import Census, Column, Query
from runbook.sql.text import quote_name, quote_string

TYPES = """\
SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME), CONCAT(COLUMN_TYPE,
 COALESCE(CONCAT(' CHARACTER SET ', CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME), ''))
 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({})"""


def describe(session: Session, stem: str, select: str, origin: str = "") -> Query:
    """Return a query with its columns, which the server is asked for without any row.

    Raises:
        Refusal: the query does not run, or two of its columns have one name.
    """
    fields = _fields(session, select)
    names = [field.name.lower() for field in fields]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refusal(
            f"{origin}: two columns are called {twice}", advice="Tell them apart with AS."
        )
    types = _types(session, {field.table for field in fields if field.table})
    columns = tuple(_column(field, types) for field in fields)
    if any(field.type == FLOAT for field in fields):
        select = _exact(select, fields)
    return Query(stem, origin, select, columns)


def take_census(session: Session, query: Query) -> Census:
    """Count and sum up a query's present rows."""
    rows, sum_, *rest = session.rows(query.census)[0]
    count = len(query.columns)
    ends = iter(rest[count:])
    spans = tuple(_span(next(ends), next(ends)) if c.temporal else None for c in query.columns)
    filled = tuple(int(as_text(value)) for value in rest[:count])
    return Census(int(as_text(rows)), as_text(sum_), filled, spans)


def _fields(session: Session, select: str) -> tuple[Field, ...]:
    session.execute("SET SESSION sql_select_limit = 0")
    fields, rows = session.stream(select)
    for _ in rows:  # a LIMIT of its own outweighs the session's
        pass
    session.execute(f"SET SESSION {EVERY_ROW}")
    return fields


def _types(session: Session, tables: set[str]) -> dict[str, str]:
    if not tables:
        return {}
    names = ", ".join(quote_string(table) for table in sorted(tables))
    return {as_text(name): as_text(type_) for name, type_ in session.rows(TYPES.format(names))}


def _column(field: Field, types: dict[str, str]) -> Column:
    source = f"{field.table}.{field.column}"
    known = types.get(source)
    type_ = "double" if field.type == FLOAT else known or field.sql_type
    if not known:
        return Column(field.name, field.kind, type_, temporal=field.temporal)
    return Column(field.name, field.kind, type_, source, field.alias, field.temporal)


def _exact(select: str, fields: Sequence[Field]) -> str:
    """Return a query of the same rows with each FLOAT as a DOUBLE.

    The servers show a FLOAT in six digits, fewer than it holds.
    """
    names = [(quote_name(field.name), field.type == FLOAT) for field in fields]
    asked = ", ".join(f"{name} + 0e0 AS {name}" if float_ else name for name, float_ in names)
    return f"SELECT {asked} FROM (\n{select}\n) AS exact"


def _span(first: object, last: object) -> tuple[str, str] | None:
    return None if first is None else (str(first), str(last))
