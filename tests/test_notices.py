"""Notices: who is told of what, and that no run waits for one, fails of one, or tells its URL."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runbook.command import notify
from runbook.environment import Environment, Occasion, Recipient, Secret
from runbook.errors import Outcome, Refusal, UsageError
from runbook.events import Alert, Event, Notified, RunFinished, RunStarted
from runbook.inventory import load
from runbook.plan.plan import Plan
from runbook.report import command as report
from runbook.telling import notices
from runbook.telling.notices import Notices
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.inventories import GOOD, mistakes_in, write
from tests.journals import PLAN, START
from tests.searching import searching
from tests.support import DOCUMENT, bench
from tests.watching import AUDIT, folder_of, insert, watched

TOKEN = "t0k3n-of-the-chat"


class Chat:
    """A service that takes notices over HTTP, as apprise's json:// sends them."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200 if self.path.startswith(f"/{TOKEN}") else 403)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/{TOKEN}"

    @property
    def said(self) -> list[tuple[str, str]]:
        """The title and kind of every notice, sorted: nothing promises their order."""
        return sorted((str(each["title"]), str(each["type"])) for each in self.heard)


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Return a chat that listens on loopback."""
    chat = Chat()
    thread = threading.Thread(target=chat.server.serve_forever)
    thread.start()
    yield chat
    chat.server.shutdown()
    chat.server.server_close()
    thread.join()


@pytest.fixture
def deaf() -> Iterator[str]:
    """Return the URL of a service that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}/{TOKEN}?rto=60&cto=60"


def recipient(folder: Path, name: str, url: str, *on: Occasion) -> Recipient:
    """Return a recipient whose URL is in a file."""
    file = folder / f"{name}.url"
    file.touch(mode=0o600)
    file.write_text(url + "\n")
    return Recipient(name, Secret(file=file, what="URL"), on or tuple(Occasion))


def told(recipients: tuple[Recipient, ...], *events: Event) -> list[Notified]:
    """Tell recipients of events; return how that went."""
    went: list[Notified] = []
    sender = Notices(telling(*recipients), went.append)
    for event in events:
        sender(event)
    sender.close()
    return went


def telling(*recipients: Recipient) -> Environment:
    """Return an environment that tells these recipients."""
    with tempfile.TemporaryDirectory() as folder:
        environment = load(write(Path(folder), GOOD)).environment("staging")
    return replace(environment, notify=recipients)


BEGUN = RunStarted("run", PLAN, PLAN.digest, "ada", "ops1", START)
WELL = RunFinished("run", Outcome.CHANGED, 75.0)
BADLY = RunFinished("run", Outcome.FAILED, 75.0, "no room", "Make room.")
SPIKE = Alert(START, "app1", "spike of errors", "40 a minute")


def test_each_recipient_is_told_of_what_it_asked_for(tmp_path: Path, chat: Chat) -> None:
    """Start, end, failure and alert go to those who want them, once each."""
    everything = recipient(tmp_path, "all", chat.url)
    failures = recipient(tmp_path, "failures", chat.url + "?-x=f", Occasion.FAILURE)
    assert set(told((everything, failures), BEGUN, SPIKE, WELL)) == {
        Notified("all", about) for about in ("start", "alert", "end")
    }
    assert chat.said == [
        ("staging: migrate has begun", "info"),
        ("staging: migrate has ended well", "success"),
        ("staging: spike of errors at app1", "warning"),
    ]
    chat.heard.clear()
    assert set(told((everything, failures), BEGUN, BADLY)) == {
        *(Notified("all", about) for about in ("start", "end")),
        Notified("failures", "failure"),
    }
    ends = [each for each in chat.heard if each["type"] == "failure"]
    assert [each["title"] for each in ends] == ["staging: migrate has ended: failed"] * 2
    assert ends[0]["message"] == "after 75 s, run run\nno room\nMake room."


