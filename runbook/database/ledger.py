"""The ledger: one table in the target database that says what was done to it.

A row a run and a row a statement: started before, finished after, with what the
statement added; while it is in hand, with what its text says that it adds.
`rollback` files read it in SQL (`added`, `undone_at`), so an undo drops only what
a migration brought. A row that was started and not finished is resolved by
looking at the schema, never by trusting the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from runbook.database.schema import Shape
from runbook.database.sessions import Session, Value

TABLE = "runbook_ledger"
LONGEST_OPERATOR = 100
RUNNER = "runner: "
"""What `statement` begins with where the application's own runner did it; its table follows."""
ADDING = ("migrate", "triggers")
"""The phases whose statements add what a rollback removes."""
UNDOING = "rollback"
"""The phase that removes it."""

CREATE = f"""\
CREATE TABLE IF NOT EXISTS {TABLE} (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  entry ENUM('run', 'statement') NOT NULL,
  run VARCHAR(40) NOT NULL,
  phase VARCHAR(20) NOT NULL,
  change_name VARCHAR(100) NOT NULL,
  plan CHAR(12) NOT NULL,
  steps TEXT NULL,
  statement VARCHAR(255) NULL,
  checksum CHAR(64) NULL,
  target VARCHAR(64) NULL,
  before_objects MEDIUMTEXT NULL,
  before_ddl MEDIUMTEXT NULL,
  position DECIMAL(20) NULL,
  added TEXT NULL,
  operator VARCHAR({LONGEST_OPERATOR}) NOT NULL,
  host VARCHAR(255) NOT NULL,
  connection_id BIGINT UNSIGNED NOT NULL,
  started_at DATETIME(6) NOT NULL,
  finished_at DATETIME(6) NULL,
  outcome VARCHAR(10) NULL,
  undone_at DATETIME(6) NULL,
  KEY change_name (change_name, undone_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""

OPEN_RUN = f"""\
INSERT INTO {TABLE} (entry, run, phase, change_name, plan, steps, operator, host, connection_id,\
 started_at)
 VALUES ('run', :run, :phase, :change, :plan, :steps, :operator, :host, CONNECTION_ID(),\
 UTC_TIMESTAMP(6))"""
CLOSE_RUN = f"""\
UPDATE {TABLE} SET finished_at = UTC_TIMESTAMP(6), outcome = :outcome
 WHERE entry = 'run' AND run = :run"""
STARTED = f"""\
INSERT INTO {TABLE} (entry, run, phase, change_name, plan, statement, checksum, target,\
 before_objects, before_ddl, position, added, operator, host, connection_id, started_at)
 VALUES ('statement', :run, :phase, :change, :plan, :statement, :checksum, :target,\
 :before_objects, :before_ddl, :position, :added, :operator, :host, CONNECTION_ID(),\
 UTC_TIMESTAMP(6))"""
AGAIN = f"""\
UPDATE {TABLE} SET before_objects = :before_objects, before_ddl = :before_ddl, added = :added,\
 finished_at = NULL, outcome = NULL
 WHERE id = :id"""
REACHED = f"UPDATE {TABLE} SET position = @chunk_to WHERE id = :id"
FINISHED = f"""\
UPDATE {TABLE} SET finished_at = UTC_TIMESTAMP(6), outcome = :outcome, added = :added
 WHERE id = :id"""
UNDONE = f"""\
UPDATE {TABLE} SET undone_at = UTC_TIMESTAMP(6)
 WHERE change_name = :change AND entry = 'statement' AND undone_at IS NULL"""


def bind(template: str, values: Mapping[str, Value]) -> tuple[str, tuple[Value, ...]]:
    """Turn a template's `:name`s into PyMySQL's `%s` and the arguments in their order."""
    names = re.findall(r":([a-z_]+)", template)
    text = re.sub(r":[a-z_]+", "%s", template.replace("%", "%%"))
    return text, tuple(values[name] for name in names)


class Ledger:
    """Writes a run's rows on its writing session."""

    def __init__(self, session: Callable[[], Session], common: Mapping[str, Value]) -> None:
        """`common` holds run, phase, change, plan, operator and host."""
        self._session = session
        self._common = dict(common)
        self._open = False

    def open(self, steps: str) -> None:
        """Create the table where it is missing, and say that the run has begun."""
        self._session().execute(CREATE)
        self._write(OPEN_RUN, {"steps": steps})
        self._open = True

    def close(self, outcome: str) -> None:
        """Say how the run ended, once; nothing for a run that was never opened."""
        if self._open:
            self._write(CLOSE_RUN, {"outcome": outcome})
            self._open = False

    def started(
        self,
        statement: str,
        checksum: str,
        before: Shape | None,
        *,
        adds: tuple[str, ...] | None,
        phase: str = "",
        position: int | None = None,
    ) -> int:
        """Say that a statement is about to run, of `phase` or the run's own; return the row's id.

        A run of several phases keeps which of them each statement is of. One
        that fills rows has a position. `adds` is what its text says that it adds,
        None where the text is not known.
        """
        self._write(
            STARTED,
            {
                "statement": statement,
                "checksum": checksum,
                "target": before.table if before else None,
                **_before(before, adds),
                "position": position,
                **({"phase": phase} if phase else {}),
            },
        )
        return int(str(self._session().value("SELECT LAST_INSERT_ID()")))

    def again(self, row: int, before: Shape | None, adds: tuple[str, ...]) -> None:
        """Say that a statement which had not got its lock is about to be tried again."""
        self._write(AGAIN, {"id": row, **_before(before, adds)})

    def reached(self, row: int) -> None:
        """Keep, inside the chunk's own transaction, how far the chunks are."""
        self._write(REACHED, {"id": row})

    def finished(self, row: int, outcome: str, added: tuple[str, ...] = ()) -> None:
        """Say how a statement ended and what it added."""
        self._write(FINISHED, {"id": row, "outcome": outcome, "added": ",".join(added)})

    def _write(self, template: str, values: Mapping[str, Value]) -> None:
        self._session().execute(*bind(template, {**self._common, **values}))


def _before(before: Shape | None, adds: tuple[str, ...] | None) -> dict[str, Value]:
    return {
        "before_objects": ",".join(sorted(before.objects)) if before else None,
        "before_ddl": before.ddl if before else None,
        "added": None if adds is None else ",".join(adds),
    }
