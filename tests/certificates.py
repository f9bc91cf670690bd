"""Certificates of our own, and servers that prove themselves with them."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.processes import recorded
from sandbox.sandbox import Sandbox

NAMES = ("ssl_ca", "ssl_cert", "ssl_key")


@contextmanager
def certified(sandbox: Sandbox, folder: Path) -> Iterator[Sandbox]:
    """Give a server a certificate for `localhost`, signed by `folder`/ca.pem; TLS is required.

    Another authority, which signed nothing, is other.pem.
    """
    _, signer = authority(folder, "ca")
    authority(folder, "other")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = sign("localhost", key.public_key(), "ca", signer, authority=False)
    private = serialization.PrivateFormat.PKCS8
    contents = {
        "ssl_ca": (folder / "ca.pem").read_bytes(),
        "ssl_cert": certificate.public_bytes(serialization.Encoding.PEM),
        "ssl_key": key.private_bytes(
            serialization.Encoding.PEM, private, serialization.NoEncryption()
        ),
    }
    data = sandbox.database.data
    for name, content in contents.items():
        file = data / f"test_{name}.pem"
        file.write_bytes(content)
        os.chown(file, data.stat().st_uid, data.stat().st_gid)
    with _serving(sandbox):
        sandbox.query("ALTER USER migrator@'%' REQUIRE SSL")
        try:
            yield sandbox
        finally:
            sandbox.query("ALTER USER migrator@'%' REQUIRE NONE")


@contextmanager
def _serving(sandbox: Sandbox) -> Iterator[None]:
    """Make the server use the certificate; MariaDB takes one only when it starts."""
    if sandbox.server == "mariadb":
        process = recorded(sandbox.database.folder)
        assert process is not None
        process.end(grace=20.0)
        files = {name: sandbox.database.data / f"test_{name}.pem" for name in NAMES}
        sandbox.database.start(*(f"--{n.replace('_', '-')}={f}" for n, f in files.items()))
        try:
            yield
        finally:
            sandbox.restart_database()
        return
    before = sandbox.query(f"SELECT @@{', @@'.join(NAMES)}")[0]
    try:
        _reload(sandbox, {name: f"test_{name}.pem" for name in NAMES})
        yield
    finally:
        _reload(sandbox, dict(zip(NAMES, before, strict=True)))


def _reload(sandbox: Sandbox, files: dict[str, object]) -> None:
    for name, file in files.items():
        sandbox.query(f"SET GLOBAL {name} = '{file}'")
    sandbox.query("ALTER INSTANCE RELOAD TLS")


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