def test_a_run_that_changes_nothing_is_told_only_for_its_alerts(tmp_path: Path, chat: Chat) -> None:
    """A verify or a monitor tells neither start nor end; an alert and its end are told."""
    watching = RunStarted("run", Plan("staging", "monitor", "", ()), "d", "ada", "ops1", START)
    over = Alert(START, "app1", "spike of errors", "few again", over=True)
    told((recipient(tmp_path, "all", chat.url),), watching, SPIKE, over, BADLY)
    assert chat.said == [
        ("staging: over: spike of errors at app1", "success"),
        ("staging: spike of errors at app1", "warning"),
    ]


def test_what_fails_is_said_without_any_piece_of_the_url(tmp_path: Path) -> None:
    """A closed port, an unknown service and a missing URL each have a reason, never a token."""
    closed = f"json://hugo:{TOKEN}@127.0.0.1:9/{TOKEN}/%41{TOKEN}?-q={TOKEN}"
    went = told(
        (
            recipient(tmp_path, "closed", closed),
            recipient(tmp_path, "unknown", f"nothing://{TOKEN}"),
            Recipient("missing", Secret(env="NO_SUCH_URL", what="URL"), tuple(Occasion)),
        ),
        BEGUN,
    )
    assert {each.recipient: each.failure for each in went} == {
        "closed": "A Connection error occurred sending JSON notification to •••.",
        "unknown": "apprise does not understand its URL",
        "missing": "the environment variable NO_SUCH_URL is not set",
    }


