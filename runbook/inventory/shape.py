"""What an inventory may say: every key, its kind, its default and what it is about.

This is the only declaration. The reader, inventory.schema.json and the table
in the README are all made from it.
"""

from __future__ import annotations

from ipaddress import ip_address

from runbook.environment import Confirm, Policy, Timeouts
from runbook.inventory.common import (
    COMMAND,
    HOST_NAME,
    HOST_REFERENCE,
    REMOTE_FOLDER,
    ROLE_NAME,
    ROLE_REFERENCE,
)
from runbook.inventory.durations import format_duration
from runbook.inventory.kinds import PATH, Hidden, InFile, Listed, OrFile
from runbook.inventory.records import Key, Named, Record, names, optional, required, section
from runbook.inventory.sections.deploy import DEPLOY
from runbook.inventory.sections.logs import LOGS, MONITOR
from runbook.inventory.sections.manual import MANUAL
from runbook.inventory.sections.notify import NOTIFY
from runbook.inventory.sections.runner import RUNNER
from runbook.inventory.sections.smoke import SMOKE
from runbook.inventory.sections.validate import VALIDATE
from runbook.inventory.sections.watch import WATCH
from runbook.inventory.sections.windows import WINDOWS
from runbook.inventory.words import Word, choice, duration, text, whole

PHASES = (
    *("preflight", "backup", "restore", "migrate", "verify", "export", "rollback", "status"),
    *("deploy", "smoke", "triggers", "watch", "validate", "monitor", "run", "report"),
)
"""What can be forbidden: the phases there are, and those of the runbook still to come."""

BASE = "_"
"""What the name of a base begins with: one that others extend, and that is not run."""


def _address() -> Word[str]:
    name = r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?"
    either = rf"{name}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
    known = text("", either, longest=253)

    def parse(value: str) -> str:
        address = known.parse(value)
        if ":" in address:
            ip_address(address)
        return address

    def hint(value: str) -> str:
        return "the port belongs in the key port" if value.rpartition(":")[2].isdigit() else ""

    return Word("a host name or an IP address, without a port", parse, known.form, hint=hint)


_ROLE = text("the name of a role, such as db", ROLE_NAME)
_USER = text(
    "a user name (letters, digits and . _ @ + $ -)", r"[A-Za-z0-9_][A-Za-z0-9_.@+$-]{0,79}"
)
_PORT = OrFile(whole(1, 65535, "a port"))
_ADDRESS = _address()
_SCHEMA = text(
    "a database's name (letters, digits and _ $ -), not one of the server's own",
    r"(?!(?:mysql|sys|information_schema|performance_schema)$)[A-Za-z0-9_$][A-Za-z0-9_$-]{0,63}",
)

# How a host is reached: on the host itself, or in `ssh` for all of them.
SSH_PORT = optional("port", _PORT, "Port of sshd; else by ssh_config, else 22.")
SSH_USER = optional("user", _USER, "Login name; else by ssh_config, else yours.")
SSH_KEY = optional("key", PATH, "Private key; else by ssh_config, and what your agent holds.")
KNOWN_HOSTS = optional(
    "known_hosts", PATH, "File with the host keys; else yours. An unknown key is refused."
)
JUMP = optional("jump", HOST_REFERENCE, "Host of this environment to go through.")
SSH_CONFIG = optional("ssh_config", PATH, "SSH configuration to read instead of ~/.ssh/config.")
_REACHED = (SSH_PORT, SSH_USER, SSH_KEY, KNOWN_HOSTS, JUMP, SSH_CONFIG)
REACHED = tuple(key.name for key in _REACHED)

ROLES = required("roles", Listed(_ROLE, least=1), "What the host is for: db, app, worker, …")
ADDRESS = optional(
    "address", _ADDRESS, "Name or IP address to connect to; else the host's name, by ssh_config."
)
HOST = Record((ROLES, ADDRESS, *_REACHED))

# The database server and its replicas, as seen from the host they are reached through.
VIA = required("via", HOST_REFERENCE, "The host whose sshd forwards to the server.")
SERVER = Key("address", _ADDRESS, "The server's address as seen from `via`.", "127.0.0.1")
_DEFAULT_PORT: int | InFile[int] = 3306
SERVER_PORT = Key("port", _PORT, "The server's port as seen from `via`.", _DEFAULT_PORT)

TLS_CA = optional("ca", PATH, "Certificates to verify the server with; else the system's.")
TLS_HOSTNAME = optional(
    "hostname", _ADDRESS, "Name the server's certificate must bear; else `address`."
)
DATABASE_NAME = required("name", _SCHEMA, "The database (schema) to migrate.")
DATABASE_USER = required("user", _USER, "The account that migrates.")
PASSWORD = required("password", Hidden(), "Where its password comes from; never the password.")
TLS = optional(
    "tls",
    Record((TLS_CA, TLS_HOSTNAME)),
    "TLS, the server verified; `{}` for the defaults. Without this key: no TLS.",
)
REPLICAS = names(
    "replicas",
    Named(
        Record((VIA, SERVER, SERVER_PORT)),
        "the name of a replica (letters, digits and . _ -)",
        HOST_NAME,
    ),
    "Replicas whose lag is watched, by name; reached with the same account.",
)
_DATABASE_FIELDS = Record(
    (DATABASE_NAME, VIA, SERVER, SERVER_PORT, DATABASE_USER, PASSWORD, TLS, REPLICAS)
)

