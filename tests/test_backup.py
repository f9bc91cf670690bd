"""Backups on real servers: what a dump holds, and who can see it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.errors import Outcome, StepFailed, UsageError
from runbook.events import StepProgress
from runbook.hosts import backups, jobs
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.phases import backup
from runbook.plan.steps import Inspect, Job
from sandbox.processes import marked_processes
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


@MYSQL_IS_WIDE
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


@MYSQL_IS_WIDE
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
