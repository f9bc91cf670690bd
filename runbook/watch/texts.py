"""The texts that install, run and remove a watch; its host needs nothing else of ours."""

from __future__ import annotations

import hashlib

from runbook.application import Watch
from runbook.environment import Environment
from runbook.hosts import jobs
from runbook.hosts.shell import quote, script
from runbook.watch.host import Facts, mark
from runbook.watch.questions import Questions
from runbook.watch.timetable import calendar, cron

WIDTH = 2048
"""Rows a range: few enough that one is summed up in milliseconds, and narrowed as fast."""
PARTS = ("scan", "scan_table", "scan_main")
NAME = "watch.sh"


def body(
    environment: Environment,
    watch: Watch,
    facts: Facts,
    questions: Questions,
    *,
    mode: str = "scan",
    wanted: str = "",
) -> str:
    """Return the script that scans; by itself it does what its timetable wants."""
    values: dict[str, jobs.Words] = {
        "label": environment.name,
        "folder": facts.folder,
        "credentials": facts.credentials,
        "client": facts.client,
        "database": environment.database.name,
        "every": round(watch.every),
        "settle": round(watch.settle),
        "limit": round(environment.timeouts.statement),
        "width": WIDTH,
        "alert": watch.alert or "",
        "heartbeat": watch.heartbeat or "",
        "names": tuple(table.name for table in questions.tables),
        "spans": tuple(";\n".join(table.span) for table in questions.tables),
        "selects": tuple(table.select for table in questions.tables),
        "times": tuple("row_at" if table.dated else "NULL" for table in questions.tables),
        "checks": questions.checks,
        "mode": mode,
        "wanted": wanted,
    }
    return jobs.text(values, *PARTS) + "\n"


def run(
    environment: Environment,
    watch: Watch,
    facts: Facts,
    questions: Questions,
    *,
    mode: str,
    wanted: str = "",
) -> str:
    """Return the command that scans now: by what is installed, where that is ours, else sent."""
    if facts.script == digest(body(environment, watch, facts, questions)):
        words = ("bash", f"{facts.folder}/{NAME}", mode, wanted)
        return " ".join(quote(word) for word in words if word)
    return script(body(environment, watch, facts, questions, mode=mode, wanted=wanted))


def report(watch: Watch, facts: Facts) -> str:
    """Return the command that says how the last scan ended, and whether one is overdue."""
    values: dict[str, jobs.Words] = {"folder": facts.folder, "every": round(watch.every)}
    return script(jobs.text(values, "scan_report"))


def standing(environment: Environment, watch: Watch) -> str:
    """Return the command that says whether the watch is in place: good, in time, and run there.

    It needs no look, so that the host may be away while it is planned.
    """
    values: dict[str, jobs.Words] = {
        "folder": watch.folder,
        "every": round(watch.every),
        "mark": mark(environment),
        "scheduler": watch.scheduler,
    }
    return script(jobs.text(values, "scan_standing"))


def put(facts: Facts, text: str) -> str:
    """Return the command that writes the script into its folder."""
    return script(
        f"umask 077\nfolder={quote(facts.folder)}\n"
        '[ -d "$folder" ] || mkdir -p "$folder"\n'
        'case $(stat -L -c %a "$folder") in *00) ;; *)\n'
        '  echo "$folder is open to others: chmod 700 it, or name another" >&2; exit 1 ;;\nesac\n'
        f"cat >\"$folder/{NAME}.new\" <<'WATCH'\n{text}WATCH\n"
        f'mv -f "$folder/{NAME}.new" "$folder/{NAME}"\necho "$folder/{NAME}"'
    )


def take_away(facts: Facts) -> str:
    """Return the command that removes the script, its baseline and all that scans left."""
    return script(
        f"folder={quote(facts.folder)}\n"
        f'cd "$folder"\nrm -rf {NAME} baseline ran last.json findings.tsv alerted lock .scan.*\n'
        'cd /\nrmdir "$folder" && echo "$folder is gone"'
    )


