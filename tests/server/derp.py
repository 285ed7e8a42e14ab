# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay (DERP): carries opaque packets between nodes, addressed by node key.

tailscale: derp/derp.go, derp/derpserver/derpserver.go
"""

import asyncio
import json
import os
import random
import struct

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

MAGIC = b"DERP\xf0\x9f\x94\x91"
DISCO = b"TS\xf0\x9f\x92\xac"
SERVER_KEY, CLIENT_INFO, SERVER_INFO = 1, 2, 3
SEND, RECV, KEEP_ALIVE, PREFERRED, PEER_GONE = 4, 5, 6, 7, 8
PING, PONG, HEALTH, RESTARTING = 0x12, 0x13, 0x14, 0x15
PACKET_MAX = 65536
QUEUE_MAX = 1 << 20  # bytes that wait for a slow client before packets to it are dropped


def frame(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">BI", kind, len(body)) + body


class RelayError(Exception):
    """A client that did not keep to the protocol, or is not welcome."""


class Relay:
    """All clients of the relay. admit (key) says whether a node may use it."""

    def __init__(self, private, scenario, admit):
        self.private = PrivateKey(private)
        self.public = bytes(self.private.public_key)
        self.scenario, self.admit = scenario, admit
        self.clients = {}
        self.packets = self.bytes = self.dropped = self.sessions = 0
        self.keep_alive_s = scenario.get("relay_keep_alive", 60)

    async def serve(self, reader, writer, headers):
        """The upgrade and all that follows, until the client goes."""
        fault = self.scenario.fault("derp") or {"do": ""}
        if fault["do"] == "status":
            code = int(fault.get("status", 503))
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % code)
            return
        if "derp" not in headers.get("upgrade", "").lower():
            writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        if fault["do"] == "close":
            return
        if headers.get("derp-fast-start") != "1":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n"
                         b"Connection: Upgrade\r\nDerp-Version: 2\r\nDerp-Public-Key: nodekey:" +
                         self.public.hex().encode() + b"\r\n\r\n")
        if fault["do"] == "stall":
            await writer.drain()
            await asyncio.sleep(float(fault.get("seconds", 3600)))
            return
        if fault["do"] == "garbage":
            writer.write(os.urandom(4096))
            await writer.drain()
            return
        magic = b"DERP!!!!" if fault["do"] == "magic" else MAGIC
        writer.write(frame(SERVER_KEY, magic, self.public))
        key = await asyncio.wait_for(self._login(reader, writer), 10)
        await self._session(reader, writer, key, fault)

    async def _login(self, reader, writer):
        kind, length = struct.unpack(">BI", await reader.readexactly(5))
        if kind != CLIENT_INFO or not 56 <= length <= 256 << 10:
            raise RelayError(f"frame {kind}, {length} bytes instead of ClientInfo")
        body = await reader.readexactly(length)
        key, box = body[:32], Box(self.private, PublicKey(body[:32]))
        try:
            info = json.loads(box.decrypt(body[32:]))
        except (CryptoError, ValueError) as error:
            raise RelayError(f"ClientInfo does not open: {error!r}") from None
        if info.get("version") != 2:
            raise RelayError(f"version {info.get('version')}")
        if not self.admit(key):
            raise RelayError(f"nodekey:{key.hex()} is nobody's")
        writer.write(frame(SERVER_INFO, bytes(box.encrypt(b'{"version":2}'))))
        return key

    async def _session(self, reader, writer, key, fault):
        client = Client(self, writer, key)
        self.sessions += 1
        old = self.clients.get(key)
        self.clients[key] = client
        if old:
            old.writer.close()
        keeper = asyncio.ensure_future(self._keep_alive(writer))
        try:
            if fault["do"] == "close-later":
                await asyncio.wait_for(client.run(reader), float(fault.get("seconds", 1)))
            elif fault["do"] == "garbage-later":
                await asyncio.sleep(float(fault.get("seconds", 1)))
                writer.write(os.urandom(4096))
                await writer.drain()
            else:
                if fault["do"] == "silent-later":
                    # takes all that comes, says nothing
                    await asyncio.sleep(float(fault.get("seconds", 1)))
                    keeper.cancel()
                    while await reader.read(1 << 18):
                        pass
                    return
                if fault["do"] == "health":
                    writer.write(frame(HEALTH, str(fault.get("text", "ill")).encode()))
                elif fault["do"] == "restarting":
                    writer.write(frame(RESTARTING, struct.pack(">II", 100, 1000)))
                await client.run(reader)
        finally:
            keeper.cancel()
            if self.clients.get(key) is client:
                del self.clients[key]
                for other in client.sent_to:
                    if other in self.clients:
                        self.clients[other].writer.write(frame(PEER_GONE, key, b"\0"))

    async def _keep_alive(self, writer):
        while True:
            await asyncio.sleep(self.keep_alive_s * random.uniform(1, 1.08))
            writer.write(frame(KEEP_ALIVE))

    def drop_all(self):
        """Ends every connection, as a relay that is restarted does."""
        for client in list(self.clients.values()):
            client.writer.close()


class Client:
    """One node that is connected."""

    def __init__(self, relay, writer, key):
        self.relay, self.writer, self.key = relay, writer, key
        self.sent_to = set()
        self.home = False
        self.outgoing = {}

    async def run(self, reader):
        buffer = bytearray()
        while True:
            data = await reader.read(1 << 18)
            if not data:
                return
            buffer += data
            offset = 0
            while len(buffer) - offset >= 5:
                kind, length = struct.unpack_from(">BI", buffer, offset)
                if length > 1 << 20:
                    raise RelayError(f"a frame of {length} bytes")
                if len(buffer) - offset < 5 + length:
                    break
                self._on_frame(kind, bytes(buffer[offset + 5:offset + 5 + length]))
                offset += 5 + length
            del buffer[:offset]
            # one write for all that came together: each costs a TLS record and a system call
            for other, frames in self.outgoing.items():
                other.writer.write(b"".join(frames))
            self.outgoing.clear()
            await self.writer.drain()

    def _on_frame(self, kind, body):
        if kind == SEND and 32 <= len(body) <= PACKET_MAX + 32:
            self._forward(body[:32], body[32:])
        elif kind == PREFERRED and body:
            self.home = body[0] == 1
        elif kind == PING and len(body) >= 8:
            self.writer.write(frame(PONG, body[:8]))

    def _forward(self, to, packet):
        relay = self.relay
        other = relay.clients.get(to)
        if other is None:
            if packet.startswith(DISCO):
                self.writer.write(frame(PEER_GONE, to, b"\1"))
            return
        if other.writer.transport.get_write_buffer_size() > QUEUE_MAX:
            relay.dropped += 1
            return
        self.sent_to.add(to)
        relay.packets += 1
        relay.bytes += len(packet)
        self.outgoing.setdefault(other, []).append(frame(RECV, self.key, packet))
