"""What a rollback would destroy: rows of the exported queries, in columns that migrate brought."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.database import Session
from runbook.environment import Environment
from runbook.ledger import Book
from runbook.phases import export
from runbook.phases.export import Asked
from runbook.schema import shape
from runbook.steps import Finding, Level


@dataclass(frozen=True)
class Loss:
    """One query's rows that go, and which of its columns (by position) go with them."""

    asked: Asked
    columns: tuple[int, ...]
    exported: bool
    tables: tuple[str, ...] = ()
    """Tables that go as a whole."""

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.asked.census.rows

    def sentence(self, place: str) -> str:
        """Say what goes: rows, since when, values in which columns, and where they are kept."""
        query, census = self.asked.query, self.asked.census
        if not self.rows:
            return f"{query.stem}: no rows to lose"
        values = ", ".join(
            f"{query.columns[n].name} in {census.filled[n]:,}"
            for n in self.columns
            if census.filled[n]
        )
        spans = [span for n in self.columns if (span := census.spans[n])]
        when = (
            f" from {min(first for first, _ in spans)} to {max(last for _, last in spans)} UTC"
            if spans
            else ""
        )
        kept = f"exported to {place}" if self.exported else "not exported"
        return f"will be lost: {query.stem}, {self.rows:,} rows{when} ({values}); {kept}"


def brought(session: Session, book: Book, change: str) -> frozenset[str]:
    """Return the objects that a change brought, such as `table:t` and `column:t.c`.

    Of a statement that never said how it ended, what is there now and was not before.
    """
    found: set[str] = set()
    for entry in book.of(change):
        found.update(entry.added)
        if not entry.finished and entry.target:
            found.update(shape(session, entry.target).added_since(entry.before_objects))
    return frozenset(found)


def losses(facts: export.Facts, brought: frozenset[str]) -> tuple[Loss, ...]:
    """Return what would go of each query; one all of whose columns stay is left out.

    A column that is an expression may be made of anything, so it counts as going.
    """
    return tuple(
        Loss(asked, columns, facts.exported(asked))
        for asked in facts.asked
        if (
            columns := tuple(
                n for n, c in enumerate(asked.query.columns) if _goes(c.source, brought)
            )
        )
    )


def findings(
    environment: Environment, facts: export.Facts, lost: tuple[Loss, ...]
) -> tuple[Finding, ...]:
    """Return, for each loss of rows, whether the newest export has them; if not, a refusal."""
    where, saved = environment.backup.host, facts.saved
    advice = f"invoke export --env={environment.name}"
    rows = []
    for loss in lost:
        what = f"export of {loss.asked.query.stem}"
        if not loss.rows:
            continue
        if loss.exported and saved:
            detail = f"exactly these {loss.rows:,} rows are in {saved.folder}"
            rows.append(Finding(what, where, Level.OK, detail))
            continue
        if saved is None:
            why = "there is none"
        elif saved.defect:
            why = f"{saved.folder} counts for nothing: {saved.defect}"
        else:
            why = f"{saved.folder} has not exactly the present {loss.rows:,} rows"
        rows.append(Finding(what, where, Level.REFUSED, why, advice))
    return tuple(rows)


def _goes(source: str, brought: frozenset[str]) -> bool:
    table = source.partition(".")[0]
    return not source or f"column:{source}" in brought or f"table:{table}" in brought
