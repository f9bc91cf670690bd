"""However a server begins its sessions, a change is made, and undone, all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runbook.database.blockers import blockers
from sandbox.sandbox import Sandbox
from tests.conftest import FLAVOURS
from tests.looking import Place
from tests.standins import sections
from tests.support import MYSQL_IS_WIDE, Bench, bench, lean
from tests.watching import insert, with_crontab

pytestmark = pytest.mark.wide

MODES = "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'"


@contextmanager
def given(sandbox: Sandbox, settings: dict[str, str]) -> Iterator[None]:
    """Set global variables of the server for the time of a block."""
    before = {name: sandbox.query(f"SELECT @@GLOBAL.{name}")[0][0] for name in settings}
    try:
        for name, value in settings.items():
            sandbox.query(f"SET GLOBAL {name} = {value}")
        yield
    finally:
        for name, old in before.items():
            sandbox.query(f"SET GLOBAL {name} = {old if isinstance(old, int) else repr(old)}")


def done(place: Bench, *commands: str) -> None:
    """Run commands, none of which may fail."""
    for command in commands:
        ran = place.run(command)
        assert ran.status == 0, ran.why


def undone(place: Bench) -> None:
    """Write what the change is for, export it, and undo the change."""
    place.sandbox.query(
        "UPDATE vaulteer.event_participants SET attendance_notes = 'x' WHERE participant_id < 9"
    )
    done(place, "export", "rollback")


@MYSQL_IS_WIDE
@pytest.mark.parametrize(
    "settings",
    [
        {"init_connect": "'SET autocommit = 0, sql_safe_updates = 1'"},
        {"autocommit": "0"},
        {"completion_type": "2"},
    ],
)
def test_how_transactions_begin_and_end_is_no_matter(
    sandbox: Sandbox, tmp_path: Path, settings: dict[str, str]
) -> None:
    """No session of ours blocks another one, none ends with a COMMIT, and the ledger is whole."""
    place = lean(sandbox, tmp_path, timeouts={"lock_wait": "1s", "lock_give_up": "3s"})
    before = place.schema()
    with given(sandbox, settings):
        done(place, "migrate")
        left = "SELECT COUNT(*) FROM vaulteer.runbook_ledger WHERE finished_at IS NULL"
        assert sandbox.query(left) == [(0,)]
        undone(place)
    assert place.schema() == before


@MYSQL_IS_WIDE
def test_nobody_is_told_to_end_a_session_of_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    """The session that asks who holds a table is named by none of the answers."""
    with Place(sandbox, tmp_path).opened() as site:
        site.reader.execute("START TRANSACTION READ ONLY")
        site.reader.value("SELECT COUNT(*) FROM event_participants")
        asked = ("vaulteer", "event_participants")
        assert blockers(site.reader, *asked, ours=0) == ()
        with site.database.reader() as other:
            (who,) = blockers(other, *asked, ours=0)
    assert f"session {site.reader.id} " in who


@MYSQL_IS_WIDE
def test_a_rollback_is_exact_in_any_time_zone(sandbox: Sandbox, tmp_path: Path) -> None:
    """A TIMESTAMP's default reads alike before and after, though the server's zone was changed."""
    place = lean(sandbox, tmp_path)
    sandbox.query(
        "ALTER TABLE vaulteer.event_participants"
        " ADD COLUMN seen_at TIMESTAMP NOT NULL DEFAULT '2025-12-17 10:00:00'"
    )
    before = place.schema()
    with given(sandbox, {"time_zone": "'+05:00'"}):
        done(place, "migrate")
    with given(sandbox, {"time_zone": "'-08:00'"}):
        undone(place)
    assert place.schema() == before


SHOWN = {"sql_mode": MODES, "sql_quote_show_create": "0", "show_create_table_verbosity": "1"}


@pytest.mark.parametrize(
    ("sandbox", "name"),
    [
        (s, n)
        for s in FLAVOURS
        for n in SHOWN
        if (s, n) != ("mariadb", "show_create_table_verbosity")
    ],
    indirect=["sandbox"],
)
def test_a_rollback_is_exact_however_the_server_shows_tables(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """The server quotes otherwise after the migration than before, or shows more: no matter."""
    place = lean(sandbox, tmp_path)
    before = place.schema()
    done(place, "migrate")
    with given(sandbox, {name: SHOWN[name]}):
        undone(place)
    assert place.schema() == before


def test_a_change_is_made_and_undone_in_oracle_s_mode(mariadb: Sandbox, tmp_path: Path) -> None:
    """MariaDB's sql_mode=ORACLE changes what SQL means, but not for our sessions."""
    place = lean(mariadb, tmp_path)
    before = place.schema()
    with given(mariadb, {"sql_mode": "'ORACLE'"}):
        done(place, "migrate", "triggers")
        undone(place)
    assert place.schema() == before


