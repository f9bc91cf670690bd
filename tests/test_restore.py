"""Restores on real servers: what is loaded equals what was dumped, and nothing else is touched."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.errors import Outcome, StepFailed, UsageError
from runbook.options import Options
from runbook.phases import backup, restore
from runbook.plan.steps import Job
from runbook.sql.text import quote_name
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import Background, Dump, Place, jobs_of, place, refused, the_job
from tests.support import MYSQL_IS_WIDE
from tests.test_backup import MARIADB_ONLY, MYSQL_ONLY, ODD

INTO = "vaulteer_restore_test"
OPTIONS = Options(into=INTO)


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on each server in turn, with one backup."""
    with place(sandbox, tmp_path) as opened:
        opened.perform(the_job(opened))
        yield opened


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on MariaDB, with one backup."""
    with place(mariadb, tmp_path) as opened:
        opened.perform(the_job(opened))
        yield opened


def the_load(place: Place) -> Job:
    """Return the step that loads the newest backup, of a plan that nothing forbids."""
    plan = restore.prepare(place.site, OPTIONS)
    assert not refused(plan), refused(plan)
    (job,) = plan.steps
    assert isinstance(job, Job)
    return job


def rows(sandbox: Sandbox, database: str) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, sorted."""
    tables = sandbox.query(
        "SELECT table_name FROM information_schema.tables"
        f" WHERE table_schema = '{database}' AND table_type <> 'VIEW' AND table_type <> 'SEQUENCE'"
    )
    names = [quote_name(str(name)) for (name,) in tables]
    return {
        name: sorted(sandbox.query(f"SELECT * FROM {database}.{name}"), key=repr) for name in names
    }


def says(place: Place) -> str:
    """Return all that forbids a restore now, in one text."""
    return "; ".join(
        f"{f.detail} {f.advice}" for f in refused(restore.prepare(place.site, OPTIONS))
    )


def databases(sandbox: Sandbox) -> set[str]:
    """Return the names of the server's databases."""
    return {str(name) for (name,) in sandbox.query("SHOW DATABASES")}


@MYSQL_IS_WIDE
def test_a_restore_equals_the_original(here: Place) -> None:
    """Every definition and row is the same, binary and emoji too; the original stays as it was."""
    here.sandbox.query(
        "INSERT INTO vaulteer.users (uid, email, display_name, avatar_hash)"
        " VALUES ('ü-\\0\\\\-x', 'e@x', '😀', x'00ff270d0a5c1a00ff270d0a5c1a00ff')"
    )
    here.sandbox.query("CREATE TABLE vaulteer.odd (id INT PRIMARY KEY, b BLOB, j JSON, d BIT(9))")
    here.sandbox.query(
        "INSERT INTO vaulteer.odd VALUES (1, '', '{\"a\": \"\\\\u00e9\"}', b'101010101'),"
        " (2, NULL, NULL, NULL), (3, x'00', '[]', b'0')"
    )
    (fresh, *_) = backup.prepare(here.site, Options(fresh=True)).steps
    here.perform(fresh)
    before = here.sandbox.definitions(), rows(here.sandbox, "vaulteer")
    (done,) = here.perform(the_load(here))
    assert "as in the manifest" in done.detail
    there = {
        name: text.replace(f"`{INTO}`.", "`vaulteer`.")
        for name, text in here.sandbox.definitions(INTO).items()
    }
    events = {name for name in there if name.startswith("event")}
    assert events
    assert {name: text for name, text in there.items() if name not in events} == {
        name: text for name, text in before[0].items() if name not in events
    }
    for name in events:
        assert there[name].replace(" DISABLE ", " ENABLE ") == before[0][name]
        assert " DISABLE " in there[name]
    assert rows(here.sandbox, INTO) == before[1]
    assert (here.sandbox.definitions(), rows(here.sandbox, "vaulteer")) == before
    charset = (
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    )
    one, other = (
        here.sandbox.query(f"{charset} WHERE schema_name = '{name}'") for name in ("vaulteer", INTO)
    )
    assert one == other


