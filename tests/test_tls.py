"""TLS to the database: the server proves who it is, or no password is sent."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from sandbox.sandbox import Sandbox
from tests.certificates import authority, certified
from tests.support import Ran, bench


def looked(sandbox: Sandbox, folder: Path, ca: Path, hostname: str | None) -> Ran:
    """Run verify over TLS; it ends with 1, since nothing is migrated, once it gets there."""
    tls = {"ca": str(ca)} | ({"hostname": hostname} if hostname else {})
    return bench(sandbox, folder, database={"tls": tls}).run("verify")


def test_a_server_is_known_by_its_authority_and_name(sandbox: Sandbox, tmp_path: Path) -> None:
    """The right authority and name get in; another of either is refused, and it says which."""
    with certified(sandbox, tmp_path):
        ours, other = tmp_path / "ca.pem", tmp_path / "other.pem"
        there = looked(sandbox, tmp_path, ours, "localhost")
        assert (there.status, there.document["message"]) == (1, "")
        ours.write_bytes(ours.read_bytes() + b"\0")
        assert looked(sandbox, tmp_path, ours, "localhost").status == 1
        for ca, hostname, key in (
            (other, "localhost", "tls.ca"),
            (ours, None, "tls.hostname"),
            (ours, "example.com", "tls.hostname"),
        ):
            ran = looked(sandbox, tmp_path, ca, hostname)
            assert ran.status == 3
            assert "certificate verify failed" in ran.document["message"]
            assert f"database.{key}" in ran.document["advice"]
        plain = bench(sandbox, tmp_path).run("verify")
        assert (plain.status, "1045" in plain.document["message"]) == (3, True)
        assert "TLS" in plain.document["advice"]


def test_the_authority_that_mysql_makes_itself_is_read(mysql: Sandbox, tmp_path: Path) -> None:
    """Its file ends in a NUL, and its certificates lack what a strict reader asks for."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes((mysql.database.data / "ca.pem").read_bytes())
    assert ca.read_bytes().endswith(b"\0")
    shown = x509.load_pem_x509_certificate((mysql.database.data / "server-cert.pem").read_bytes())
    (name,) = shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    ran = looked(mysql, tmp_path, ca, str(name.value))
    assert (ran.status, ran.document["message"]) == (1, ""), ran.document["message"]


def test_a_server_without_tls_gets_no_password(mariadb: Sandbox, tmp_path: Path) -> None:
    """With TLS in the inventory nothing is ever sent in plain text instead."""
    authority(tmp_path, "ca")
    ran = looked(mariadb, tmp_path, tmp_path / "ca.pem", "localhost")
    assert ran.status == 3
    assert "server doesn't support it" in ran.document["message"]
    assert "database.tls" in ran.document["advice"]
