"""Preflight of what a backup needs: programs on its host, its folder and the room there."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.database.sessions import parse_server
from runbook.options import Options
from runbook.phases import backup
from runbook.phases.preflight import disk, programs, snapshot
from runbook.phases.preflight.disk import Disk
from runbook.phases.preflight.programs import Program
from runbook.plan.plan import Level
from runbook.units import age, size
from sandbox.programs import database as database_programs
from sandbox.programs import why_not
from sandbox.sandbox import Sandbox
from tests.looking import Found, Place
from tests.support import MYSQL_IS_WIDE

MEBIBYTE = 1 << 20


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    """Return each server's sandbox in turn."""
    return Place(sandbox, tmp_path)


@pytest.fixture
def here(mariadb: Sandbox, tmp_path: Path) -> Place:
    """Return the MariaDB sandbox, for what has nothing to do with the server."""
    return Place(mariadb, tmp_path)


@pytest.fixture
def without(here: Place) -> Iterator[Place]:
    """Return a place whose db1 finds programs in a folder `bin` that the test may thin out."""
    host = here.sandbox.hosts["db1"]
    config = host.folder / "sshd_config"
    before = config.read_text()
    programs_of_host = here.folder / "bin"
    programs_of_host.mkdir()
    for folder in (here.sandbox.root / "bin", Path("/usr/bin"), Path("/bin")):
        for program in folder.iterdir():
            link = programs_of_host / program.name
            if not link.is_symlink():
                link.symlink_to(program)
    path = before.split('SetEnv "PATH=', 1)[1].split('"', 1)[0]
    _restart(here.sandbox, before.replace(path, str(programs_of_host)))
    yield here
    _restart(here.sandbox, before)


def _restart(sandbox: Sandbox, config: str) -> None:
    host = sandbox.hosts["db1"]
    if process := host.process():
        process.end()
    (host.folder / "sshd_config").write_text(config)
    host.start()


def test_programs_that_are_missing_are_named(without: Place) -> None:
    """Without zstd gzip does; without either, a dump program, a tool or bash it is refused."""

    def look_without(*names: str) -> Found:
        for name in names:
            (without.folder / "bin" / name).unlink()
        return without.look(health=None)

    found = look_without("zstd")
    assert found.at(Level.REFUSED) == []
    assert found.one("compressor").detail == "gzip (zstd is not on PATH)"
    found = look_without("gzip", "flock")
    assert found.at(Level.REFUSED) == ["compressor@db1", "tools@db1"]
    assert "flock" in found.one("tools").detail
    found = look_without("mysqldump", "mariadb-dump", "mysql", "mariadb")
    assert {"dump program@db1", "client program@db1"} <= set(found.at(Level.REFUSED))
    found = look_without("bash")
    assert found.one("SSH", "db1").detail == "db1: bash is not there"
    assert found.one("server").level is Level.OK


SUDO = """\
#!/bin/sh
[ "$1 $2" = "-n -l" ] || { touch {ran}; exit 0; }
shift 2
[ "$*" != "lvcreate -n before vg0/mysql" ] || { echo "/usr/sbin/$*"; exit 0; }
echo "sudo: a password is required" >&2
exit 1
"""
"""A sudo that allows one command, and says so only when it is asked to list it."""


def test_what_sudo_allows_is_asked_and_not_tried(without: Place) -> None:
    """A snapshot by sudo is refused where sudo is not there or would not run it, with the rule."""
    wanted = {"snapshot": "sudo -n lvcreate -n before vg0/mysql | tee /dev/null"}
    sudo, ran = without.folder / "bin" / "sudo", without.folder / "ran"
    sudo.unlink(missing_ok=True)
    row = without.look(backup=wanted).one("snapshot command", "db1")
    assert (row.level, row.detail) == (Level.REFUSED, "sudo is not on PATH")
    sudo.write_text(SUDO.replace("{ran}", str(ran)))
    sudo.chmod(0o755)
    row = without.look(backup=wanted).one("snapshot command")
    assert (row.level, row.detail) == (Level.OK, "sudo allows lvcreate; it is not tried")
    row = without.look(backup={"snapshot": "sudo -n lvcreate -n a,b vg0/mysql"}).one(
        "snapshot command"
    )
    assert row.level is Level.REFUSED
    assert row.detail == "sudo would not run lvcreate: sudo: a password is required"
    assert row.advice.endswith("lvcreate -n a\\,b vg0/mysql")
    assert " ALL = (root) NOPASSWD: " in row.advice
    assert not ran.exists()