@MYSQL_IS_WIDE
def test_odd_objects_come_back(here: Place) -> None:
    """Odd names, bodies that look like a dump, sequences, packages and row history survive."""
    here.sandbox.load(ODD)
    here.sandbox.load(MARIADB_ONLY if here.sandbox.server == "mariadb" else MYSQL_ONLY)
    if here.sandbox.server == "mariadb":
        here.sandbox.query("INSERT INTO vaulteer.ver VALUES (1, 1)")
        here.sandbox.query("UPDATE vaulteer.ver SET x = 2")
    here.sandbox.query(
        f"GRANT {'SET USER' if here.sandbox.server == 'mariadb' else 'SET_ANY_DEFINER'}"
        " ON *.* TO migrator@'%'"
    )
    (fresh, *_) = backup.prepare(here.site, Options(fresh=True)).steps
    here.perform(fresh)
    here.perform(the_load(here))
    assert rows(here.sandbox, INTO) == rows(here.sandbox, "vaulteer")
    if here.sandbox.server == "mariadb":
        history = "SELECT COUNT(*) FROM {}.ver FOR SYSTEM_TIME ALL"
        assert here.sandbox.query(history.format(INTO)) == [(2,)]


def test_a_restore_that_is_done_is_not_done_again(maria: Place) -> None:
    """The same command afterwards finds it loaded; for another dump the name is taken."""
    maria.perform(the_load(maria))
    (again,) = restore.prepare(maria.site, OPTIONS).steps
    assert again.done
    assert "loaded" in again.found
    Dump(maria.dumps[0]).copy(maria.folder / "vaulteer-20200101T000000Z.sql.zst")
    other = restore.prepare(
        maria.site, Options(into=INTO, backup="vaulteer-20200101T000000Z.sql.zst")
    )
    assert "is there already" in refused(other)[0].detail


def test_a_name_that_is_none_is_refused(mariadb_server: Sandbox, tmp_path: Path) -> None:
    """The environment's own database, the server's and odd names are refused before any look."""
    own = ("vaulteer", "VAULTEER", "mysql", "Sys")
    with place(mariadb_server, tmp_path) as here:
        mariadb_server.clear_commands()
        for into in ("", *own, "a b", "x`y", "../x", "1", "x" * 65, "ü", "a-b"):
            with pytest.raises(UsageError):
                restore.prepare(here.site, Options(into=into))
        assert mariadb_server.commands("db1") == []


def test_an_unknown_backup_is_refused_with_the_ones_there_are(maria: Place) -> None:
    """A name that is no backup is an error that lists the backups."""
    with pytest.raises(UsageError) as failed:
        restore.prepare(maria.site, Options(into=INTO, backup="nothing.sql.zst"))
    assert maria.dumps[0].name in failed.value.advice


@MYSQL_IS_WIDE
def test_an_existing_database_is_never_touched(here: Place) -> None:
    """The plan refuses it; created after the plan, the server itself refuses it."""
    job = the_load(here)
    here.sandbox.query(f"CREATE DATABASE {INTO}")
    here.sandbox.query(f"CREATE TABLE {INTO}.mine (id INT)")
    assert "is there already" in says(here)
    with pytest.raises(StepFailed, match="nothing was loaded"):
        here.perform(job)
    assert here.sandbox.query(f"SHOW TABLES FROM {INTO}") == [("mine",)]


def test_a_damaged_dump_is_not_loaded(maria: Place) -> None:
    """The dump is read byte by byte before anything is created."""
    job = the_load(maria)
    Dump(maria.dumps[0]).flip()
    with pytest.raises(StepFailed, match="no backup any more") as failed:
        maria.perform(job)
    assert "checksum" in failed.value.message
    assert INTO not in databases(maria.sandbox)


def test_a_defective_dump_is_refused_by_name(maria: Place) -> None:
    """A dump that a look already sees to be none is refused, with what is wrong."""
    (path,) = maria.dumps
    path.write_bytes(path.read_bytes()[:-1])
    plan = restore.prepare(maria.site, Options(into=INTO, backup=path.name))
    assert "bytes and not" in refused(plan)[0].detail


def test_a_trigger_under_its_database_s_name_is_refused(maria: Place) -> None:
    """Loading it would create it in the original; the plan refuses, and the backup says so."""
    maria.sandbox.query(
        "CREATE DEFINER = migrator@'%' TRIGGER vaulteer.bound AFTER UPDATE ON vaulteer.events"
        " FOR EACH ROW SET @x = 1"
    )
    (fresh, *_) = backup.prepare(maria.site, Options(fresh=True)).steps
    (done,) = maria.perform(fresh)
    assert "trigger bound names its database" in "\n".join(done.output)
    assert "trigger bound" in says(maria)