def test_one_that_hangs_is_given_up_and_holds_up_no_other(
    tmp_path: Path, chat: Chat, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end waits so long at most; the others have been told, and nothing is left behind."""
    monkeypatch.setattr(notices, "GRACE", 5.0)
    hangs, takes = recipient(tmp_path, "hangs", deaf), recipient(tmp_path, "takes", chat.url)
    began = time.monotonic()
    went: list[Notified] = []
    sender = Notices(telling(hangs, takes), went.append)
    sender(BEGUN)
    assert time.monotonic() - began < 1.0
    under_way = list(sender._under_way)
    sender.close()
    assert 5.0 <= time.monotonic() - began < 8.0
    assert went == [Notified("takes", "start"), Notified("hangs", "start", "no answer within 5 s")]
    assert all(each._process.poll() is not None for each in under_way)


def test_a_refusal_is_told_and_a_mistyped_command_is_not(tmp_path: Path, chat: Chat) -> None:
    """A run that could not begin is a failure for those who are not there to see it."""
    place = recipient(tmp_path, "failures", chat.url, Occasion.FAILURE)
    sender = Notices(telling(place), lambda _: None)
    sender.refused("run", Refusal("a lock is held", advice="Wait."))
    sender.refused("run", UsageError("--env is missing"))
    sender.close()
    (heard,) = chat.heard
    assert heard["title"] == "staging: run did not begin: refused"
    assert heard["message"] == "a lock is held\nWait."


def test_a_plan_that_changes_something_says_who_will_be_told(tmp_path: Path, chat: Chat) -> None:
    """A note names each recipient and occasion, no URL; it is no part of what is approved."""
    both = (
        recipient(tmp_path, "on-call", chat.url, Occasion.FAILURE, Occasion.ALERT),
        recipient(tmp_path, "release-chat", chat.url),
    )
    (note,) = notices.notes(telling(*both), PLAN)
    assert note == "tells on-call of failure, alert; release-chat of start, end, failure, alert"
    assert replace(PLAN, notes=(note,)).digest == PLAN.digest
    assert notices.notes(telling(*both), replace(PLAN, steps=())) == ()
    assert notices.notes(telling(), PLAN) == ()


def test_without_recipients_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is to be told, nothing is begun."""
    monkeypatch.setattr(subprocess, "Popen", None)
    assert told((), BEGUN, SPIKE, BADLY) == []


def test_a_run_tells_and_its_url_is_nowhere(mariadb: Sandbox, tmp_path: Path, chat: Chat) -> None:
    """A real migration is told at both ends; document, journal and report never hold the URL."""
    works = recipient(tmp_path, "works", chat.url)
    fails = recipient(tmp_path, "fails", f"json://127.0.0.1:9/{TOKEN}")
    place = bench(
        mariadb,
        tmp_path,
        notify={
            each.name: {"url": {"file": str(each.url.file)}, "events": ["start", "failure", "end"]}
            for each in (works, fails)
        },
    )
    preview = place.run("migrate", dry_run=True)
    (note,) = (each for each in preview.document["notes"] if each.startswith("tells"))
    assert note == "tells fails of start, failure, end; works of start, failure, end"
    assert TOKEN not in preview.said
    ran = place.run("migrate", plan=preview.document["plan"])
    assert ran.status == 0
    went = {(n["recipient"], n["about"]): n["failure"] for n in ran.document["notices"]}
    assert went.keys() == {(r, a) for r in ("works", "fails") for a in ("start", "end")}
    assert went["works", "start"] == went["works", "end"] == ""
    assert "A Connection error" in went["fails", "start"]
    assert [title for title, _ in chat.said] == [
        "test: migrate has begun",
        "test: migrate has ended well",
    ]
    assert place.run("migrate", plan="0" * 12).document["outcome"] == "refused"
    assert ("test: migrate did not begin: refused", "failure") in chat.said
    report.main("test", tmp_path, run=ran.document["run"], output=str(tmp_path / "page.html"))
    texts = [p.read_text() for p in tmp_path.rglob("*") if p.suffix in {".html", ".jsonl"}]
    assert len(texts) >= 2
    assert all(TOKEN not in text for text in (ran.said, *texts))
    assert "fails was not told of the start" in (tmp_path / "page.html").read_text()


@pytest.mark.wide
def test_what_the_watch_finds_is_told_once(mariadb: Sandbox, tmp_path: Path, chat: Chat) -> None:
    """Findings, an overdue scan and one that fails are alerts for document, chat and report."""
    on_call = recipient(tmp_path, "on-call", chat.url)
    notify = {"on-call": {"url": {"file": str(on_call.url.file)}, "events": ["failure", "alert"]}}
    place = watched(mariadb, tmp_path, notify=notify)
    insert(mariadb, *range(1, 20))

    def alerts(*about: str, status: int = 1, **options: Any) -> list[str]:
        """Run the watch, of which on-call is told `about`; return its alerts, each with advice."""
        chat.heard.clear()
        ran = place.run("watch", **options)
        assert ran.status == status, ran.why
        told = sorted((n["recipient"], n["about"], n["failure"]) for n in ran.document["notices"])
        assert told == [("on-call", each, "") for each in about]
        rows = ran.document["alerts"]
        assert all(row["where"] == "app2" and row["advice"] for row in rows)
        return [f"{row['what']}: {row['detail']}" for row in rows]

    assert alerts(once=True, status=0) == []
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'x' WHERE id = 3")
    found = "the watch alerts: alert: 1 findings: 1 changed"
    assert alerts("alert", once=True) == [found]
    (heard,) = chat.heard
    assert (heard["title"], heard["type"]) == ("test: the watch alerts at app2", "warning")
    assert heard["message"].startswith("alert: 1 findings: 1 changed\ninvoke watch --env=test")
    (said,) = alerts("alert")
    assert said == "the watch alerts: 0 min ago, alert: 1 findings: 1 changed"
    mariadb.query(f"UPDATE {AUDIT} SET reason = 'y' WHERE id = 3")
    (said,) = alerts("alert", "failure", accept=True)
    assert "nothing was accepted" in said
    assert chat.said == [
        ("test: the watch alerts at app2", "warning"),
        ("test: watch has ended: failed", "failure"),
    ]
    assert alerts("alert", once=True) == [found]

    ran = folder_of(place) / "ran"
    ran.write_text(f"{int(ran.read_text()) - 1861}\n")
    (said,) = alerts("alert")
    assert "one is due every 15 min" in said
    mariadb.kill_database()
    try:
        (said,) = alerts("alert", once=True)
        with place.start("watch", "--env=test", "--once") as typed:
            out, _ = typed.communicate(timeout=60)
    finally:
        mariadb.restart_database()
    assert said.startswith("the watch cannot tell: failed: the database could not be asked")
    lines = [line for line in out.splitlines() if line.startswith(("alert", "failed   watch"))]
    assert ["could not be asked" in line for line in lines] == [True, False]
    assert typed.returncode == 1
    report.main("test", tmp_path, output=str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "app2: the watch cannot tell: failed" in page


@pytest.mark.wide
def test_nobody_is_kept_out_while_a_notice_is_waited_for(
    mariadb: Sandbox, tmp_path: Path, deaf: str
) -> None:
    """Once a run is over its lock is free, though the process still waits for its notices."""
    told = recipient(tmp_path, "hangs", deaf)
    place = bench(mariadb, tmp_path, notify={told.name: {"url": {"file": str(told.url.file)}}})

    def journalled(event: str) -> bool:
        texts = (path.read_text() for path in tmp_path.rglob("journal/*.jsonl"))
        return any(f'"event": "{event}"' in text for text in texts)

    def free() -> bool:
        return mariadb.query("SELECT IS_FREE_LOCK('runbook:vaulteer')") == [(1,)]

    with place.start("backup", "--env=test") as process:
        assert wait_until(lambda: journalled("RunFinished"), 30)
        assert wait_until(free, notices.GRACE / 2)
        assert process.poll() is None
        assert not journalled("Notified")
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert journalled("Notified")


@pytest.mark.wide
def test_a_window_tells_and_waits_for_nobody_and_no_process_shows_a_secret(
    mariadb: Sandbox, tmp_path: Path, chat: Chat, deaf: str
) -> None:
    """With one who hangs and one who hears a window ends well; no argument holds a secret."""
    told = (recipient(tmp_path, "hangs", deaf), recipient(tmp_path, "hears", chat.url))
    place = bench(
        mariadb,
        tmp_path,
        notify={each.name: {"url": {"file": str(each.url.file)}} for each in told},
    )
    began = time.monotonic()
    with searching(TOKEN, mariadb.password("migrator"), mariadb.password("app")):
        with place.start("run", "--env=test", "--json") as process:
            out, _ = process.communicate(timeout=60)
        with place.start("notify", "--env=test") as trial:
            said, _ = trial.communicate(timeout=60)
    document = json.loads(out)
    assert (process.returncode, document["outcome"]) == (0, "changed"), out
    assert time.monotonic() - began < document["seconds"] + 2 * notices.GRACE + 10
    went = {(n["recipient"], n["about"]): n["failure"] for n in document["notices"]}
    assert went.keys() == {(r, a) for r in ("hangs", "hears") for a in ("start", "end")}
    assert all(bool(went[each]) == (each[0] == "hangs") for each in went)
    assert "no answer within" in went["hangs", "end"]
    assert trial.returncode == 1
    assert all(TOKEN not in text for text in (out, said))


def test_a_trial_says_who_can_be_told(
    tmp_path: Path, chat: Chat, capsys: pytest.CaptureFixture[str]
) -> None:
    """`invoke notify` sends to everybody; its exit status says whether all were told."""
    works = recipient(tmp_path, "works", chat.url, Occasion.ALERT)
    fails = recipient(tmp_path, "fails", chat.url.replace(TOKEN, "other"))
    section = "".join(
        f"      {each.name}: {{url: {{file: {each.url.file}}}}}\n" for each in (works, fails)
    )
    write(tmp_path, f"{GOOD}    notify:\n{section}")
    assert notify.main("staging", tmp_path, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    DOCUMENT.validate(document)
    went = {each["recipient"]: each["failure"] for each in document["notices"]}
    assert went["works"] == ""
    assert "Forbidden" in went["fails"] or "403" in went["fails"]
    assert "other" not in went["fails"]
    assert chat.said == [("staging: a trial", "info")] * 2
    write(tmp_path, GOOD)
    assert notify.main("staging", tmp_path) == 2
    assert "names nobody to notify" in capsys.readouterr().out


def test_a_url_in_the_inventory_is_refused_and_not_repeated() -> None:
    """A literal URL is a mistake; what was written is not in the message."""
    text = f"{GOOD}    notify:\n      chat: {{url: 'slack://{TOKEN}', events: [end, never]}}\n"
    said = " ".join(str(mistake) for mistake in mistakes_in(text))
    assert "a literal URL is refused; write where the URL comes from" in said
    assert "expected one of start, end, failure, alert" in said
    assert TOKEN not in said
