"""The sandbox: the servers that every other test stands on are what they claim to be."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.hosts import NAMES, SFTP
from sandbox.processes import Process, descendants, marked_processes, wait_until
from sandbox.sandbox import Sandbox
from tests.onhosts import ssh

PROJECT = Path(__file__).parent.parent


def servers(sandbox: Sandbox) -> list[Process]:
    """Return the four servers of a sandbox in which all of them run."""
    found = [process for process in sandbox.processes().values() if process]
    assert len(found) == 4
    return found


def name_of(process: Process) -> str:
    """Return the name of a process's program, nothing when it has ended meanwhile."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def listening(pids: set[int]) -> set[str]:
    """Return the addresses on which the processes listen, as /proc writes them."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a connection that ends just now
                sockets.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                addresses.add(fields[1].partition(":")[0])
    return addresses


def test_servers_listen_on_loopback_only(sandbox: Sandbox) -> None:
    """No server of the sandbox can be reached from outside the machine."""
    loopback = "0100007F"
    assert listening({process.pid for process in servers(sandbox)}) == {loopback}


def test_hosts_have_keys_of_their_own(mariadb: Sandbox) -> None:
    """Each host proves another identity, and a client is not let in under a wrong one."""
    lines = (mariadb.root / "known_hosts").read_text().splitlines()
    assert len({line.split()[2] for line in lines}) == len(NAMES) == len(lines)
    assert ssh(mariadb, "app1", "true") == (0, "")
    swapped = [lines[0].replace(lines[0].split()[0], lines[1].split()[0])]
    wrong = mariadb.root / "known_hosts.wrong"
    wrong.write_text("\n".join(swapped) + "\n")
    options = ["-F", str(mariadb.root / "ssh_config"), "-o", f"UserKnownHostsFile={wrong}"]
    command = [str(mariadb.hosts["app1"].programs.ssh), *options, "app1", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in done.stderr
    assert mariadb.commands("app1") == ["true"]


@pytest.mark.parametrize(
    "command",
    [
        "exit 7",
        "cat; exit 3",
        "echo one\necho 'two  spaces'\n\necho \"$((1 + 1))\"\n",
        "printf '%s' 'zoë 🎟' \"quote's\" '$HOME' `echo x` \\\\ %s",
        "false | true",
        ": " + "x" * 100_000,
    ],
)
def test_commands_are_logged_whole_and_run_unchanged(mariadb: Sandbox, command: str) -> None:
    """The log holds the exact text of a command, whose output and status are a shell's own."""
    expected = subprocess.run(
        ["/bin/bash", "-c", command], input="in\n", capture_output=True, text=True, check=False
    )
    status, output = ssh(mariadb, "db1", command, stdin="in\n")
    assert (status, output) == (expected.returncode, expected.stdout)
    assert mariadb.commands("db1") == [command]
    assert mariadb.commands("app1") == []


def test_hosts_find_the_clients_of_their_server(sandbox: Sandbox) -> None:
    """`mysql` and `mysqldump` on a host are those of the server that the sandbox runs."""
    _, versions = ssh(sandbox, "db1", "mysql --version && mysqldump --version && zstd --version")
    assert ("MariaDB" in versions) == (sandbox.server == "mariadb")
    assert "Zstandard" in versions


def test_sftp_moves_files_and_is_logged(mariadb: Sandbox, tmp_path: Path) -> None:
    """The sftp subsystem works, and its log names what was written and read."""
    (tmp_path / "there").write_bytes(bytes(range(256)) * 1000)
    config = str(mariadb.root / "ssh_config")
    transfer = (
        "import sys, paramiko\n"
        "config = paramiko.SSHConfig.from_path(sys.argv[1]).lookup('db1')\n"
        "client = paramiko.SSHClient()\n"
        "client.load_host_keys(config['userknownhostsfile'])\n"
        "client.connect(config['hostname'], int(config['port']), config['user'],\n"
        "    key_filename=config['identityfile'], allow_agent=False, look_for_keys=False)\n"
        "sftp = client.open_sftp()\n"
        "sftp.put(sys.argv[2] + '/there', sys.argv[2] + '/away')\n"
        "sftp.get(sys.argv[2] + '/away', sys.argv[2] + '/back')\n"
        "client.close()\n"
    )
    subprocess.run([sys.executable, "-c", transfer, config, str(tmp_path)], check=True)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()
    assert mariadb.commands("db1") == [SFTP]
    log = mariadb.hosts["db1"].sftp_log()
    assert f'open "{tmp_path}/away" flags WRITE,CREATE,TRUNCATE' in log
    assert f'open "{tmp_path}/away" flags READ' in log


def test_health_command_tells_well_from_ill(mariadb: Sandbox) -> None:
    """`app-health` fails where the host was declared ill or the database is away."""
    mariadb.set_health("app2", False)
    assert ssh(mariadb, "app1", "app-health")[0] == 0
    assert ssh(mariadb, "app2", "app-health")[0] == 1
    mariadb.kill_database()
    assert ssh(mariadb, "app1", "app-health")[0] == 1