@MYSQL_IS_WIDE
def test_objects_that_name_their_database_are_told(here: Place) -> None:
    """A function that reads the original by name is a warning, since the copy would too."""
    here.sandbox.query(
        "CREATE DEFINER = migrator@'%' FUNCTION vaulteer.reads() RETURNS INT READS SQL DATA"
        " RETURN (SELECT COUNT(*) FROM vaulteer.users)"
    )
    (fresh, *_) = backup.prepare(here.site, Options(fresh=True)).steps
    here.perform(fresh)
    plan = restore.prepare(here.site, OPTIONS)
    assert not refused(plan)
    (warning,) = [finding for finding in plan.findings if finding.what == "contents"]
    assert "function reads" in warning.detail
    assert "view event_roster" not in warning.detail


@MYSQL_IS_WIDE
def test_another_definer_is_refused_before_the_load(here: Place) -> None:
    """Objects in another account's name need a privilege; without it the plan says which."""
    here.sandbox.query("CREATE DEFINER = root@'127.0.0.1' VIEW vaulteer.others AS SELECT 1 AS one")
    (fresh, *_) = backup.prepare(here.site, Options(fresh=True)).steps
    here.perform(fresh)
    assert "root@127.0.0.1" in says(here)
    mariadb = here.sandbox.server == "mariadb"
    assert ("GRANT SET USER" if mariadb else "GRANT SET_ANY_DEFINER") in says(here)


@MYSQL_IS_WIDE
def test_missing_rights_are_refused_before_the_load(here: Place) -> None:
    """Without the privilege to create there, the plan shows the GRANT that is missing."""
    here.sandbox.query(r"REVOKE CREATE ON `vaulteer\_restore%`.* FROM migrator@'%'")
    assert f"GRANT CREATE ON `{INTO}`" in says(here).replace("\\", "")


@MYSQL_IS_WIDE
def test_a_binary_log_that_trusts_nobody_is_told_before_the_load(here: Place) -> None:
    """Where the server would refuse triggers with error 1419, the plan says what to set."""
    if here.sandbox.query("SELECT @@log_bin") == [(0,)]:
        pytest.skip("this server writes no binary log")
    here.sandbox.query("SET GLOBAL log_bin_trust_function_creators = OFF")
    assert "log_bin_trust_function_creators" in says(here)


@MYSQL_IS_WIDE
def test_a_load_that_fails_half_way_names_what_it_left(here: Place) -> None:
    """The new database stays, and is named with the statement that drops it."""
    job = the_load(here)
    here.sandbox.query(r"REVOKE TRIGGER ON `vaulteer\_restore%`.* FROM migrator@'%'")
    with pytest.raises(StepFailed, match="was not loaded") as failed:
        here.perform(job)
    assert f"DROP DATABASE `{INTO}`;" in failed.value.message
    assert "ERROR 1142" in "\n".join(failed.value.output)
    assert "CREATE" not in "\n".join(failed.value.output)
    assert INTO in databases(here.sandbox)
    assert "not loaded into it wholly" in says(here)
    here.sandbox.query(f"DROP DATABASE {INTO}")
    here.sandbox.query(r"GRANT TRIGGER ON `vaulteer\_restore%`.* TO migrator@'%'")
    assert here.perform(the_load(here))[0].outcome is Outcome.CHANGED


def test_a_killed_restore_is_found_dead_and_named(maria: Place) -> None:
    """When the whole job is killed, that is said, and its name is free for another try."""
    hanging = "SELECT id FROM information_schema.processlist WHERE info LIKE 'CREATE DATABASE%'"
    with maria.sandbox.root_connection() as connection, connection.cursor() as cursor:
        job = the_load(maria)
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        background = Background(maria, job)
        assert wait_until(lambda: bool(maria.sandbox.query(hanging)), 10.0)
        for process in jobs_of(maria.sandbox):
            process.send(signal.SIGKILL)
        background.join()
        maria.sandbox.query(f"KILL {maria.sandbox.query(hanging)[0][0]}")
    assert isinstance(background.error, StepFailed)
    assert "died while loading" in background.error.message
    assert maria.perform(the_load(maria))[0].outcome is Outcome.CHANGED
