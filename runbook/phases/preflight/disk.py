"""The folder of the backups: whether a dump can be written there, and whether it fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.environment import Environment
from runbook.hosts.backups import ENDING, stem
from runbook.hosts.shell import quote
from runbook.plan.plan import Finding, Level
from runbook.units import size

COMPRESSED = 0.3
"""A dump's share of the tables' data, on the safe side: 2,000,000 rows (traps) gave 0.03."""

SCRIPT = """\
folder={folder}
mode=$(stat -L -c %a -- "$folder" 2>/dev/null || true)
last=
for manifest in "$folder"/{stem}-*{ending}; do
  [ ! -f "$manifest" ] || last=$(sed -n 's/^ *"bytes": \\([0-9]*\\),*$/\\1/p' "$manifest")
done
while [ ! -e "$folder" ] && [ "$folder" != . ] && [ "$folder" != / ]; do
  folder=$(dirname -- "$folder")
done
state=closed
[ ! -w "$folder" ] || [ ! -x "$folder" ] || state=open
[ -d "$folder" ] || state=file
printf 'disk\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$folder" "$state" "$mode" "$last" "$(id -un)" \\
  "$(LC_ALL=C df -Pk -- "$folder" | sed -n '$p')"
"""


@dataclass(frozen=True)
class Disk:
    """Where dumps go: the folder, or its nearest parent where it is not there yet.

    `state` is open, closed (not writable) or file; `mode` is the folder's own,
    in octal, empty where it is not there. Sizes are bytes; `last` is that of
    the newest dump with a manifest, None where there is none.
    """

    folder: str
    state: str
    mode: str
    last: int | None
    user: str
    free: int | None
    mounted: str = ""


def script(environment: Environment) -> str:
    """Return the bash that looks at the backup folder."""
    return SCRIPT.format(
        folder=quote(environment.backup.folder), stem=stem(environment.database.name), ending=ENDING
    )


def parse(fields: tuple[str, ...]) -> Disk:
    """Read the line that the script printed."""
    folder, state, mode, last, user, line = fields
    # Filesystem and mount point may hold spaces; the numbers between them do not.
    numbers = re.search(r"\s\d+\s+\d+\s+(-?\d+)\s+\d+%\s+(.*)$", line)
    return Disk(
        folder,
        state,
        mode,
        int(last) if last else None,
        user,
        max(0, int(numbers[1])) * 1024 if numbers else None,
        numbers[2] if numbers else "",
    )


def finding(environment: Environment, disk: Disk, data: int | None) -> Finding:
    """Say whether a dump of `data` bytes of tables (None: unknown) can be written and fits.

    What it needs is the last dump's size, or 0.3 of the data where there is
    none. Less than that is refused; less than twice the last dump, or than all
    of the data, is a warning.
    """
    level, detail, advice = _writable(environment, disk) or _room(disk, data)
    return Finding("backup folder", environment.backup.host, level, detail, advice)


def _writable(environment: Environment, disk: Disk) -> tuple[Level, str, str] | None:
    folder = environment.backup.folder
    if disk.state == "file":
        return (
            Level.REFUSED,
            f"{disk.folder} is not a folder",
            "Name another backup.folder in the inventory.",
        )
    if disk.state != "open":
        return (
            Level.REFUSED,
            f"{disk.user} cannot write in {disk.folder}",
            f"On that host, as root: install -d -m 700 -o {disk.user} {quote(folder)}",
        )
    if disk.mode and not disk.mode.endswith("00"):
        return (
            Level.REFUSED,
            f"{folder} is open to others (mode {disk.mode}), and dumps hold all data",
            f"On that host: chmod 700 {quote(folder)}",
        )
    return None


def _room(disk: Disk, data: int | None) -> tuple[Level, str, str]:
    if disk.free is None:
        return Level.WARNING, f"the free space of {disk.folder} cannot be read", ""
    free = f"{size(disk.free)} free on {disk.mounted}"
    if disk.last is not None:
        need, comfort = disk.last, 2 * disk.last
        estimate = f"the last dump took {size(disk.last)}"
    elif data is not None:
        need, comfort = round(COMPRESSED * data), data
        estimate = f"a dump of {size(data)} of tables takes at most about {size(need)}"
    else:
        return Level.OK, f"{free}; the size of the dump is not known", ""
    detail = f"{free}; {estimate}"
    if disk.free < need:
        return Level.REFUSED, detail, "Make room there, or name another backup.folder."
    if disk.free < comfort:
        return Level.WARNING, detail, "Make room there soon; it may just be enough."
    return Level.OK, detail, ""
