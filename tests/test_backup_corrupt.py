"""Dumps that are no backups any more: every kind of damage is found, and named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.hosts import backups
from runbook.options import Options
from runbook.phases import backup
from sandbox.sandbox import Sandbox
from tests.dumps import Dump, compressed, place, run_here, the_job

Damage = Callable[[Dump], object]
DAMAGES: dict[str, tuple[Damage, str]] = {}
NAME = "vaulteer-20200101T000000Z.sql.zst"


def damage(expected: str) -> Callable[[Damage], Damage]:
    """Enter a way to damage a dump with what must be said about it."""

    def enter(damage: Damage) -> Damage:
        DAMAGES[damage.__name__] = (damage, expected)
        return damage

    return enter


@damage("it cannot be unpacked to its end")
def truncated(dump: Dump) -> None:
    """Cut the file short."""
    dump.path.write_bytes(dump.path.read_bytes()[:-50])


@damage("it cannot be unpacked to its end")
def truncated_to_a_few_bytes(dump: Dump) -> None:
    """Leave little more than the compressor's mark."""
    dump.path.write_bytes(dump.path.read_bytes()[:9])


@damage("it has no completion line: it is truncated")
def truncated_and_compressed_whole(dump: Dump) -> None:
    """Cut the SQL short, as a disk that filled up under mysqldump does."""
    dump.rewrite(dump.sql()[:-3000])


@damage("it has no completion line: it is truncated")
def without_completion_line(dump: Dump) -> None:
    """Take only the last line away."""
    dump.cut("-- Dump completed", "\n")


@damage("text after its completion line")
def completion_line_in_the_middle(dump: Dump) -> None:
    """Let something follow the last line."""
    dump.rewrite(dump.sql() + "DROP TABLE users;\n")


@damage("it is empty")
def empty(dump: Dump) -> None:
    """Leave nothing."""
    dump.path.write_bytes(b"")


@damage("it is not there")
def gone(dump: Dump) -> None:
    """Leave the manifest alone."""
    dump.path.unlink()


@damage("called .zst and its content is not compressed")
def plain_sql(dump: Dump) -> None:
    """Unpack it under the same name."""
    dump.path.write_text(dump.sql())


@damage("called .zst and its content is gz")
def wrongly_compressed(dump: Dump) -> None:
    """Compress it by another program under the same name."""
    dump.path.write_bytes(compressed("gzip", dump.sql()))


@damage("table events is in the manifest and not in the dump")
def without_a_table(dump: Dump) -> None:
    """Take a table out."""
    dump.cut("CREATE TABLE `events` (", ";\n")


@damage("trigger trg_users_email is in the manifest and not in the dump")
def without_a_trigger(dump: Dump) -> None:
    """Take a trigger out."""
    dump.cut("/*!50003 CREATE*/", ";;\n")


@damage("view event_roster is in the manifest and not in the dump")
def without_a_view(dump: Dump) -> None:
    """Take a view out; its placeholder table stays."""
    dump.cut("/*!50001 CREATE ALGORITHM", ";\n")


@damage("function seats_taken is in the manifest and not in the dump")
def without_a_function(dump: Dump) -> None:
    """Take a function out."""
    dump.cut("CREATE DEFINER=`migrator`@`%` FUNCTION", ";;\n")


@damage("event archive_old_events is in the manifest and not in the dump")
def without_an_event(dump: Dump) -> None:
    """Take an event out."""
    dump.cut("/*!50106 CREATE*/", ";;\n")


@damage("table extra is in the dump and not in the manifest")
def with_a_table_too_many(dump: Dump) -> None:
    """Put a table in."""
    dump.rewrite("CREATE TABLE `extra` (\n  `id` int\n);\n" + dump.sql())


@damage("its checksum is not the manifest's")
def with_a_changed_value(dump: Dump) -> None:
    """Change one value, and compress it well."""
    dump.rewrite(dump.sql().replace("user7@", "user8@", 1))


@damage("its checksum is not the manifest's")
def with_a_flipped_byte(dump: Dump) -> None:
    """Let the disk rot."""
    dump.flip()


@damage("its content is not compressed")
def swapped(dump: Dump) -> None:
    """Put another file of the same size there."""
    dump.path.write_bytes(os.urandom(dump.path.stat().st_size))


@damage("its manifest was changed after it was written")
def with_an_edited_manifest(dump: Dump) -> None:
    """Edit the list of objects."""
    text = dump.manifest.read_text()
    dump.manifest.write_text(text.replace("table:events", "table:event"))


