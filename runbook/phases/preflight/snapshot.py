"""The inventory's snapshot command: whether it could begin; it is not tried.

What sudo allows is listed by `sudo -n -l`. That lists a command for which it wants
a password too, where the account has another one without (sudo's listpw).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.hosts.shell import quote
from runbook.phases.preflight import health
from runbook.plan.plan import Finding, Level

MADE = re.compile(r"[$`*?\[{~]")
"""What a shell makes other words of: what comes out cannot be known without running it."""
SCRIPT = r"""
begins() {
  status=0 said='' path=
  kind=$(bash -c 'type -t -- "$1"' bash "$1") || kind=
  if [ -n "$kind" ] && [ $# -gt 2 ]; then
    path=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v -- "$2") || path=$2
    said=$(timeout -k 1 %d "$1" -n -l "${@:3}" </dev/null 2>&1) || status=$?
    said=$(printf '%%s\n' "$said" | tr -d '\000-\011\013-\037' | grep '[^ ]' | tail -n 1) || said=
  fi
  printf 'snapshot\t%%s\t%%s\t%%s\t%%s\t%%.300s\n' "$kind" "$status" "$(id -un)" "$path" "$said"
}
begins %s &
"""


@dataclass(frozen=True)
class Opening:
    """What a command begins with, empty where only a shell can tell.

    `asked` are the words that sudo is asked about, where it is that, and
    `program` is the one among them that it would run as `user`.
    """

    word: str = ""
    asked: tuple[str, ...] = ()
    program: str = ""
    user: str = "root"


@dataclass(frozen=True)
class Probe:
    """What the host told: what kind of word it is there, and how sudo's answer ended."""

    kind: str
    status: int
    user: str
    path: str
    said: str


def opening(command: str) -> Opening:
    """Read what a command begins with, up to the first pipe, redirection or other operator."""
    plain = re.sub(r"(?<=\s)\d+(?=[<>])", "", command)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        for word in lexer:
            if not word or set(word) <= set("();<>|&"):
                break
            if words or not re.match(r"\w+=", word):
                words.append(word)
    except ValueError:  # a quotation that does not end
        return Opening()
    if not words or MADE.search(words[0]):
        return Opening()
    return _of_sudo(words) if words[0].rpartition("/")[2] == "sudo" else Opening(words[0])


def _of_sudo(words: list[str]) -> Opening:
    """Read a call of sudo; nothing is asked where its other options decide."""
    asked = words[2:] if words[1:2] in (["-n"], ["--non-interactive"]) else words[1:]
    chosen = asked[:2] if asked[:1] == ["-u"] else []
    rest = asked[len(chosen) :]
    if not rest or rest[0].startswith("-") or any(map(MADE.search, asked)):
        return Opening(words[0])
    return Opening(words[0], tuple(asked), rest[0], chosen[1] if chosen else "root")


def script(environment: Environment) -> str:
    """Return the bash that looks for the command's beginning; it lists what sudo allows."""
    begin = opening(environment.backup.snapshot or "")
    if not begin.word:
        return ""
    words = (begin.word, begin.program, *begin.asked) if begin.asked else (begin.word,)
    return SCRIPT.strip() % (health.limit(environment), " ".join(map(quote, words))) + "\n"


def parse(fields: tuple[str, ...]) -> Probe:
    """Read the line that the script printed."""
    kind, status, user, path, said = fields
    return Probe(kind, int(status), user, path, said.strip())


def findings(environment: Environment, probe: Probe | None) -> tuple[Finding, ...]:
    """Say whether the snapshot could be taken, as far as that can be seen without taking it."""
    if not environment.backup.snapshot:
        return ()
    level, detail, advice = _judged(environment, opening(environment.backup.snapshot), probe)
    return (Finding("snapshot command", environment.backup.host, level, detail, advice),)


def _judged(
    environment: Environment, begin: Opening, probe: Probe | None
) -> tuple[Level, str, str]:
    if probe is None or not begin.word:
        return Level.OK, "what it begins with only a shell can tell; it is not tried", ""
    if not probe.kind:
        return (
            Level.REFUSED,
            f"{begin.word} is not on PATH",
            "Install it there, or give its whole path in backup.snapshot of the inventory.",
        )
    if not begin.asked:
        return Level.OK, f"{begin.word} is there; it is not tried", ""
    if probe.status == 0:
        return Level.OK, f"sudo allows {begin.program}; it is not tried", ""
    why = (
        f"no answer within {health.limit(environment)} s"
        if probe.status == health.TIMED_OUT
        else probe.said or "it is not among what that account may run"
    )
    return (
        Level.REFUSED,
        f"sudo would not run {begin.program}: {why}",
        f"On that host, by visudo: {_rule(begin, probe)}",
    )


def _rule(begin: Opening, probe: Probe) -> str:
    """Return the line of sudoers that allows exactly this command."""
    at = begin.asked.index(begin.program) + 1
    words = (re.sub(r"([,:=\\ ])", r"\\\1", word) for word in (probe.path, *begin.asked[at:]))
    return f"{probe.user} ALL = ({begin.user}) NOPASSWD: {' '.join(words)}"
