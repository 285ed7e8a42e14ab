# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate authority of the test server's own, the certificate of its name, and bad ones."""

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


def _write_key(path, key):
    _write(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                   serialization.NoEncryption()))


def _authority(folder):
    """Certificate and key of the authority in this folder; made when there is none."""
    paths = [os.path.join(folder, f) for f in ("ca.crt", "ca.key")]
    if all(os.path.exists(p) for p in paths):
        with open(paths[1], "rb") as file:
            return paths[0], serialization.load_pem_private_key(file.read(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("Headnet test CA", "Headnet test CA", key, key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True,
                       content_commitment=False, key_encipherment=False, data_encipherment=False,
                       key_agreement=False, encipher_only=False, decipher_only=False), True),
    ], 30)
    _write(paths[0], certificate.public_bytes(serialization.Encoding.PEM))
    os.chmod(paths[0], 0o644)
    _write_key(paths[1], key)
    return paths[0], key


def make(folder, name, addresses=(), days=30, label="server"):
    """Writes ca.crt, LABEL.crt and LABEL.key into the folder, once, and returns their paths.
    days < 0: it has expired."""
    ca, ca_key = _authority(folder)
    paths = [os.path.join(folder, f"{label}.{ending}") for ending in ("crt", "key")]
    if not all(os.path.exists(p) for p in paths):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name)] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        certificate = _certificate(name, "Headnet test CA", key, ca_key, [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName(names), False),
        ], days)
        _write(paths[0], certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(paths[1], key)
    return [ca, *paths]


def make_bad(folder, name, addresses, what):
    """The same for a certificate that nobody may trust: unknown-ca, wrong-name or expired."""
    if what == "unknown-ca":
        folder = os.path.join(folder, "stranger")
        os.makedirs(folder, exist_ok=True)
        return make(folder, name, addresses)
    if what == "wrong-name":
        return make(folder, "other.test", (), label=what)
    return make(folder, name, addresses, -2, what)