BACKUP_HOST = required("host", HOST_REFERENCE, "The host that runs mysqldump and keeps the dumps.")
FOLDER = required(
    "folder", OrFile(REMOTE_FOLDER), "Folder there for the dumps; made with mode 0700."
)
KEEP = Key("keep", whole(1, 1000, "a number of dumps"), "How many verified dumps are kept.", 5)
MAX_AGE = Key("max_age", duration("2h"), "How old a backup may be for migrate to use it.", 7200.0)
SNAPSHOT = optional("snapshot", COMMAND, "Command on that host that takes a snapshot as well.")
_BACKUP_FIELDS = Record((BACKUP_HOST, FOLDER, KEEP, MAX_AGE, SNAPSHOT))

HEALTH_ROLE = required("role", ROLE_REFERENCE, "It runs on every host with this role.")
HEALTH_COMMAND = required("command", COMMAND, "Exits 0 when healthy; must only read.")
_HEALTH_FIELDS = Record((HEALTH_ROLE, HEALTH_COMMAND))

EVERY_TIMEOUT = tuple(
    Key(name, duration(format_duration(default)), about, default)
    for name, default, about in (
        ("connect", Timeouts.connect, "To connect to a host or a server."),
        ("command", Timeouts.command, "For one command on a host."),
        ("query", Timeouts.query, "For one query of a look."),
        ("lock_wait", Timeouts.lock_wait, "For one try of a DDL to get its metadata lock."),
        (
            "lock_give_up",
            Timeouts.lock_give_up,
            "For all tries of a DDL, or of a range, together; for a replica that stopped.",
        ),
        ("statement", Timeouts.statement, "For one statement of the change."),
        ("job", Timeouts.job, "For one detached job, such as a dump."),
        ("silence", Timeouts.silence, "Until a silent connection is given up."),
    )
)

CONFIRM = Key(
    "confirm",
    choice({member.value: member for member in Confirm}),
    "How a changing run is confirmed: `none`; `prompt`, the environment's name is typed; "
    "`plan`, the digest of a preview is given.",
    Policy.confirm,
)
TRANSACTION_AGE = Key(
    "max_transaction_age",
    duration("1m"),
    "An open transaction older than this makes migrate refuse.",
    Policy.max_transaction_age,
)
REPLICA_LAG = Key(
    "max_replica_lag", duration("10s"), "More lag pauses the backfill.", Policy.max_replica_lag
)
CHUNK_TIME = Key(
    "chunk_time",
    duration("250ms"),
    "How long one transaction of a backfill should take.",
    Policy.chunk_time,
)
NEVER = Key(
    "never", Listed(choice({name: name for name in PHASES})), "Phases refused here.", Policy.never
)
_POLICY_FIELDS = Record((CONFIRM, TRANSACTION_AGE, REPLICA_LAG, CHUNK_TIME, NEVER))

EXTENDS = optional(
    "extends",
    text("the name of an environment", r"[A-Za-z0-9_-]{1,41}"),
    "Environment to inherit from: mappings merge, a scalar or a list replaces.",
)
ABOUT = required(
    "about",
    text("one line of text", longest=1000),
    "What this environment is; shown when something of it is missing.",
)
CHANGE = required("change", PATH, "Folder of the change, such as `sql/NAME`.")
STATE = Key("state", PATH, "Folder for the journals and for fetched files.", ".runbook")
HOSTS = required(
    "hosts", Named(HOST, "the name of a host (letters, digits and . _ -)", HOST_NAME), "SSH hosts."
)
SSH = section("ssh", Record(_REACHED), "What holds for every host that does not say it itself.")
DATABASE = required("database", _DATABASE_FIELDS, "The database, reached through a host.")
BACKUP = required("backup", _BACKUP_FIELDS, "Where dumps go, and how long they count.")
HEALTH = names(
    "health",
    Named(
        _HEALTH_FIELDS,
        "the name of a health check (letters, digits and . _ -)",
        r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62})?",
    ),
    "What preflight asks of the application, by name.",
)
TIMEOUTS = section("timeouts", Record(EVERY_TIMEOUT), "How long to wait, and for what.")
POLICY = section("policy", _POLICY_FIELDS, "What a run must respect here.")
ENVIRONMENT = Record(
    (
        EXTENDS,
        ABOUT,
        CHANGE,
        HOSTS,
        SSH,
        DATABASE,
        BACKUP,
        HEALTH,
        DEPLOY,
        RUNNER,
        SMOKE,
        VALIDATE,
        WATCH,
        MANUAL,
        LOGS,
        MONITOR,
        NOTIFY,
        WINDOWS,
        TIMEOUTS,
        POLICY,
        STATE,
    )
)
ENVIRONMENT_NAMES = Named(
    ENVIRONMENT,
    "the name of an environment (letters, digits and _ -; a base has _ in front)",
    rf"{BASE}?[A-Za-z][A-Za-z0-9_-]{{0,39}}",
)
ENVIRONMENTS = required(
    "environments",
    ENVIRONMENT_NAMES,
    "The environments, by name; one whose name begins with _ is a base to extend.",
)
INVENTORY = Record((ENVIRONMENTS,))