def test_secrets_are_for_their_owner_only(mariadb: Sandbox) -> None:
    """Nobody else reads the folder, the passwords, the keys or the logins."""
    secret = [*mariadb.root.glob("*.password"), *mariadb.root.glob("*.cnf")]
    secret += [mariadb.root / "id_ed25519", *mariadb.root.glob("*/host_key")]
    assert len(secret) == 3 + 3 + 1 + 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(mariadb.root.stat().st_mode) == 0o700


def test_reset_brings_everything_back(sandbox: Sandbox) -> None:
    """After reset, a test sees nothing of the one before, whatever that did."""
    before = sandbox.definitions()
    sandbox.query("ALTER TABLE vaulteer.users DROP COLUMN points")
    sandbox.query("DROP TRIGGER vaulteer.trg_users_email")
    sandbox.query("CREATE DATABASE `vaulteer_restore_a``b`")
    sandbox.query("REVOKE TRIGGER ON vaulteer.* FROM 'migrator'@'%'")
    grants = sandbox.query("SHOW GRANTS FOR 'migrator'@'%'")
    ssh(sandbox, "db1", "touch .sandbox/db1/backups/x; setsid sleep 600 > /dev/null 2>&1 &")
    job = marked_job(sandbox)
    os.kill(servers(sandbox)[2].pid, signal.SIGKILL)
    sandbox.kill_database()
    sandbox.reset()
    assert sandbox.definitions() == before
    assert sandbox.query("SHOW DATABASES LIKE 'vaulteer%'") == [("vaulteer",)]
    assert sandbox.query("SHOW GRANTS FOR 'migrator'@'%'") != grants
    assert list((sandbox.root / "db1" / "backups").iterdir()) == []
    assert not job.alive()
    assert [sandbox.commands(name) for name in NAMES] == [[], [], []]
    assert len(servers(sandbox)) == 4


def test_reset_takes_back_the_smallest_write(sandbox: Sandbox) -> None:
    """One value, one privilege or one empty database more, and all is laid anew."""
    looks = (
        "CHECKSUM TABLE vaulteer.users, vaulteer.events, vaulteer.event_participants",
        "SHOW GRANTS FOR 'app'@'%'",
        "SHOW DATABASES",
    )
    before = [sandbox.query(look) for look in looks]
    for write in (
        "UPDATE vaulteer.users SET points = points + 1 LIMIT 1",
        "GRANT DROP ON vaulteer.* TO 'app'@'%'",
        "CREATE DATABASE other",
    ):
        sandbox.query(write)
        assert [sandbox.query(look) for look in looks] != before
        sandbox.reset()
        assert [sandbox.query(look) for look in looks] == before


def marked_job(sandbox: Sandbox) -> Process:
    """Return the `sleep` that a host was asked to leave running, once it is one."""

    def sleeping() -> list[Process]:
        return [p for p in marked_processes(sandbox.root) if name_of(p) == "sleep"]

    assert wait_until(lambda: len(sleeping()) == 1, 5)
    return sleeping()[0]


def test_connections_can_be_cut_and_frozen(mariadb: Sandbox) -> None:
    """A test finds the process behind an open connection, and what it does to it is felt."""
    config = str(mariadb.root / "ssh_config")
    command = [str(mariadb.hosts["app1"].programs.ssh), "-F", config, "app1", "sleep 1"]
    for number, status in ((signal.SIGKILL, 255), (signal.SIGSTOP, 0)):
        mariadb.clear_commands()
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as client:
            assert wait_until(lambda: mariadb.commands("app1") == ["sleep 1"], 5)
            held = [
                process
                for connection in mariadb.connections("app1")
                for process in (connection, *descendants(connection.pid))
                if name_of(process) != "sleep"
            ]
            for process in held:
                process.send(number)
            if number == signal.SIGSTOP:
                with pytest.raises(subprocess.TimeoutExpired):
                    client.wait(2)
                for process in held:
                    process.send(signal.SIGCONT)
            assert client.wait(10) == status
    assert wait_until(lambda: mariadb.connections("app1") == (), 5)


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM", "exception"])
def test_servers_end_with_their_owner(tmp_path: Path, ending: str) -> None:
    """However the process that borrowed a sandbox ends, nothing of it stays."""
    root = tmp_path / ".sandbox"
    borrow = (
        "import pathlib, sys\n"
        "from sandbox.sandbox import Sandbox\n"
        "with Sandbox.running(pathlib.Path(sys.argv[1]), rows=10):\n"
        "    print('up', flush=True)\n"
        "    sys.stdin.read(1)\n"
        "    raise RuntimeError('as tests do')\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", borrow, str(root)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        sandbox = Sandbox.attach(root)
        ssh(sandbox, "db1", "setsid sleep 600 > /dev/null 2>&1 &")
        running = [*servers(sandbox), marked_job(sandbox)]
        if ending == "exception":
            owner.communicate("x")
        else:
            owner.send_signal(signal.Signals[ending])
    assert wait_until(lambda: not any(process.alive() for process in running), 10)
    assert wait_until(lambda: not root.exists(), 10)
    assert marked_processes(root) == ()
