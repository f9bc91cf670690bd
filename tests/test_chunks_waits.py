"""The backfill held up: by rows that others have locked, and by replicas that do not follow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

from runbook.command.executor import perform
from runbook.errors import RunbookError, StepFailed
from runbook.events import StepWaiting
from runbook.options import Options
from runbook.perform.run import Result
from runbook.phases import migrate
from runbook.plan.statements import Chunks
from sandbox.inventory import Value
from sandbox.sandbox import Sandbox
from tests.dumps import Place, place
from tests.replicas import Pair, followed, until
from tests.support import MYSQL_IS_WIDE, lean

pytestmark = pytest.mark.wide

TABLE = "vaulteer.event_participants"
LEFT = f"SELECT COUNT(*) FROM {TABLE} WHERE attendance_status IS NULL"
OPEN = "SELECT COUNT(*) FROM information_schema.INNODB_TRX"
SHORT: dict[str, Value] = {"lock_wait": "1s", "lock_give_up": "2s"}


class Filling(threading.Thread):
    """Performs the backfill of a place beside the test, `first` done first; `ended` says how."""

    def __init__(self, place: Place, first: Callable[[], object] = str) -> None:
        super().__init__()
        self.result: Result | None = None
        self.error: RunbookError | None = None
        self._place = place
        steps = migrate.prepare(place.site, Options()).steps
        (self._step,) = (step for step in steps if isinstance(step, Chunks))
        first()
        self.start()

    def run(self) -> None:
        """Perform it, and keep how it ended."""
        with self._place.running() as run:
            run.ledger.open("")
            try:
                self.result = perform(self._step, run)
            except RunbookError as error:
                self.error = error

    @property
    def waited(self) -> list[str]:
        """Why it held back, as it was told."""
        return [event.why for event in self._place.told if isinstance(event, StepWaiting)]

    def waits(self, word: str) -> None:
        """Wait until it says that it waits for something."""
        until(lambda: any(word in why for why in self.waited) or not self.is_alive())
        assert self.is_alive(), (self.waited, self.error)

    def ended(self) -> str:
        """Wait for its end and return what it says of it."""
        self.join(30)
        assert not self.is_alive()
        assert self.result or self.error
        return self.result.detail if self.result else str(self.error)


def left(sandbox: Sandbox) -> int:
    """Return how many rows are not filled yet."""
    return int(str(sandbox.query(LEFT)[0][0]))


@contextmanager
def locked(sandbox: Sandbox, text: str) -> Iterator[int]:
    """Keep a transaction of the application open that has run `text`; hand over its session."""
    connection = pymysql.connect(
        host="127.0.0.1",
        port=sandbox.database_port,
        user="app",
        password=sandbox.password("app"),
        autocommit=False,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
        yield int(connection.thread_id())  # type: ignore[no-untyped-call]
    finally:
        connection.close()


ONE_ROW = f"UPDATE {TABLE} SET notes = 'x' WHERE participant_id = 1500"


@MYSQL_IS_WIDE
def test_a_locked_row_is_waited_for_and_its_holder_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows before it are filled in ever smaller ranges; once it is free the rest follows."""
    sandbox.reset(rows=3000, partial=True)
    with place(sandbox, tmp_path, timeouts={"lock_wait": "1s"}) as here:
        with locked(sandbox, ONE_ROW) as session:
            filling = Filling(here)
            filling.waits(f"is locked by session {session} app@127.0.0.1")
            until(lambda: left(sandbox) < 2000)
            assert left(sandbox) > 1500
            assert "a row of keys 1001 to " in filling.waited[0]
        assert filling.ended() == "3,000 rows changed"
        assert left(sandbox) == 0