def test_a_snapshot_command_that_is_not_there_is_refused(here: Place) -> None:
    """Its first word must be there; it is not run, and a backup is refused without it."""
    row = here.look(backup={"snapshot": "no-such-program --now"}).one("snapshot command")
    assert (row.level, row.detail) == (Level.REFUSED, "no-such-program is not on PATH")
    mark = here.folder / "ran"
    found = here.look(backup={"snapshot": f"touch {mark}"})
    assert (found.at(Level.REFUSED), mark.exists()) == ([], False)
    assert found.one("snapshot command").detail == "touch is there; it is not tried"
    with here.opened(backup={"snapshot": "no-such-program"}) as site:
        plan = backup.prepare(site, Options())
    assert [row.what for row in plan.refusals] == ["snapshot command"]


@pytest.mark.parametrize(
    ("command", "word", "asked"),
    [
        ("sudo -n lvcreate -n x vg/y", "sudo", ("lvcreate", "-n", "x", "vg/y")),
        (
            "LANG=C sudo -n -u mysql snap --now 2>&1 | tee x",
            "sudo",
            ("-u", "mysql", "snap", "--now"),
        ),
        ("sudo snap 'a b' && true", "sudo", ("snap", "a b")),
        ('sudo -n snap "$(date +%F)"', "sudo", ()),
        ("sudo -s snap", "sudo", ()),
        ("/opt/snap|cat", "/opt/snap", ()),
        ("$HOME/snap --now", "", ()),
        ("(cd /x; snap)", "", ()),
        ("snap 'now", "", ()),
    ],
)
def test_what_a_snapshot_command_begins_with(
    command: str, word: str, asked: tuple[str, ...]
) -> None:
    """Its first word is told, and what sudo can be asked about; a shell is not imitated."""
    begin = snapshot.opening(command)
    assert (begin.word, begin.asked) == (word, asked)


@MYSQL_IS_WIDE
def test_the_other_flavours_dump_program_is_noticed(place: Place) -> None:
    """A dump program of the other flavour is named with what would go wrong."""
    other = "mysql" if place.sandbox.server == "mariadb" else "mariadb"
    if reason := why_not(other):
        pytest.skip(reason)
    folder = place.sandbox.root / "bin"
    before = {name: (folder / name).readlink() for name in ("mysqldump",)}
    hidden = folder / "mariadb-dump"
    own = hidden.readlink() if hidden.is_symlink() else None
    (folder / "mysqldump").unlink()
    (folder / "mysqldump").symlink_to(database_programs(other).dump)
    hidden.unlink(missing_ok=True)
    try:
        row = place.look().one("dump program")
    finally:
        (folder / "mysqldump").unlink()
        (folder / "mysqldump").symlink_to(before["mysqldump"])
        if own:
            hidden.symlink_to(own)
    assert row.level is (Level.REFUSED if other == "mysql" else Level.WARNING)
    assert ("2059" if other == "mysql" else "3105") in row.detail


