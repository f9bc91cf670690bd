"""Backups that are there: which are kept, and how one is fetched."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.errors import Interrupted, Lost, Outcome, StepFailed
from runbook.hosts import backups
from runbook.options import Options
from runbook.phases import backup
from runbook.plan.steps import Command, Fetch
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import (
    Background,
    Dump,
    Place,
    mode,
    place,
    the_job,
)


@pytest.fixture
def maria(mariadb: Sandbox, tmp_path: Path) -> Iterator[Place]:
    """Return a place on MariaDB."""
    with place(mariadb, tmp_path) as opened:
        yield opened


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


def test_what_is_no_plain_file_is_told_and_never_opened(maria: Place) -> None:
    """A pipe or a link without end, named like a dump, or half a manifest hides no good dump."""
    (dump,) = make_backups(maria, 1)
    names = [f"vaulteer-2999123{n}T000000Z.sql.zst" for n in range(4)]
    pipe, endless, led, unled = (maria.folder / name for name in names)
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    half = maria.folder / "vaulteer-20190101T000000Z.sql.zst"
    half.with_name(half.name + backups.ENDING).write_text('{\n  "runbook"')
    for path in (led, unled, half):
        path.write_text("")
    os.mkfifo(led.with_name(led.name + backups.ENDING))
    unled.with_name(unled.name + backups.ENDING).symlink_to("/dev/zero")
    plan = backup.prepare(maria.site, Options(fetch=True))
    told = [row.detail for row in plan.findings if row.what == "backup"]
    assert told[0].startswith(dump.name)
    assert set(told[1:]) == {
        f"{pipe.name}: it is no plain file that can be read",
        f"{endless.name}: it is no plain file that can be read",
        f"{led.name}: its manifest is no plain file that can be read",
        f"{unled.name}: its manifest is no plain file that can be read",
        f"{half.name}: its manifest is incomplete",
    }
    verified, fetched = maria.perform(*plan.steps)
    assert dump.name in verified.detail
    assert f"{dump.name}, " in fetched.detail
    assert maria.perform(retention(maria))[0].detail == "kept 1 of 1 verified"


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
