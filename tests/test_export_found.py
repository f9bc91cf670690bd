"""Finding an export again, whatever else is there: of the future, foreign, or without end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.sandbox import Sandbox
from tests.exporting import exports
from tests.support import Bench
from tests.undoing import INSERT, exported

pytestmark = pytest.mark.wide

FUTURE = "20301231T000000Z"


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    """Return a bench on MariaDB, migrated and with 166 rows of each kind, exported.

    A program that nothing was written to any more waits for ever, and is not left behind.
    """
    made = exported(mariadb, tmp_path)
    yield made
    for path in tmp_path.rglob("*"):
        if path.is_fifo():
            path.unlink()


def told(document: dict[str, Any]) -> list[str]:
    """Return the warnings about exports, each with its place."""
    found = [f for f in document["findings"] if f["what"] == "export" and f["level"] == "warning"]
    return [f"{f['where']}: {f['detail']}" for f in found]


def test_an_export_of_the_future_is_not_in_the_way(maria: Bench) -> None:
    """Once a clock was ahead, an export of the present rows still allows the undo of these rows."""
    (old,) = exports(maria)
    future = old.rename(old.with_name(FUTURE))
    maria.sandbox.query(INSERT)
    refused = maria.run("rollback", dry_run=True)
    assert refused.status == 3
    assert f"{future} has not exactly the present 167 rows" in refused.said
    assert "whose time lies in the future" in maria.run("status").said
    assert maria.run("export", fetch=True).outcomes == ["changed", "changed"]
    present = next(export for export in exports(maria) if export != future)
    here = maria.folder / ".runbook/test/exports/attendance"
    assert [path.name for path in here.iterdir()] == [present.name]
    assert maria.run("export", fetch=True).outcomes == ["ok", "ok"]
    status = maria.run("status").document["findings"]
    (row,) = [f for f in status if f["what"] == "export"]
    assert row["level"] == "ok"
    assert row["detail"].startswith(f"{present}, ")
    preview = maria.run("rollback", dry_run=True)
    assert preview.status == 0, preview.why
    assert f"exported to db1:{present}" in preview.said
    assert maria.run("rollback", plan=preview.document["plan"]).status == 0


def test_any_of_the_newest_does_that_has_exactly_the_present_rows(maria: Bench) -> None:
    """Rows that are again as an older export has them may go; another export changes no digest."""
    (first,) = exports(maria)
    digest = maria.run("rollback", dry_run=True).document["plan"]
    maria.sandbox.query(INSERT)
    assert maria.run("export").outcomes == ["changed"]
    assert f"exported to db1:{exports(maria)[-1]}" in maria.run("rollback", dry_run=True).said
    maria.sandbox.query(
        "DELETE FROM vaulteer.event_attendance_audit WHERE action = 'correction' LIMIT 1"
    )
    preview = maria.run("rollback", dry_run=True)
    assert (preview.status, preview.document["plan"]) == (0, digest)
    assert f"exported to db1:{first}" in preview.said
    assert maria.run("export").outcomes == ["ok"]
    assert maria.run("export", fresh=True).outcomes == ["changed"]
    assert maria.run("rollback", plan=digest).status == 0


def _file(path: Path) -> None:
    path.write_text("")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _linked(path: Path) -> None:
    path.symlink_to(path.parent)


def _empty(path: Path) -> None:
    path.mkdir()


def _waiting(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "manifest.json")


def _endless(path: Path) -> None:
    path.mkdir()
    (path / "manifest.json").symlink_to("/dev/zero")


def _immense(path: Path) -> None:
    path.mkdir()
    with (path / "manifest.json").open("w") as file:
        file.truncate(1 << 40)


FOREIGN: dict[Callable[[Path], None], str] = {
    _file: "it is no folder",
    _dangling: "it is no folder",
    _linked: "it is no folder",
    _empty: "its manifest.json is missing",
    _waiting: "its manifest.json is no plain file",
    _endless: "its manifest.json is no plain file",
    _immense: "its manifest.json is no plain file",
}


@pytest.mark.parametrize("name", [FUTURE, pytest.param("20991399T000000Z", marks=pytest.mark.wide)])
def test_what_only_bears_the_name_of_an_export_is_told_and_passed_over(
    maria: Bench, name: str
) -> None:
    """A file, link, empty folder, pipe or what has no end leaves the older export to be used."""
    (export,) = exports(maria)
    for lay, why in FOREIGN.items():
        foreign = export.with_name(name)
        lay(foreign)
        for command in ("rollback", "export"):
            ran = maria.run(command, dry_run=True)
            assert ran.status == 0, (lay, ran.why)
            assert [said for said in told(ran.document) if f"{foreign}: {why}" in said], lay
        assert str(export) in maria.run("export", dry_run=True).said
        status = [f for f in maria.run("status").document["findings"] if f["what"] == "export"]
        assert [f["level"] for f in status] == ["ok", "warning"], lay
        assert f"{foreign}: {why}" in status[1]["detail"], lay
        foreign.rename(export.parents[4] / f"away{lay.__name__}")
    assert maria.run("rollback").status == 0


@pytest.mark.parametrize("name", ["audit.tsv.gz", "load.sql"])
def test_a_file_without_end_makes_it_no_export(maria: Bench, name: str) -> None:
    """Rows or a script that are a pipe, a device or grew are not read on, and are named."""
    export = exports(maria)[-1]
    content = (export / name).read_bytes()
    (export / name).unlink()
    for lay in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        lay(export / name)
        ran = maria.run("rollback", dry_run=True)
        assert ran.status == 3
        assert f"its {name} is no plain file" in ran.said
        (export / name).unlink()
    with (export / name).open("wb") as file:
        file.write(content)
        file.truncate(1 << 40)
    assert f"its {name} was changed after it was written" in maria.run("rollback").said
    assert maria.run("export", fetch=True).outcomes == ["changed", "changed"]
    assert maria.run("rollback").status == 0


def test_many_of_the_future_hide_none_of_the_present(maria: Bench) -> None:
    """However many exports a clock that was ahead has left, those of the present are found."""
    (export,) = exports(maria)
    text = (export / "manifest.json").read_text()
    for second in range(20):
        other = export.with_name(f"20301231T0000{second:02}Z")
        other.mkdir()
        (other / "manifest.json").write_text(text.replace('"rows": 166', '"rows": 165'))
    ran = maria.run("rollback", dry_run=True)
    assert ran.status == 0, ran.why
    assert f"exported to db1:{export}" in ran.said


def test_what_somebody_else_left_is_not_removed(maria: Bench) -> None:
    """A folder of another name that ends in .part stays; one that holds folders is in no way."""
    above = exports(maria)[-1].parent
    (above / "mine.part").mkdir()
    (above / "20200101T000000Z.part" / "deep" / "er").mkdir(parents=True)
    assert maria.run("export", fresh=True).outcomes == ["changed"]
    assert (above / "mine.part").is_dir()
