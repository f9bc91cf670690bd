"""The client programs of a backup host: which it has, and how they are called there."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.environment import Environment

DUMPS = {"MariaDB": ("mariadb-dump", "mysqldump"), "MySQL": ("mysqldump", "mariadb-dump")}
CLIENTS = {"MariaDB": ("mariadb", "mysql"), "MySQL": ("mysql", "mariadb")}
"""The programs to look for, by the server's flavour; newer systems have only the first names."""

ALWAYS = (
    "--single-transaction",
    "--quick",
    "--triggers",
    "--routines",
    "--events",
    "--hex-blob",
    "--no-tablespaces",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)
PROBED = {
    "--column-statistics": "--column-statistics=0",
    "--set-gtid-purged": "--set-gtid-purged=OFF",
    "--dump-history": "--dump-history",
}
"""Options that only some versions have. Without the first a new mysqldump fails on an old
server; without the second a restore needs an empty server; without the third MariaDB's
dump leaves the history of system-versioned tables out."""

SYSTEM_AUTHORITIES = "/etc/ssl/certs"


@dataclass(frozen=True)
class Clients:
    """The programs found on a host; an empty name is one that is missing.

    `version` is what the dump program says of itself, `offered` are those of
    the probed options that it has.
    """

    dump: str = ""
    client: str = ""
    compressor: str = ""
    version: str = ""
    offered: tuple[str, ...] = ()

    @property
    def ending(self) -> str:
        """The file ending of what the compressor writes."""
        return "zst" if self.compressor == "zstd" else "gz"

    def options(self, *, mariadb: bool) -> tuple[str, ...]:
        """Return the dump program's options for a server that is MariaDB, or is not."""
        return ALWAYS + tuple(
            text
            for name, text in PROBED.items()
            if name in self.offered and (mariadb or name != "--dump-history")
        )

    def transport(self, environment: Environment, ca: str) -> tuple[str, ...]:
        """Return the option-file lines that say how the connection is secured.

        `ca` is where the host has the certificate authority of the inventory,
        or empty for those the host trusts. With TLS in the inventory, chain and
        name are always verified: MariaDB's client without that goes on in plain
        text where a server offers no TLS (measured with 10.11). Without it, the
        programs encrypt where the server offers it, and verify nothing.
        """
        mariadb = "MariaDB" in self.version
        if environment.database.tls is None:
            return ("ssl-verify-server-cert=0",) if mariadb else ("loose-get-server-public-key",)
        authority = f"ssl-ca={ca}" if ca else f"ssl-capath={SYSTEM_AUTHORITIES}"
        if mariadb:
            return ("ssl", authority, "ssl-verify-server-cert=1")
        return (authority, "ssl-mode=VERIFY_IDENTITY")