@MYSQL_IS_WIDE
def test_what_cuts_off_results_is_no_matter(sandbox: Sandbox, tmp_path: Path) -> None:
    """Guards compare whole texts, and an export has all rows, whatever a server would cut off."""
    place = lean(sandbox, tmp_path)
    before = place.schema()
    with given(sandbox, {"sql_select_limit": "5", "group_concat_max_len": "4"}):
        done(place, "migrate")
        undone(place)
    assert place.schema() == before


@MYSQL_IS_WIDE
def test_sessions_that_begin_read_only_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Somebody wants nothing written there: it is said before anything is begun."""
    place = lean(sandbox, tmp_path)
    name = "tx_read_only" if sandbox.server == "mariadb" else "transaction_read_only"
    with given(sandbox, {name: "1"}):
        ran = place.run("migrate")
    assert ran.status == 3
    assert f"{name} is on: the server takes no writes" in ran.why
    done(place, "migrate")


@MYSQL_IS_WIDE
def test_a_dump_that_would_leave_rows_out_is_no_backup(sandbox: Sandbox, tmp_path: Path) -> None:
    """A dump program takes the server's sql_select_limit as it is: refused, with the reason."""
    place = bench(sandbox, tmp_path)
    with given(sandbox, {"init_connect": "'SET sql_select_limit = 400'"}):
        ran = place.run("backup")
    assert ran.status == 1
    assert "yields 400 rows at most (sql_select_limit)" in ran.said
    assert place.run("backup").status == 0


@MYSQL_IS_WIDE
def test_a_restore_is_whole_and_still_however_sessions_begin(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What is loaded is committed without autocommit, and no event is left that runs."""
    place = bench(sandbox, tmp_path)
    for name in ("first", "second"):
        sandbox.query(
            f"CREATE DEFINER = migrator@'%' EVENT vaulteer.{name} ON SCHEDULE EVERY 1 YEAR DO DO 0"
        )
    assert place.run("backup").status == 0
    sandbox.query("DROP DATABASE IF EXISTS vaulteer_restore_1")
    begin = "'SET autocommit = 0, completion_type = 2, sql_select_limit = 1'"
    with given(sandbox, {"init_connect": begin}):
        ran = place.run("restore", into="vaulteer_restore_1")
    assert ran.status == 0, ran.why
    for table in ("event_participants", "users"):
        count = "SELECT COUNT(*) FROM {}." + table
        assert sandbox.query(count.format("vaulteer_restore_1")) == sandbox.query(
            count.format("vaulteer")
        )
    runs = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'"
    assert sandbox.query(f"{runs} AND EVENT_SCHEMA = 'vaulteer_restore_1'") == []


@MYSQL_IS_WIDE
def test_a_watch_sees_every_row_however_sessions_begin(sandbox: Sandbox, tmp_path: Path) -> None:
    """A baseline holds in another zone and mode, and what is new is seen whole."""
    place = bench(sandbox, tmp_path, **sections(sandbox, tmp_path))
    assert place.run("migrate").status == 0
    insert(sandbox, *range(1, 10))
    with with_crontab(sandbox):
        assert place.run("watch", install=True).status == 0
        insert(sandbox, *range(10, 20))
        switched = {"time_zone": "'+05:00'", "sql_mode": MODES, "sql_select_limit": "5"}
        with given(sandbox, {**switched, "group_concat_max_len": "4", "autocommit": "0"}):
            ran = place.run("watch", once=True)
    assert ran.status == 0, ran.why
    assert "clean: 19 rows, 10 of them new" in ran.said
