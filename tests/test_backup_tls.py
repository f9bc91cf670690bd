"""Backups over TLS: the client programs on the host verify the server, as the program does."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runbook.errors import Outcome, StepFailed
from runbook.hosts.jobs import client_options
from runbook.options import Options
from runbook.phases import backup
from sandbox.processes import wait_until
from sandbox.sandbox import Sandbox
from tests.dumps import place, the_job


def authority(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate authority; its certificate is `name`.pem in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = sign(name, key.public_key(), name, key, authority=True)
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def sign(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    """Return a certificate for `name`, signed by `issuer`, that is good for a day."""

    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer, hashes.SHA256())
    )


@pytest.fixture
def certified(mysql: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """Return a MySQL whose certificate is for `localhost`, signed by ca.pem; TLS is required."""
    _, signer = authority(tmp_path, "ca")
    authority(tmp_path, "other")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = sign("localhost", key.public_key(), "ca", signer, authority=False)
    folder = mysql.root / "database" / "data"
    private = serialization.PrivateFormat.PKCS8
    contents = {
        "ssl_ca": (tmp_path / "ca.pem").read_bytes(),
        "ssl_cert": certificate.public_bytes(serialization.Encoding.PEM),
        "ssl_key": key.private_bytes(
            serialization.Encoding.PEM, private, serialization.NoEncryption()
        ),
    }
    before = mysql.query(f"SELECT @@{', @@'.join(contents)}")[0]
    for name, content in contents.items():
        file = folder / f"test_{name}.pem"
        file.write_bytes(content)
        os.chown(file, folder.stat().st_uid, folder.stat().st_gid)
    try:
        for name in contents:
            mysql.query(f"SET GLOBAL {name} = 'test_{name}.pem'")
        mysql.query("ALTER INSTANCE RELOAD TLS")
        mysql.query("ALTER USER migrator@'%' REQUIRE SSL")
        yield mysql
    finally:
        for name, value in zip(contents, before, strict=True):
            mysql.query(f"SET GLOBAL {name} = '{value}'")
        mysql.query("ALTER INSTANCE RELOAD TLS")
        mysql.query("ALTER USER migrator@'%' REQUIRE NONE")


def test_a_dump_over_tls_verifies_chain_and_name(certified: Sandbox, tmp_path: Path) -> None:
    """With the right authority and name the dump runs; its options are in the plan's text."""
    tls = {"ca": str(tmp_path / "ca.pem"), "hostname": "localhost"}
    with place(certified, tmp_path, database={"tls": tls}) as here:
        plan = backup.prepare(here.site, Options())
        assert "ssl-mode=VERIFY_IDENTITY" in plan.steps[0].text
        assert here.perform(*plan.steps)[0].outcome is Outcome.CHANGED
        assert not list(here.folder.rglob("ca.pem"))


def test_the_dump_program_refuses_another_authority_and_another_name(
    certified: Sandbox, tmp_path: Path
) -> None:
    """On the host too, a server that cannot prove who it is gets no password's worth of trust."""
    tls = {"ca": str(tmp_path / "ca.pem"), "hostname": "localhost"}
    with place(certified, tmp_path, database={"tls": tls}) as here:
        environment, facts = here.site.environment, backup.look(here.site)
        other = replace(facts, authority=(tmp_path / "other.pem").read_text())
        with pytest.raises(StepFailed) as failed:
            here.perform(backup.steps(environment, other)[0])
        assert "certificate verify failed" in "\n".join(failed.value.output)
        job = the_job(here)
        database = replace(environment.database, tls=None)  # its name is then the address
        named = client_options(replace(environment, database=database), here.site.password())
        here.site.hosts.run(job.where, job.text, stdin=named)
        assert wait_until(lambda: backup.look(here.site).job.state == "ended", 10.0)
        assert "certificate verify failed" in "\n".join(backup.look(here.site).job.log)
        assert here.dumps == []
