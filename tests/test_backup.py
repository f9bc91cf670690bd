"""Backups on real servers: what a dump holds, who can see it, what is kept and fetched."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.errors import Interrupted, Lost, Outcome, StepFailed, UsageError
from runbook.events import StepProgress
from runbook.hosts import backups, jobs
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.phases import backup
from runbook.plan.steps import Command, Fetch, Inspect, Job
from sandbox.processes import marked_processes, wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import (
    Background,
    Dump,
    Place,
    dumping,
    held,
    jobs_of,
    mode,
    place,
    read,
    refused,
    the_job,
)
from tests.support import MYSQL_IS_WIDE


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on each server in turn."""
    with place(sandbox, tmp_path) as opened:
        yield opened


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on MariaDB."""
    with place(mariadb, tmp_path) as opened:
        yield opened


def test_a_backup_holds_every_object_and_is_private(here: Place) -> None:
    """The manifest names every object, the checksum holds, and nobody else can read either."""
    plan = backup.prepare(here.site, Options())
    assert not refused(plan)
    dumped, kept = here.perform(*plan.steps)
    assert (dumped.outcome, kept.outcome) == (Outcome.CHANGED, Outcome.CHANGED)
    (dump,) = here.dumps
    manifest = backups.parse(Dump(dump).manifest.read_text())
    assert {name.replace(":", " ") for name in manifest.objects} == set(here.sandbox.definitions())
    assert manifest.sha256 == hashlib.sha256(dump.read_bytes()).hexdigest()
    assert manifest.definers == ("migrator@%",)
    assert {mode(path) for path in here.folder.iterdir() if path.is_file()} == {"0o600"}
    assert {mode(here.folder), *map(mode, here.folder.glob(".dump*"))} == {"0o700"}
    assert any(isinstance(event, StepProgress) for event in here.told)
    assert dumped.detail.startswith(dump.name)


@MYSQL_IS_WIDE
def test_a_fresh_backup_is_verified_instead_of_dumped(here: Place) -> None:
    """A second plan reads the fresh dump; --fresh and old age dump again."""
    here.perform(the_job(here))
    (step,) = backup.prepare(here.site, Options()).steps
    assert isinstance(step, Inspect)
    assert not step.changes
    assert "every byte" in here.perform(step)[0].detail
    later = replace(step, text=step.text.replace("max_age=7200", "max_age=0"))
    with pytest.raises(StepFailed) as failed:
        here.perform(later)
    assert "Run again: a new one is taken" in failed.value.output[-1]
    assert isinstance(backup.prepare(here.site, Options(fresh=True)).steps[0], Job)
    facts = backup.look(here.site)
    old = replace(facts, now=facts.now + here.site.environment.backup.max_age)
    assert isinstance(backup.steps(here.site.environment, old)[0], Job)
    assert "old" in backup.findings(here.site.environment, old)[0].detail


def test_two_looks_plan_the_same(maria: Place) -> None:
    """Nothing in the plan's text depends on when it was made, or on a job that is running."""
    with held(maria.sandbox):
        first = backup.prepare(maria.site, Options())
        background = Background(maria, the_job(maria))
        dumping(maria.sandbox)
        second = backup.prepare(maria.site, Options())
        assert first.digest == second.digest
        assert "attaches" in second.steps[0].found
    background.join()


def test_sshd_receives_the_texts_of_the_step_and_nothing_else(maria: Place) -> None:
    """What the host ran is the look, the start and the watching, as the plan has them."""
    job = the_job(maria)
    maria.sandbox.clear_commands()
    maria.perform(job)
    ran = maria.sandbox.commands("db1")
    assert ran[0] == job.text
    assert set(ran[1:]) == {job.watch}


@MYSQL_IS_WIDE
def test_gzip_does_where_zstd_is_missing(here: Place) -> None:
    """Without zstd the dump is a .gz, verified all the same."""
    facts = backup.look(here.site)
    facts = replace(facts, clients=replace(facts.clients, compressor="gzip"))
    here.perform(backup.steps(here.site.environment, facts)[0])
    (dump,) = here.dumps
    assert dump.name.endswith(".sql.gz")
    subprocess.run(["gzip", "-t", dump], check=True)
    (step,) = backup.prepare(here.site, Options()).steps
    assert here.perform(step)[0].detail.startswith(dump.name)