@damage("its manifest was changed after it was written")
def with_half_a_manifest(dump: Dump) -> None:
    """Cut the manifest short."""
    dump.manifest.write_text(dump.manifest.read_text()[:-90])


@damage(f"its manifest is the one of {NAME}")
def with_the_manifest_of_another_dump(dump: Dump) -> None:
    """Give it a manifest that is good in itself."""
    dump.seal(file=NAME)


@damage("it has no manifest")
def without_manifest(dump: Dump) -> None:
    """Take the manifest away."""
    dump.manifest.unlink()


@damage("it is no plain file that can be read")
def a_pipe(dump: Dump) -> None:
    """Put a pipe in its place, to which nobody ever writes."""
    dump.path.unlink()
    os.mkfifo(dump.path)


@damage("it is no plain file that can be read")
def without_end(dump: Dump) -> None:
    """Put a link in its place to what is never read to its end."""
    dump.path.unlink()
    dump.path.symlink_to("/dev/zero")


@damage("its manifest is no plain file that can be read")
def with_a_pipe_for_a_manifest(dump: Dump) -> None:
    """Put a pipe in its manifest's place."""
    dump.manifest.unlink()
    os.mkfifo(dump.manifest)


@damage("its manifest is no plain file that can be read")
def with_a_manifest_without_end(dump: Dump) -> None:
    """Put a link in its manifest's place to what is never read to its end."""
    dump.manifest.unlink()
    dump.manifest.symlink_to("/dev/zero")


@damage("its manifest is no plain file that can be read")
def with_an_immense_manifest(dump: Dump) -> None:
    """Let its manifest be longer than any is."""
    os.truncate(dump.manifest, 1 << 40)


@pytest.fixture(scope="module", params=["mariadb", pytest.param("mysql", marks=pytest.mark.wide)])
def taken(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dump, str]:
    """Take one backup for the whole file; return a copy of it and the folder it was in."""
    sandbox: Sandbox = request.getfixturevalue(f"{request.param}_server")
    sandbox.reset()
    folder = tmp_path_factory.mktemp("taken")
    with place(sandbox, folder) as here:
        here.perform(the_job(here))
        (path,) = here.dumps
        (step,) = backup.prepare(here.site, Options()).steps
        copy = Dump(path).copy(folder / path.name)
        return Dump(copy.path, step.text), str(here.folder)


@pytest.fixture
def dump(taken: tuple[Dump, str], tmp_path: Path) -> Dump:
    """Return a copy of the backup in a folder of its own, with the text that verifies it."""
    good, folder = taken
    copy = good.copy(tmp_path / good.path.name)
    return Dump(copy.path, good.text.replace(f"folder={folder}", f"folder={tmp_path}"))


def test_an_untouched_dump_verifies(dump: Dump) -> None:
    """The step's text exits 0 on a good dump, so that its failures below mean something."""
    done = run_here(dump.text)
    assert done.returncode == 0, done
    assert "every byte as it was verified" in done.stdout


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_dump_is_named(dump: Dump, kind: str) -> None:
    """Every kind of damage fails the verification, with a line that says what it is."""
    spoil, expected = DAMAGES[kind]
    spoil(dump)
    done = run_here(dump.text)
    assert done.returncode == 1, done
    assert expected in done.stdout
    assert f"{dump.path.name}: " in done.stdout
    assert "Move it" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "spoil",
    [
        truncated,
        empty,
        with_a_changed_value,
        with_an_edited_manifest,
        with_half_a_manifest,
        with_the_manifest_of_another_dump,
        without_manifest,
    ],
)
def test_a_look_notices_without_reading_the_dump(dump: Dump, spoil: Damage) -> None:
    """Size, time of change and seal already tell a look that a dump is no backup any more."""

    def found() -> str:
        stat = dump.path.stat()
        text = dump.manifest.read_text() if dump.manifest.exists() else ""
        name, size, modified = dump.path.name, stat.st_size, int(stat.st_mtime)
        return backups.inspect(name, size, modified, text, "vaulteer").defect

    assert found() == ""
    spoil(dump)
    assert found() != ""


def test_a_manifest_with_any_character_changed_is_refused(dump: Dump) -> None:
    """No changed character of a manifest goes unnoticed."""
    text = dump.manifest.read_text()
    backups.parse(text)
    for at in range(0, text.index('"seal"') + 60, 5):
        changed = text[:at] + ("#" if text[at] != "#" else "-") + text[at + 1 :]
        with pytest.raises(ValueError, match="manifest"):
            backups.parse(changed)