def cron_line(environment: Environment, watch: Watch, facts: Facts) -> str:
    """Return our line of the crontab: its end names it. cron takes a plain % for a line break."""
    command = f"bash {quote(f'{facts.folder}/{NAME}')} scan >/dev/null 2>&1"
    return f"{cron(watch.every)} {command}".replace("%", "\\%") + f" # {mark(environment)}"


def crontab(environment: Environment, line: str = "") -> str:
    """Return the command that puts our line into the crontab, or takes it out; others stay."""
    return script(
        "export LC_ALL=C\n"
        f"mark={quote(f' # {mark(environment)}')} line={quote(line)}\n"
        "if ! table=$(crontab -l 2>&1); then\n"
        '  case $table in *"no crontab for"*) table= ;; *) echo "$table" >&2; exit 1 ;; esac\n'
        "fi\n"
        '{ [ -z "$table" ] || printf \'%s\\n\' "$table" | MARK=$mark awk \'\n'
        '    substr($0, length($0) - length(ENVIRON["MARK"]) + 1) != ENVIRON["MARK"]\'\n'
        '  [ -z "$line" ] || printf \'%s\\n\' "$line"; } | crontab -\n'
        'echo "${line:-the line is gone}"'
    )


def units(environment: Environment, watch: Watch, facts: Facts) -> tuple[str, str]:
    """Return the texts of systemd's service and timer."""
    service = (
        "[Unit]\n"
        f"Description=Watch of {environment.name}: rows that were changed, deleted or slipped in\n"
        "\n[Service]\nType=oneshot\n"
        f"ExecStart=/bin/bash {_unit_word(f'{facts.folder}/{NAME}')} scan\n"
        f"TimeoutStartSec={round(environment.timeouts.job)}\nUMask=0077\nNice=10\n"
    )
    timer = (
        f"[Unit]\nDescription=Timetable of the watch of {environment.name}\n"
        f"\n[Timer]\nOnCalendar={calendar(watch.every)}\nPersistent=true\nAccuracySec=1s\n"
        "\n[Install]\nWantedBy=timers.target\n"
    )
    return service, timer


def systemd(environment: Environment, watch: Watch, facts: Facts) -> str:
    """Return the command that writes the units and starts the timer."""
    service, timer = units(environment, watch, facts)
    folder, ctl = _systemd(facts)
    name = mark(environment)
    return script(
        f'{_runtime(facts)}units={quote(folder)}\nmkdir -p "$units"\n'
        f"cat >\"$units/{name}.service\" <<'UNIT'\n{service}UNIT\n"
        f"cat >\"$units/{name}.timer\" <<'UNIT'\n{timer}UNIT\n"
        f"{ctl} daemon-reload\n{ctl} enable --now {name}.timer\n"
        f"{ctl} is-active {name}.timer"
    )


def without_systemd(environment: Environment, facts: Facts) -> str:
    """Return the command that stops the timer and removes the units."""
    folder, ctl = _systemd(facts)
    name = mark(environment)
    return script(
        f"{_runtime(facts)}{ctl} disable --now {name}.timer\n"
        f"rm -f {quote(f'{folder}/{name}.service')} {quote(f'{folder}/{name}.timer')}\n"
        f"{ctl} daemon-reload\necho 'the timer is gone'"
    )


def digest(text: str) -> str:
    """Return the SHA-256 of a text, as the look tells it of what is installed."""
    return hashlib.sha256(text.encode()).hexdigest()


def _systemd(facts: Facts) -> tuple[str, str]:
    """Return the folder of units, and systemctl: the system's for root, else the user's."""
    if facts.uid == 0:
        return "/etc/systemd/system", "systemctl"
    return f"{facts.home}/.config/systemd/user", "systemctl --user"


def _runtime(facts: Facts) -> str:
    if facts.uid == 0:
        return ""
    return 'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"\n'


def _unit_word(word: str) -> str:
    """Quote a word for a unit's ExecStart."""
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(plain, written)
    return f'"{word}"'
