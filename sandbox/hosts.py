"""The SSH hosts of the sandbox: each a real OpenSSH sshd with its own key, port and folder."""

from __future__ import annotations

import os
import pwd
import shlex
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import privilege
from sandbox.processes import MARK, Process, StartFailed, recorded, spawn, tail, wait_until
from sandbox.programs import SshPrograms

NAMES = ("db1", "app1", "app2")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SFTP = "subsystem:sftp"
"""What stands for the sftp subsystem among the commands of a host."""
HOST = "RUNBOOK_SANDBOX_HOST"
"""Environment variable of a host's sessions; its value is the host's folder."""
APP_HOME = "APP_HOME"
"""Likewise; its value is where the application lives on that host, if any is deployed."""


@dataclass(frozen=True)
class SshHost:
    """A host called `name`, its files in `folder`, listening on 127.0.0.1:`port`."""

    name: str
    folder: Path
    port: int
    sandbox: Path
    programs: SshPrograms

    def create(self, client_key: Path) -> Process:
        """Make the host's key and configuration, and start it."""
        make_key(self.programs, self.folder / "host_key")
        (self.folder / "authorized_keys").write_text(
            client_key.with_suffix(".pub").read_text(encoding="utf-8"), encoding="utf-8"
        )
        _script(self.folder / "session", self._session())
        (self.folder / "sshd_config").write_text("\n".join(self._config()) + "\n", encoding="utf-8")
        self.clear()
        return self.start()

    def start(self) -> Process:
        """Start sshd and return when it answers. Raises `StartFailed`."""
        command = [self.programs.sshd, "-D", "-e", "-f", self.folder / "sshd_config"]
        env = privilege.for_sshd(self.programs, self.folder)
        process = spawn(command, self.folder, self.sandbox, env)
        if not wait_until(lambda: self._answers() or not process.alive(), 15.0) or (
            not process.alive()
        ):
            process.end()
            raise StartFailed(f"sshd for {self.name}:\n{tail(self.folder / 'output.log')}")
        return process

    def process(self) -> Process | None:
        """Return the running sshd, or None."""
        process = recorded(self.folder)
        return process if process and process.alive() else None

    def environment(self) -> Mapping[str, str]:
        """Return what every session on this host finds in its environment."""
        return {
            "PATH": f"{self.sandbox / 'bin'}:{SYSTEM_PATH}",
            MARK: str(self.sandbox),
            HOST: str(self.folder),
            APP_HOME: str(self.folder / "app"),
            # A host's home is the operator's own, where nothing of ours shall be left.
            "npm_config_cache": str(self.folder / "npm"),
        }

    def known_host(self) -> str:
        """Return the line for known_hosts."""
        kind, key = (self.folder / "host_key.pub").read_text(encoding="utf-8").split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}"

    def commands(self) -> list[str]:
        """Return what clients asked for since the last `clear`, in order.

        The whole text of each command as sshd received it, `SFTP` for that
        subsystem, and an empty text for a login shell.
        """
        text = (self.folder / "commands.log").read_bytes().decode(errors="surrogateescape")
        return text.split("\0")[:-1]

    def sftp_log(self) -> str:
        """Return what sftp-server said it opened, wrote, renamed and removed."""
        return (self.folder / "sftp.log").read_text(errors="replace", encoding="utf-8")

    def clear(self) -> None:
        """Forget the commands so far."""
        for name in ("commands.log", "sftp.log"):
            (self.folder / name).write_bytes(b"")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
                probe.settimeout(1.0)
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def _config(self) -> Iterable[str]:
        yield f"Port {self.port}"
        yield "ListenAddress 127.0.0.1"
        yield "PidFile none"
        yield f"HostKey {quoted(self.folder / 'host_key')}"
        yield f"AuthorizedKeysFile {quoted(self.folder / 'authorized_keys')}"
        yield "StrictModes no"
        yield "UsePAM no"
        yield "PasswordAuthentication no"
        yield "KbdInteractiveAuthentication no"
        yield "PermitRootLogin prohibit-password"
        # bash reads the operator's ~/.bashrc for sshd's sessions unless SHLVL says it is nested.
        variables = [f'"{name}={value}"' for name, value in self.environment().items()]
        yield f"SetEnv {' '.join(variables)} SHLVL=1"
        yield f"Subsystem sftp {SFTP}"
        yield f"ForceCommand {shlex.quote(str(self.folder / 'session'))}"
        if self.programs.session:
            yield f"SshdSessionPath {quoted(self.programs.session)}"
        if self.programs.auth:
            yield f"SshdAuthPath {quoted(self.programs.auth)}"
        if _penalises(self.programs):
            yield "PerSourcePenalties no"

    def _session(self) -> str:
        log = shlex.quote(str(self.folder / "commands.log"))
        sftp_log = shlex.quote(str(self.folder / "sftp.log"))
        sftp_server = shlex.quote(str(self.programs.sftp_server))
        return f"""\
# Run by sshd for every session: note the command, then run it as sshd would.
# Only the working folder differs: it is the one that holds the sandbox, so that
# paths of the inventory mean the same on a host and beside it.
cd {shlex.quote(str(self.sandbox.parent))} || exit
if [ -z "${{SSH_ORIGINAL_COMMAND+set}}" ]; then
    printf '\\0' >> {log}
    exec "$SHELL" -l
fi
printf '%s\\0' "$SSH_ORIGINAL_COMMAND" >> {log}
command=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
if [ "$command" = {SFTP} ]; then
    exec {sftp_server} -e -l INFO 2>> {sftp_log}
fi
exec "$SHELL" -c "$command"
"""


