"""What a rollback would destroy: rows of the exported queries, in columns that migrate brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from runbook.database.book import Book
from runbook.database.schema import shape
from runbook.database.sessions import Session
from runbook.environment import Environment
from runbook.exports.saved import Saved
from runbook.phases import export
from runbook.phases.export import Asked
from runbook.plan.plan import Finding, Level
from runbook.sql.text import quote_name, target
from runbook.sql.tokens import tokenize
from runbook.units import counted

HARMLESS = {"INDEX", "KEY", "CONSTRAINT", "FOREIGN", "PRIMARY", "CHECK", "DEFAULT"}
"""What an ALTER TABLE may drop without any row losing a value."""


@dataclass(frozen=True)
class Loss:
    """One query's rows that go: the tables that go whole, and the columns (by position) that go.

    `exported` is an export that has exactly these rows.
    """

    asked: Asked
    tables: tuple[str, ...]
    columns: tuple[int, ...]
    exported: Saved | None

    @property
    def rows(self) -> int:
        """How many rows lose a value; none where every column that goes is NULL in all."""
        census = self.asked.census
        return census.rows if any(census.filled[n] for n in self.columns) else 0

    @property
    def sources(self) -> frozenset[str]:
        """The tables that its query reads, as far as its columns tell."""
        return self.asked.query.tables

    def sentence(self, host: str) -> str:
        """Say what goes: rows, since when, values in which columns, and where on `host` kept."""
        query, census = self.asked.query, self.asked.census
        if not self.rows:
            return f"{query.stem}: no rows to lose"
        values = [f"all of {table}" for table in self.tables]
        values += [
            f"{query.columns[n].name} in {census.filled[n]:,}"
            for n in self.columns
            if census.filled[n] and query.columns[n].table not in self.tables
        ]
        spans = [span for n in self.columns if (span := census.spans[n])]
        when = (
            f" from {min(first for first, _ in spans)} to {max(last for _, last in spans)} UTC"
            if spans
            else ""
        )
        kept = f"exported to {host}:{self.exported.folder}" if self.exported else "not exported"
        rows = f"{counted(self.rows, 'row')}{when}"
        return f"will be lost: {query.stem}, {rows}: {', '.join(values)}; {kept}"


def brought(session: Session, book: Book, change: str) -> frozenset[str]:
    """Return the objects that a change brought, such as `table:t` and `column:t.c`.

    Of a statement that never said how it ended, what it names that is there now and was
    not before.
    """
    found: set[str] = set()
    for entry in book.of(change):
        if entry.finished:
            found.update(entry.added)
        elif entry.target:
            now = shape(session, entry.target)
            found.update(now.added_since(entry.before_objects, entry.named))
    return frozenset(found)


def losses(facts: export.Facts, brought: frozenset[str]) -> tuple[Loss, ...]:
    """Return what would go of each query; one all of whose columns stay is left out.

    A column that is an expression may be made of anything, so it counts as going.
    """
    found = []
    for asked in facts.asked:
        query = asked.query
        tables = tuple(sorted(t for t in query.tables if f"table:{t}" in brought))
        columns = tuple(
            n
            for n, column in enumerate(query.columns)
            if not column.source or column.table in tables or f"column:{column.source}" in brought
        )
        if columns:
            found.append(Loss(asked, tables, columns, facts.exported(asked)))
    return tuple(found)


def unasked(
    session: Session, facts: export.Facts, brought: frozenset[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the columns that would go with values in them, and that no query selects, by table."""
    asked = {f"column:{c.source}" for a in facts.asked for c in a.query.columns if c.source}
    tables = {name.partition(":")[2].partition(".")[0] for name in brought if _holds_rows(name)}
    found = []
    for table in sorted(tables):
        there = {name for name in shape(session, table).objects if name.startswith("column:")}
        going = there if f"table:{table}" in brought else there & brought
        names = tuple(sorted(name.partition(".")[2] for name in going - asked))
        filled = " OR ".join(f"{quote_name(name)} IS NOT NULL" for name in names)
        if names and session.value(
            f"SELECT EXISTS (SELECT 1 FROM {quote_name(table)} WHERE {filled})"
        ):
            found.append((table, names))
    return tuple(found)


def _holds_rows(name: str) -> bool:
    return name.startswith(("table:", "column:"))


def compared_before(texts: Sequence[str], lost: Sequence[Loss]) -> tuple[tuple[Loss, ...], ...]:
    """Return, for each of the statements to come, the losses whose rows it must not change.

    That is the first statement that destroys anything of a loss; after it the
    query of that loss may not even run any more.
    """
    left, found = list(lost), []
    for text in texts:
        table = target(text)
        mine = [
            loss
            for loss in left
            if destroys(text) and (table is None or not loss.sources or table in loss.sources)
        ]
        left = [loss for loss in left if loss not in mine]
        found.append(tuple(mine))
    return tuple(found)


def destroys(text: str) -> bool:
    """Whether a statement may take a value from a row; dropping an index or trigger does not."""
    words = [token.word for token in tokenize(text)]
    if words[:1] == ["ALTER"]:
        after = [word for before, word in pairwise(words) if before == "DROP"]
        return not set(after) <= HARMLESS or bool({"MODIFY", "CHANGE"} & set(words))
    return words[:2] not in (["DROP", "INDEX"], ["DROP", "TRIGGER"])


def findings(
    environment: Environment, facts: export.Facts, lost: tuple[Loss, ...]
) -> tuple[Finding, ...]:
    """Return, for each loss of rows, whether an export has them; if not, a refusal."""
    where, saved = environment.backup.host, facts.newest
    advice = f"invoke export --env={environment.name}"
    rows = []
    for loss in lost:
        what = f"export of {loss.asked.query.stem}"
        if not loss.rows:
            continue
        if loss.exported:
            detail = f"exactly the present {counted(loss.rows, 'row')}: {loss.exported.folder}"
            rows.append(Finding(what, where, Level.OK, detail))
            continue
        if saved is None:
            why = "there is none"
        elif saved.defect:
            why = f"{saved.folder} counts for nothing: {saved.defect}"
        else:
            why = f"{saved.folder} has not exactly the present {counted(loss.rows, 'row')}"
        rows.append(Finding(what, where, Level.REFUSED, why, advice))
    return tuple(rows)
