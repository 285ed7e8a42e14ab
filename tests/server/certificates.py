# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate authority of the test server's own, and the certificate of its name."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject, issuer, key, signer, extensions, days):
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder(
        subject_name=_name(subject), issuer_name=_name(issuer), public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=10 if days < 0 else 1),
        not_valid_after=now + datetime.timedelta(days=days))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _write(path, *parts):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for part in parts:
            file.write(part)


def make(folder, name, addresses=(), days=30):
    """Writes ca.crt, server.crt and server.key into the folder, once. days < 0: it has expired."""
    paths = [os.path.join(folder, f) for f in ("ca.crt", "server.crt", "server.key")]
    if all(os.path.exists(p) for p in paths):
        return paths
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Headnet test CA", "Headnet test CA", ca_key, ca_key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True,
                       content_commitment=False, key_encipherment=False, data_encipherment=False,
                       key_agreement=False, encipher_only=False, decipher_only=False), True),
    ], 30)
    names = [x509.DNSName(name)] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
    certificate = _certificate(name, "Headnet test CA", key, ca_key, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName(names), False),
    ], days)
    pem = serialization.Encoding.PEM
    _write(paths[0], ca.public_bytes(pem))
    _write(paths[1], certificate.public_bytes(pem))
    _write(paths[2], key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    os.chmod(paths[0], 0o644)
    return paths