ODD = """
SET NAMES utf8mb4;
USE vaulteer;
CREATE TABLE `we``ird "n\\ame ü` (id INT PRIMARY KEY) COMMENT 'x;\\nCREATE TABLE `no` (';
CREATE TABLE `new
line	tab` (id INT PRIMARY KEY, t TEXT);
INSERT INTO `new
line	tab` VALUES (1, 'a;\\nCREATE TABLE `x` (\\nDELIMITER ;\\n-- Dump completed\\n');
DELIMITER $$
CREATE DEFINER = migrator@'%' PROCEDURE `p ``x`()
BEGIN
  /* a body
DELIMITER ;
CREATE TABLE `fake` (
-- Dump completed on
*/
  SELECT ';;
CREATE TABLE `fake2` (
';
END$$
create definer = migrator@'%' trigger `trg``2` /* , */ after
update on users for each row begin set @a = 'x
CREATE TABLE `inbody` (
'; end$$
DELIMITER ;
CREATE DEFINER = migrator@'%' VIEW `odd``view` AS SELECT user_id AS `create table` FROM users;
"""
MARIADB_ONLY = """
USE vaulteer;
CREATE SEQUENCE sq;
CREATE TABLE ver (id INT PRIMARY KEY, x INT) WITH SYSTEM VERSIONING;
SET sql_mode = ORACLE;
DELIMITER $$
CREATE DEFINER = migrator@'%' PACKAGE pk AS PROCEDURE a(); END$$
CREATE DEFINER = migrator@'%' PACKAGE BODY pk AS PROCEDURE a() AS BEGIN NULL; END; END$$
"""
MYSQL_ONLY = """
USE vaulteer;
CREATE LIBRARY lib LANGUAGE JAVASCRIPT AS $$ export function f() { return "TABLE x"; } $$;
CREATE DEFINER = migrator@'%' JSON RELATIONAL DUALITY VIEW dv AS
  SELECT JSON_DUALITY_OBJECT('_id': user_id, 'uid': uid) FROM users;
"""
NAMES = """
SELECT CONCAT(IF(table_type = 'VIEW', 'view', IF(table_type = 'SEQUENCE', 'sequence', 'table')),
  ':', table_name) FROM information_schema.tables WHERE table_schema = 'vaulteer'
UNION SELECT CONCAT('trigger:', trigger_name) FROM information_schema.triggers
  WHERE trigger_schema = 'vaulteer'
UNION SELECT CONCAT(LOWER(routine_type), ':', routine_name) FROM information_schema.routines
  WHERE routine_schema = 'vaulteer'
UNION SELECT CONCAT('event:', event_name) FROM information_schema.events
  WHERE event_schema = 'vaulteer'
/*!90200 UNION SELECT CONCAT('library:', library_name) FROM information_schema.libraries
  WHERE library_schema = 'vaulteer' */
"""


def test_odd_names_and_bodies_are_told_apart_from_objects(here: Place) -> None:
    """Backticks, quotes, line breaks, bodies that look like a dump, and each server's own kinds."""
    here.sandbox.load(ODD)
    here.sandbox.load(MARIADB_ONLY if here.sandbox.server == "mariadb" else MYSQL_ONLY)
    here.perform(the_job(here))
    manifest = backups.parse(Dump(here.dumps[0]).manifest.read_text())
    assert set(manifest.objects) == {str(name) for (name,) in here.sandbox.query(NAMES)}
    assert len(manifest.objects) > 12