def make_key(programs: SshPrograms, path: Path) -> None:
    """Make an ed25519 key pair without a passphrase."""
    command = [programs.ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        raise StartFailed(f"{programs.ssh_keygen}: {done.stderr.strip()}")


def client_config(sandbox: Path, hosts: Iterable[SshHost]) -> str:
    """Return an ssh_config that reaches the hosts by their names."""
    lines = []
    for host in hosts:
        lines += [f"Host {host.name}", "  HostName 127.0.0.1", f"  Port {host.port}"]
    lines += [
        f"Host {' '.join(NAMES)}",
        f"  User {user()}",
        f"  IdentityFile {quoted(sandbox / 'id_ed25519')}",
        "  IdentitiesOnly yes",
        "  IdentityAgent none",
        f"  UserKnownHostsFile {quoted(sandbox / 'known_hosts')}",
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
    ]
    return "\n".join(lines) + "\n"


def user() -> str:
    """Return the account that sshd lets in: the one we run as. Raises `StartFailed`."""
    try:
        account = pwd.getpwuid(os.getuid())
    except KeyError:
        raise StartFailed(f"uid {os.getuid()} has no line in /etc/passwd; sshd needs one") from None
    if Path(account.pw_shell or "/bin/sh").name in {"nologin", "false"}:
        raise StartFailed(
            f"account {account.pw_name} has the shell {account.pw_shell}, so that sshd would let "
            "nobody in; run this as another user"
        )
    return account.pw_name


def quoted(path: Path) -> str:
    """Return `path` as OpenSSH's configuration files want it."""
    return '"' + str(path).replace("%", "%%") + '"'


def _penalises(programs: SshPrograms) -> bool:
    """Say whether this sshd shuts a client out for failing (OpenSSH 9.8 and later)."""
    if programs.session:
        return True
    probe = [programs.sshd, "-T", "-f", os.devnull, "-o", "PerSourcePenalties=no"]
    done = subprocess.run(
        [str(word) for word in probe], capture_output=True, encoding="utf-8", check=False
    )
    return "Bad configuration option" not in done.stderr


def _script(path: Path, body: str) -> None:
    path.write_text("#!/bin/sh\n" + body, encoding="utf-8")
    path.chmod(0o755)
