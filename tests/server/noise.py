# SPDX-License-Identifier: GPL-2.0-or-later
"""The responder's half of TS2021: the Noise IK handshake and the records that follow it.

tailscale: control/controlbase/{handshake,messages,conn}.go
"""

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = b"Noise_IK_25519_ChaChaPoly_BLAKE2s"
INITIATION_SIZE = 101
RECORD_MAX = 4096
PLAIN_MAX = RECORD_MAX - 3 - 16


class NoiseError(Exception):
    """The other side did not keep to the protocol."""


def new_private():
    """32 random bytes in the shape of a stored private key."""
    key = bytearray(os.urandom(32))
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    return bytes(key)


def public_of(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _exchange(private, public):
    key = X25519PublicKey.from_public_bytes(public)
    return X25519PrivateKey.from_private_bytes(private).exchange(key)


def _hash(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def _hkdf2(salt, material):
    prk = hmac.new(salt, material, hashlib.blake2s).digest()
    first = hmac.new(prk, b"\x01", hashlib.blake2s).digest()
    return first, hmac.new(prk, first + b"\x02", hashlib.blake2s).digest()


class _Symmetric:
    """The running hash and the chaining key."""

    def __init__(self, prologue, responder):
        self.h = self.ck = _hash(NAME)
        self.k = None
        self.mix_hash(prologue)
        self.mix_hash(responder)

    def mix_hash(self, data):
        self.h = _hash(self.h, data)

    def mix_key(self, secret):
        self.ck, self.k = _hkdf2(self.ck, secret)

    def open(self, box):
        plain = ChaCha20Poly1305(self.k).decrypt(bytes(12), box, self.h)
        self.mix_hash(box)
        return plain

    def seal(self, plain):
        box = ChaCha20Poly1305(self.k).encrypt(bytes(12), plain, self.h)
        self.mix_hash(box)
        return box


class Transport:
    """Seals and opens records, one counter a direction. The counters are big-endian."""

    def __init__(self, receive_key, send_key):
        self._rx, self._tx = ChaCha20Poly1305(receive_key), ChaCha20Poly1305(send_key)
        self.received = self.sent = 0

    def seal(self, plain):
        """The records, headers included, for any number of bytes; one for none."""
        out = []
        for start in range(0, len(plain) or 1, PLAIN_MAX):
            out.append(self.seal_one(plain[start:start + PLAIN_MAX]))
        return b"".join(out)

    def seal_one(self, plain):
        nonce = struct.pack(">IQ", 0, self.sent)
        self.sent += 1
        box = self._tx.encrypt(nonce, plain, b"")
        return struct.pack(">BH", 4, len(box)) + box

    def open(self, box):
        nonce = struct.pack(">IQ", 0, self.received)
        self.received += 1
        try:
            return self._rx.decrypt(nonce, box, b"")
        except InvalidTag:
            raise NoiseError(f"record {self.received - 1} does not open") from None


def respond(private, initiation, ephemeral=None):
    """Reads the client's first message.

    Returns (its version, its machine key, the answer to send, a Transport).
    """
    if len(initiation) != INITIATION_SIZE:
        raise NoiseError(f"an initiation of {len(initiation)} bytes")
    version, kind, length = struct.unpack(">HBH", initiation[:5])
    if (kind, length) != (1, INITIATION_SIZE - 5):
        raise NoiseError(f"type {kind}, length {length} instead of an initiation")
    noise = _Symmetric(b"Tailscale Control Protocol v%d" % version, public_of(private))
    theirs = initiation[5:37]
    noise.mix_hash(theirs)
    try:
        noise.mix_key(_exchange(private, theirs))
        machine = noise.open(initiation[37:85])
        noise.mix_key(_exchange(private, machine))
        noise.open(initiation[85:])
        ours = ephemeral or new_private()
        noise.mix_hash(public_of(ours))
        noise.mix_key(_exchange(ours, theirs))
        noise.mix_key(_exchange(ours, machine))
    except (InvalidTag, ValueError) as error:
        raise NoiseError(f"the initiation does not open: {error!r}") from None
    answer = struct.pack(">BH", 2, 48) + public_of(ours) + noise.seal(b"")
    return version, machine, answer, Transport(*_hkdf2(noise.ck, b""))