@MYSQL_IS_WIDE
def test_a_row_that_stays_locked_ends_it_with_the_holder_and_the_key(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """After lock_give_up it fails, names session and key, leaves nothing open, and can go on."""
    sandbox.reset(rows=3000, partial=True)
    with place(sandbox, tmp_path, timeouts=SHORT) as here:
        with locked(sandbox, ONE_ROW) as session:
            began = time.monotonic()
            filling = Filling(here)
            said = filling.ended()
            assert time.monotonic() - began < 10
            assert isinstance(filling.error, StepFailed)
            assert "after more than 2 s a row of keys " in said
            assert f" is still locked by session {session} app@127.0.0.1" in said
            reached = 3000 - left(sandbox)
            assert reached >= 1000
            assert f"Done up to key {reached}; run the same" in filling.error.advice
            until(lambda: sandbox.query(OPEN)[0][0] == 1)
        again = Filling(here)
        assert again.ended() == f"{3000 - reached:,} rows changed"


def test_an_account_that_sees_no_others_says_so(mariadb: Sandbox, tmp_path: Path) -> None:
    """Without PROCESS nobody can be named; the wait is told all the same."""
    mariadb.reset(rows=3000, partial=True)
    mariadb.query("REVOKE PROCESS ON *.* FROM migrator@'%'")
    try:
        with place(mariadb, tmp_path, timeouts=SHORT) as here, locked(mariadb, ONE_ROW):
            said = Filling(here).ended()
    finally:
        mariadb.query("GRANT PROCESS ON *.* TO migrator@'%'")
    assert said.endswith("is still locked by a session that this account cannot see")


@pytest.mark.parametrize(
    ("begun", "what"),
    [
        (False, "the first or the last row of event_participants"),
        (True, "table event_participants"),
    ],
)
def test_a_locked_table_is_told_with_who_has_it(
    mariadb: Sandbox, tmp_path: Path, begun: bool, what: str
) -> None:
    """A backfill that waits for the whole table names who has locked it, at its start or later."""
    mariadb.reset(rows=3000, partial=True)
    with (
        place(mariadb, tmp_path, timeouts={"lock_wait": "1s"}) as here,
        mariadb.root_connection() as connection,
        connection.cursor() as cursor,
    ):
        session = int(connection.thread_id())  # type: ignore[no-untyped-call]

        def lock() -> None:
            cursor.execute("LOCK TABLES event_participants WRITE")

        here.told = Watching(lock if begun else str)
        filling = Filling(here, str if begun else lock)
        filling.waits(f"{what} is locked by session {session} root@127.0.0.1")
        cursor.execute("UNLOCK TABLES")
        assert filling.ended() == "3,000 rows changed"


class Watching(list):  # type: ignore[type-arg]
    """A list of events that does something when the first one comes, while the run holds still."""

    def __init__(self, first: Callable[[], object]) -> None:
        super().__init__()
        self._first = first

    def append(self, event: object) -> None:
        """Keep it."""
        if not self:
            self._first()
        super().append(event)


def test_a_deadlock_is_tried_again(mariadb: Sandbox, tmp_path: Path) -> None:
    """A range that the server sacrifices to another transaction is done once that has ended."""
    mariadb.reset(rows=3000, partial=True)
    weigh = f"UPDATE {TABLE} SET notes = 'x' WHERE participant_id > 1500"
    with (
        place(mariadb, tmp_path) as here,
        here.sandbox.root_connection() as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("START TRANSACTION")
        cursor.execute(weigh)
        filling = Filling(here)
        waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
        until(lambda: mariadb.query(waiting)[0][0] != 0)
        cursor.execute(f"UPDATE {TABLE} SET notes = 'x' WHERE participant_id = 1400")
        cursor.execute("COMMIT")
        assert filling.ended() == "3,000 rows changed"
        assert any("in a deadlock with another session" in why for why in filling.waited)


@pytest.mark.wide
def test_what_was_filled_before_a_failure_is_told(mariadb: Sandbox, tmp_path: Path) -> None:
    """A run whose only change is part of a backfill says so, and what undoes it."""
    mariadb.reset(rows=3000, partial=True)
    here = lean(mariadb, tmp_path, timeouts=SHORT)
    assert here.run("migrate").status == 0
    mariadb.query(f"UPDATE {TABLE} SET attendance_status = NULL")
    with locked(mariadb, ONE_ROW):
        ran = here.run("migrate")
    done = 3000 - left(mariadb)
    assert ran.status == 1
    assert f"with 0 changes and part of one: {done:,} rows changed; next: " in ran.said
    assert "Undo: invoke rollback --env=test" in ran.said
    (part,) = (step["part"] for step in ran.document["steps"] if step["part"])
    assert part == f"{done:,} rows changed"


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Iterator[Pair]:
    """Return a sandbox with 3,000 rows to fill, and a replica that has them too."""
    with followed(sandbox, tmp_path) as pair:
        sandbox.query("DROP DATABASE IF EXISTS vaulteer")
        sandbox.seed(3000, partial=True)
        until(lambda: pair.lag() == 0)
        yield pair


@contextmanager
def behind(pair: Pair, **timeouts: Value) -> Iterator[Place]:
    """Open a place whose replica is behind, and stays so for some seconds."""
    sandbox = pair.place.sandbox
    pair.tell("stop")
    pair.tell("delay", seconds=4)
    pair.tell("start")
    sandbox.query(f"UPDATE {TABLE} SET notes = 'later' WHERE participant_id = 1")
    until(lambda: (pair.lag() or 0) > 1)
    with place(
        sandbox,
        pair.place.folder,
        database=pair.known(),
        policy={"max_replica_lag": "1s"},
        timeouts=timeouts or None,
    ) as here:
        yield here


@MYSQL_IS_WIDE
def test_a_replica_that_is_behind_is_waited_for(pair: Pair) -> None:
    """The run says how far which replica is behind, and goes on when it has caught up."""
    with behind(pair) as here:
        filling = Filling(here)
        filling.waits("replica db2 is ")
        assert left(pair.place.sandbox) == 3000
        assert filling.ended() == "3,000 rows changed"
        assert filling.waited[0].endswith("s behind (limit 1 s)")


STOPPED: list[tuple[Callable[[Pair], object], str]] = [
    (lambda pair: pair.tell("stop"), "receiving has stopped"),
    (lambda pair: pair.tell("pause"), "applying has stopped"),
    (lambda pair: pair.end(), "nothing answers"),
]


@MYSQL_IS_WIDE
@pytest.mark.parametrize(("stop", "said"), STOPPED, ids=["stopped", "paused", "gone"])
def test_a_replica_that_does_not_follow_ends_it(
    pair: Pair, stop: Callable[[Pair], object], said: str
) -> None:
    """A replica that stops while it is waited for is behind, not done; after a while it is told."""
    with behind(pair, lock_give_up="2s", connect="2s") as here:
        filling = Filling(here)
        filling.waits("replica db2 is ")
        stop(pair)
        filling.waits("replica db2 does not follow: ")
        ended = filling.ended()
        assert said in ended
        assert ended.endswith("for more than 2 s")
        assert isinstance(filling.error, StepFailed)
        assert filling.error.advice.startswith("Mend db2, or take it out of database.replicas")
        assert left(pair.place.sandbox) == 3000


@pytest.mark.wide
@MYSQL_IS_WIDE
def test_a_replica_that_follows_again_lets_it_go_on(pair: Pair) -> None:
    """One that stopped for a moment is waited for, and the backfill is done."""
    with behind(pair) as here:
        filling = Filling(here)
        filling.waits("replica db2 is ")
        pair.tell("stop")
        filling.waits("replica db2 does not follow: ")
        pair.tell("delay", seconds=0)
        pair.tell("start")
        assert filling.ended() == "3,000 rows changed"
