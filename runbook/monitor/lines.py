"""What one line of a log says: how grave it is, when it was written, and its message.

JSON objects and plain lines may be mixed, and a time or a name may stand before
an object, as containers' logs have it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from runbook.monitor import times
from runbook.visible import COLOUR


class Severity(IntEnum):
    """How grave a line is; what is worse than an error counts as one."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Line:
    """One line: `time` is None where it has none, `message` empty where it counts for nothing."""

    severity: Severity
    time: float | None
    message: str


NEEDLES = (
    *(b"err", b"fatal", b"crit", b"warn", b"emerg", b"alert", b"panic", b"severe", b"exception"),
    b'" 5',
)
NUMBERS = (re.compile(rb'level\\?": ?"?[4-9]\d'), re.compile(rb'priority\\?": ?"?[0-4]\b'))
"""A line with none of these, in lower case, is no warning: most lines need no more than that."""

_WORDS = {
    **dict.fromkeys(("emergency", "emerg", "alert", "critical", "crit", "fatal"), Severity.ERROR),
    **dict.fromkeys(("panic", "dpanic", "severe", "error", "err"), Severity.ERROR),
    **dict.fromkeys(("warning", "warn"), Severity.WARNING),
    **dict.fromkeys(("notice", "info", "information", "log"), Severity.INFO),
    **dict.fromkeys(("verbose", "debug", "trace", "silly"), Severity.INFO),
}
_NAMES = "|".join(sorted(_WORDS, key=len, reverse=True))
_PLAIN = re.compile(
    # The first of these decides: INFO before "0 errors" is information.
    r"(?i:\b(?:level|lvl|severity|loglevel)\"?[=:] ?\"?(?P<key>\w+))"
    rf"|[\[<(](?:\w+:)?(?i:(?P<bracket>{_NAMES}))[\]>):]"
    rf"|\b(?P<upper>{_NAMES.upper()}|ERR)\b(?!=)"
    rf"|(?:^|[\s\]|])(?P<lower>{_NAMES}):(?=\s)"
    r"|(?:^|\s)(?P<thrown>(?:[A-Za-z_$][\w.$]*)?(?:Error|Exception)\b(?=[:\s(]|$)"
    r"|UnhandledPromiseRejection\w*|panic:)"
    r"|\"(?P<request>[A-Z]+ [^\s\"]+)[^\"]*\" (?P<status>\d{3}) (?:\d|-)"
)
_HEAD = 400
"""So much of a plain line is looked at."""
_OBJECT = re.compile(r"[^{]{0,120}?(?=\{)")
_LEVEL = ("level", "severity", "lvl", "levelname", "loglevel", "log.level", "@l", "PRIORITY")
_TIME = (
    *("time", "timestamp", "@timestamp", "ts", "__REALTIME_TIMESTAMP"),
    *("t", "@t", "date", "datetime", "asctime"),
)
_EVENT = ("op", "event")
_MESSAGE = ("msg", "message", "MESSAGE", "@m", "@mt", "short_message")
_THROWN = ("err", "error", "exception")
_LOGFMT = re.compile(r"\b(?:msg|message|err|error)=(?:\"((?:[^\"\\]|\\.)*)\"|(\S+))")
_CONTINUED = re.compile(r"\s|at |Caused by|\.\.\. |[)}\]^]|Traceback \(most recent|-{3}|={3}|$")
_SYSLOG_ERROR, _SYSLOG_WARNING, _SYSLOG_LAST = 3, 4, 7
_PINO_WARNING, _PINO_ERROR = 40, 50


def read(line: str, otherwise: Severity, zone: float, now: float) -> Line:
    """Read one line; `otherwise` is how grave one is that does not say it.

    `zone` and `now` are for times that lack a zone or a year. Whatever the
    line holds, this returns.
    """
    if "\x1b" in line:
        line = COLOUR.sub("", line)
    start = _OBJECT.match(line)
    if start and line.rstrip()[-1:] == "}":
        try:
            said = json.loads(line[start.end() :])
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict):
            return _object(said, line[: start.end()], otherwise, zone, now)
    time = times.at_head(line, zone, now)
    if time is None and _CONTINUED.match(line):
        return Line(Severity.INFO, None, "")
    severity, message = _plain(line[:_HEAD], otherwise)
    return Line(severity, time, message if severity else "")