@MYSQL_IS_WIDE
def test_the_password_is_in_no_process_s_arguments_or_environment(here: Place) -> None:
    """During a dump no process shows the password, nor does any file the job left."""
    secret = here.site.password().encode()
    with held(here.sandbox):
        background = Background(here, the_job(here))
        dumping(here.sandbox)
        seen = 0
        for process in marked_processes(here.sandbox.root):
            for name in ("cmdline", "environ"):
                content = read(process, name)
                seen += len(content)
                assert secret not in content, (process, name)
        assert seen > 1000
        assert jobs_of(here.sandbox)
    background.join()
    assert background.error is None
    files = [path for path in here.folder.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not [path for path in files if secret in path.read_bytes()]


ODD_PASSWORDS = (
    *("with space", " around ", "#hash", "a#b", "it's", 'say "x"', '"', "'", "''", "\\", "\\n"),
    *("back\\slash", "a=b", "[client]", ";", "!include x", "$HOME `id`", "é😀", "%s%d", '\\"'),
    *("a'b\"c\\", "\\\\ ", "=", "\\#", "\\s"),
)


@pytest.mark.parametrize("flavour", ["mariadb_server", "mysql_server"])
def test_any_password_reaches_the_client_as_it_is(
    flavour: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The option file carries quotes, backslashes and comment signs through both clients."""
    server: Sandbox = request.getfixturevalue(flavour)
    server.reset()
    with place(server, tmp_path) as here, server.root_connection() as root, root.cursor() as cursor:
        environment = here.site.environment
        cursor.execute("CREATE USER odd@'%' IDENTIFIED BY 'x'")
        try:
            for password in ODD_PASSWORDS:
                cursor.execute("ALTER USER odd@'%%' IDENTIFIED BY %s", (password,))
                account = replace(environment.database, user="odd")
                stdin = client_options(replace(environment, database=account), password)
                client = server.database.programs.client
                done = subprocess.run(
                    [client, "--defaults-file=/dev/stdin", "-NBe", "SELECT CURRENT_USER()"],
                    input=stdin, text=True, capture_output=True, check=False,
                )  # fmt: skip
                assert done.stdout.strip() == "odd@%", (password, done.stderr)
        finally:
            cursor.execute("DROP USER odd@'%'")


@pytest.mark.parametrize("password", ["two\nlines", "tab\there", "x" * 4100])
def test_a_password_that_no_option_file_holds_is_refused(password: str) -> None:
    """Line breaks, control characters and lines beyond the clients' buffer are errors here."""
    with pytest.raises(UsageError):
        jobs.option(password)


def make_backups(place: Place, count: int) -> list[Path]:
    """Take one backup, and make `count` of it that differ in their date."""
    place.perform(the_job(place))
    (first,) = place.dumps
    for number in range(1, count):
        Dump(first).copy(place.folder / f"vaulteer-2020010{number}T000000Z.sql.zst")
    return place.dumps


def retention(place: Place) -> Command:
    """Return the step that removes old dumps."""
    return next(
        step
        for step in backup.prepare(place.site, Options(fresh=True)).steps
        if isinstance(step, Command) and "keep" in step.title
    )


def test_retention_keeps_the_newest_and_touches_nothing_else(maria: Place) -> None:
    """Of five backups three stay; files without a manifest, or of others, stay too."""
    dumps = make_backups(maria, 5)
    stranger = maria.folder / "vaulteer-20190101T000000Z.sql.zst"
    stranger.write_text("somebody's own")
    other = Dump(dumps[-1]).copy(
        maria.folder / "vaulteer-20190102T000000Z.sql.zst", database="somebody_else"
    )
    (done,) = maria.perform(retention(maria))
    assert done.detail == "kept 3 of 5 verified"
    assert set(maria.dumps) == {*dumps[2:], stranger, other.path}
    assert not Path(f"{dumps[0]}{backups.ENDING}").exists()
    (again,) = maria.perform(retention(maria))
    assert again.detail == "kept 3 of 3 verified"


def test_retention_never_counts_a_defective_dump(mariadb: Sandbox, tmp_path: Path) -> None:
    """With keep: 1 the only good backup stays, whatever newer but spoiled ones there are."""
    with place(mariadb, tmp_path, backup={"keep": 1}) as here:
        dumps = make_backups(here, 3)
        for spoiled in dumps[1:]:
            spoiled.write_bytes(spoiled.read_bytes()[:-1])
        (done,) = here.perform(retention(here))
        assert done.detail == "kept 1 of 1 verified"
        assert here.dumps == dumps


def test_retention_removes_nothing_when_the_newest_is_damaged(
    mariadb: Sandbox, tmp_path: Path
) -> None:
    """Before anything goes, the newest is read byte by byte; damage of the same size stops it."""
    with place(mariadb, tmp_path, backup={"keep": 1}) as here:
        dumps = make_backups(here, 3)
        Dump(dumps[-1]).flip()
        with pytest.raises(StepFailed) as failed:
            here.perform(retention(here))
        assert "no older dump was removed" in failed.value.output[-1]
        assert here.dumps == dumps


def test_the_snapshot_command_runs_after_the_dump(mariadb: Sandbox, tmp_path: Path) -> None:
    """The inventory's own command runs on the backup host, as it is written."""
    mark = tmp_path / "snapshot"
    with place(mariadb, tmp_path, backup={"snapshot": f"touch {mark}"}) as here:
        plan = backup.prepare(here.site, Options())
        assert plan.steps[-1].text == f"touch {mark}"
        here.perform(*plan.steps)
        assert mark.exists()
        assert len(here.dumps) == 1


def test_fetch_brings_the_newest_dump_here(maria: Place) -> None:
    """--fetch copies dump and manifest, private, once; the checksum is compared."""
    plan = backup.prepare(maria.site, Options(fetch=True))
    *_, fetched = maria.perform(*plan.steps)
    assert fetched.outcome is Outcome.CHANGED
    (dump,) = maria.dumps
    local = Path(fetched.detail.partition(",")[0])
    assert local.read_bytes() == dump.read_bytes()
    assert (
        Path(f"{local}{backups.ENDING}").read_text() == Path(f"{dump}{backups.ENDING}").read_text()
    )
    assert {mode(path) for path in local.parent.iterdir()} == {"0o600"}
    assert mode(local.parent) == "0o700"
    fetch = plan.steps[-1]
    assert isinstance(fetch, Fetch)
    assert maria.perform(fetch)[0].outcome is Outcome.OK
    local.write_bytes(b"damaged here")
    assert maria.perform(fetch)[0].outcome is Outcome.CHANGED
    assert local.read_bytes() == dump.read_bytes()


def test_fetch_refuses_what_arrives_changed(maria: Place) -> None:
    """A dump whose bytes differ from its manifest never gets its final name here."""
    *_, fetch = backup.prepare(maria.site, Options(fetch=True)).steps
    maria.perform(the_job(maria))
    (dump,) = maria.dumps
    Dump(dump).flip()
    with pytest.raises(StepFailed, match="another checksum"):
        maria.perform(fetch)
    assert isinstance(fetch, Fetch)
    assert not [path for path in Path(fetch.local).iterdir() if path.is_file()]


def test_fetch_without_a_backup_says_so(maria: Place) -> None:
    """Where the host has no verified dump there is nothing to fetch."""
    *_, fetch = backup.prepare(maria.site, Options(fetch=True)).steps
    with pytest.raises(StepFailed, match="no verified dump"):
        maria.perform(fetch)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("stop", ["cut", "ctrl-c"])
def test_a_fetch_that_is_stopped_leaves_no_partial_file(maria: Place, stop: str) -> None:
    """A cut connection is an unknown outcome, Ctrl-C a stop; neither leaves half a dump."""
    *_, fetch = backup.prepare(maria.site, Options(fetch=True)).steps
    assert isinstance(fetch, Fetch)
    maria.perform(the_job(maria))
    large = Dump(maria.dumps[0]).copy(maria.folder / "vaulteer-29990101T000000Z.sql.zst")
    content = os.urandom(1 << 20) * 128
    large.path.write_bytes(content)
    changed = int(large.path.stat().st_mtime)
    sum_ = hashlib.sha256(content).hexdigest()
    large.seal(bytes=len(content), sha256=sum_, modified=changed)
    maria.told.clear()
    background = Background(maria, fetch)
    assert wait_until(lambda: bool(maria.told), 10.0)
    if stop == "cut":
        for connection in maria.sandbox.connections("db1"):
            connection.send(signal.SIGKILL)
    else:
        maria.brake._asked.set()
    background.join()
    assert isinstance(background.error, Lost if stop == "cut" else Interrupted)
    assert list(Path(fetch.local).iterdir()) == []