def test_what_is_said_of_the_other_flavours_dump_is_so(mysql: Sandbox) -> None:
    """MariaDB's dump of a MySQL table with a generated column cannot be loaded (error 3105)."""
    if reason := why_not("mariadb"):
        pytest.skip(reason)
    mysql.load(
        "CREATE DATABASE made; CREATE TABLE made.t (a INT PRIMARY KEY, b INT AS (a + 1) STORED);"
        "INSERT INTO made.t (a) VALUES (1);"
    )
    login = f"--defaults-extra-file={mysql.root / 'root.cnf'}"
    dump = subprocess.run(
        [database_programs("mariadb").dump, login, "--no-tablespaces", "made"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = subprocess.run(
        [database_programs("mysql").client, login, "made"],
        input=dump.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3105" in loaded.stderr


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_refused_with_the_numbers(here: Place, tiny: Path) -> None:
    """A disk smaller than the estimate of the dump is refused, with both sizes."""
    row = here.look(backup={"folder": str(tiny / "not" / "yet")}).one("backup folder")
    assert row.level is Level.WARNING
    here.sandbox.reset(rows=20_000)
    row = here.look(backup={"folder": str(tiny / "not" / "yet")}).one("backup folder")
    assert row.level is Level.REFUSED
    assert row.detail.startswith("64 KiB free on ")
    assert "of tables takes at most about" in row.detail


def test_the_last_dump_tells_how_much_room_is_needed(here: Place, tiny: Path) -> None:
    """With a manifest in the folder its size counts, not the estimate."""
    here.sandbox.reset(rows=20_000)
    for stamp, bytes_ in (("20250101T000000Z", 1), ("20250102T000000Z", 10_000)):
        text = f'{{\n  "sql_bytes": 9,\n  "bytes": {bytes_},\n  "modified": 1\n}}\n'
        (tiny / f"vaulteer-{stamp}.sql.zst.manifest.json").write_text(text)
    row = here.look(backup={"folder": str(tiny)}).one("backup folder")
    assert row.level is Level.OK
    assert "the last dump took 9.77 KiB" in row.detail


def test_a_folder_that_cannot_be_written_is_refused(here: Place) -> None:
    """A file in its place, a read-only parent and a folder open to others are each refused."""
    file = here.folder / "file"
    file.touch()
    row = here.look(backup={"folder": str(file / "backups")}).one("backup folder")
    assert (row.level, row.detail) == (Level.REFUSED, f"{file} is not a folder")
    wide = here.folder / "wide"
    wide.mkdir(mode=0o755)
    row = here.look(backup={"folder": str(wide)}).one("backup folder")
    assert "open to others (mode 755)" in row.detail
    assert row.advice.endswith(f"chmod 700 {wide}")


def test_a_folder_of_somebody_else_is_refused(here: Place) -> None:
    """A parent that this user may not write in is refused with the command that mends it."""
    closed = here.folder / "closed"
    closed.mkdir(mode=0o500)
    chattr = shutil.which("chattr")
    if os.geteuid() == 0 and (
        not chattr or subprocess.run([chattr, "+i", closed], check=False).returncode
    ):
        pytest.skip("root can write everywhere here")
    try:
        row = here.look(backup={"folder": str(closed / "backups")}).one("backup folder")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", closed], check=True)
    assert row.level is Level.REFUSED
    assert f"cannot write in {closed}" in row.detail
    assert "install -d -m 700" in row.advice


def test_the_database_must_answer_where_the_dump_runs(here: Place) -> None:
    """A backup host that is not the tunnel's must see the database's address itself."""
    elsewhere = {"host": "app1", "folder": str(here.sandbox.root / "app1" / "backups")}
    row = here.look(backup=elsewhere).one("database from here", "app1")
    assert row.level is Level.OK
    here.sandbox.kill_database()
    row = here.look(backup=elsewhere, health=None).one("database from here", "app1")
    assert row.level is Level.REFUSED
    assert "name db1 as backup.host" in row.advice


OPEN = Disk("/b", "open", "700", None, "deploy", 10 * MEBIBYTE, "/")


@pytest.mark.parametrize(
    ("last", "data", "level"),
    [
        (None, 5 * MEBIBYTE, Level.OK),
        (None, 20 * MEBIBYTE, Level.WARNING),
        (None, 40 * MEBIBYTE, Level.REFUSED),
        (4 * MEBIBYTE, 400 * MEBIBYTE, Level.OK),
        (6 * MEBIBYTE, 6 * MEBIBYTE, Level.WARNING),
        (11 * MEBIBYTE, 6 * MEBIBYTE, Level.REFUSED),
        (None, None, Level.OK),
    ],
)
def test_room_is_judged_by_the_last_dump_or_the_data(
    here: Place, last: int | None, data: int | None, level: Level
) -> None:
    """Less than the last dump, or than 0.3 of the data, is refused; a narrow fit warns."""
    row = disk.finding(here.environment(), dataclasses.replace(OPEN, last=last), data)
    assert row.level is level
    assert "10 MiB free on /" in row.detail


def test_a_disk_with_spaces_in_its_names_is_read() -> None:
    """Neither the filesystem's nor the mount's name confuses the numbers."""
    line = "//nas/my share     1000  900     100      90% /mnt/my disk"
    read = disk.parse(("/mnt/my disk/x", "open", "", "", "me", line))
    assert (read.free, read.mounted, read.last) == (102400, "/mnt/my disk", None)


@pytest.mark.parametrize(
    ("text", "flavour", "number"),
    [
        ("mysqldump  Ver 9.7.4 for Linux on x86_64 (Debian)", "MySQL", (9, 7, 4)),
        ("mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)", "MySQL", (5, 7, 44)),
        ("mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian", "MariaDB", (10, 11, 6)),
        ("mariadb-dump from 11.4.2-MariaDB, client 10.19 for debian", "MariaDB", (11, 4, 2)),
        ("", "MySQL", ()),
    ],
)
def test_versions_of_dump_programs_are_read(
    text: str, flavour: str, number: tuple[int, ...]
) -> None:
    """Each way in which the dump programs have named their version is understood."""
    program = Program("mysqldump", "/usr/bin/mysqldump", text)
    assert (program.flavour, program.number) == (flavour, number)


def test_an_older_mysqldump_is_only_warned_about() -> None:
    """MySQL 8's dump program can still log in to MariaDB: a warning, no refusal."""
    dump = Program("mysqldump", "/usr/bin/mysqldump", "mysqldump  Ver 8.0.36 for Linux")
    rows = programs.findings("db1", (dump,), parse_server("10.11.6-MariaDB"))
    assert next(iter(rows)).level is Level.WARNING


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (5 << 40, "5 TiB"),
     (64 * 1024, "64 KiB"), (200 << 20, "200 MiB")],
)  # fmt: skip
def test_sizes_read_well(count: int, said: str) -> None:
    """Three digits and a binary unit."""
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.25, "0.2 s"), (45, "45 s"), (200, "3 min 20 s"), (5400, "1 h 30 min"),
     (7200, "2 h")],
)  # fmt: skip
def test_times_read_well(seconds: float, said: str) -> None:
    """As a person says it."""
    assert age(seconds) == said