def _plain(head: str, otherwise: Severity) -> tuple[Severity, str]:
    """Return how grave a plain line is, and its message."""
    match = _PLAIN.search(head)
    if match is None:
        return otherwise, head
    word = match[match.lastgroup or 0]
    if match.lastgroup == "thrown":
        return Severity.ERROR, head[match.start("thrown") :]
    if match.lastgroup == "status":
        severity = Severity.ERROR if word[0] == "5" else Severity.INFO
        return severity, f"server error: {match['request']}"
    severity = _WORDS.get(word.lower(), otherwise)
    if match.lastgroup == "key" and (said := _LOGFMT.findall(head)):
        return severity, " ".join(quoted or bare for quoted, bare in said)
    return severity, head[match.end() :]


def _object(
    said: Mapping[str, object], before: str, otherwise: Severity, zone: float, now: float
) -> Line:
    severity = _severity(_first(said, _LEVEL))
    within = _wrapped(said)
    if within is not None:
        inner = read(within, otherwise if severity is None else severity, zone, now)
        outer = times.of_value(_first(said, _TIME), zone, now)
        return Line(inner.severity, inner.time if outer is None else outer, inner.message)
    if severity is None:
        thrown = any(said.get(key) for key in _THROWN)
        severity = Severity.ERROR if thrown else otherwise
    known = times.of_value(_first(said, _TIME), zone, now)
    if known is None and before:
        known = times.at_head(before, zone, now)
    return Line(severity, known, _message(said) if severity else "")


def _first(said: Mapping[str, object], keys: tuple[str, ...]) -> object:
    for key in keys:
        if (value := said.get(key)) is not None:
            return value
    nested = said.get("log")
    if keys is _LEVEL and isinstance(nested, dict):
        return nested.get("level")
    return None


def _wrapped(said: Mapping[str, object]) -> str | None:
    """Return the line that an object of the journal, or of a container's log file, holds."""
    if "__REALTIME_TIMESTAMP" in said:
        message = said.get("MESSAGE")
        if isinstance(message, list):  # bytes that are no text
            return bytes(n & 255 for n in message if isinstance(n, int)).decode(errors="replace")
        return message if isinstance(message, str) else ""
    line = said.get("log")
    return line.rstrip("\n") if isinstance(line, str) and "stream" in said else None


def _severity(level: object) -> Severity | None:
    """Return how grave a level is: a word, pino's numbers (from 10) or syslog's (0 to 7)."""
    if isinstance(level, str):
        if not level.isdecimal():
            return _WORDS.get(level.strip().lower())
        level = int(level[:9])
    if isinstance(level, bool) or not isinstance(level, int | float):
        return None
    if level <= _SYSLOG_LAST:
        error, warning = level <= _SYSLOG_ERROR, level == _SYSLOG_WARNING
    else:
        error, warning = level >= _PINO_ERROR, level >= _PINO_WARNING
    return Severity.ERROR if error else Severity.WARNING if warning else Severity.INFO


def _message(said: Mapping[str, object]) -> str:
    """Return what an object says happened: its event, its message, and what was thrown."""
    parts = [_word(said, _EVENT), _word(said, _MESSAGE)]
    for key in _THROWN:
        thrown = said.get(key)
        if isinstance(thrown, dict):
            parts += [_word(thrown, ("code", "type", "name")), _word(thrown, _MESSAGE)]
        elif isinstance(thrown, str):
            parts.append(thrown)
    told = " ".join(dict.fromkeys(part for part in parts if part))
    return told or "an object without a message: " + ", ".join(sorted(map(str, said))[:8])


def _word(said: Mapping[str, object], keys: tuple[str, ...]) -> str:
    for key in keys:
        if isinstance(value := said.get(key), str) and value:
            return value
    return ""
