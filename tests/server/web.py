# SPDX-License-Identifier: GPL-2.0-or-later
"""The listener: plain HTTP/1.1 as far as it is needed, with or without TLS.

/key, the upgrade to TS2021, the relay, and the page where a person approves a node.
"""

import asyncio
import base64
import binascii
import html
import json
import os
import socket
import struct
import urllib.parse

from . import derp, noise
from .http2 import Connection

PAGE = """<!DOCTYPE html><html lang="en">
<head><meta charset="utf-8"><title>Test server</title></head>
<body><h1>{title}</h1>{body}</body></html>
"""
STALL_S = 3600


class Web:
    """Takes connections; knows who answers what."""

    def __init__(self, scenario, control, relay, key):
        self.scenario, self.control, self.relay, self.key = scenario, control, relay, key
        self.connections = set()

    async def serve(self, reader, writer):
        """One connection, to its end."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(writer)
        try:
            await self._accept(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError,
                ConnectionError, OSError):
            pass
        except (noise.NoiseError, derp.RelayError) as error:
            print(f"refused: {error}", flush=True)
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _accept(self, reader, writer):
        fault = self.scenario.fault("accept")
        if fault:
            return await self._raw_fault(fault, writer)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _version = (lines[0].split(" ") + ["", ""])[:3]
        headers = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        url = urllib.parse.urlsplit(target)
        if url.path == "/ts2021":
            return await self._upgrade(reader, writer, method, headers)
        if url.path == "/derp":
            return await self.relay.serve(reader, writer, headers)
        if url.path == "/key":
            return await self._key(writer, urllib.parse.parse_qs(url.query))
        if url.path in ("/derp/probe", "/derp/latency-check"):
            return self._answer(writer, 200, b"")
        if url.path.startswith("/register/"):
            return self._register(writer, method, url.path.rsplit("/", 1)[-1])
        return self._answer(writer, 404, b"404 page not found\n", "text/plain")

    @staticmethod
    def _answer(writer, status, body, content_type="text/html; charset=utf-8"):
        writer.write(b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n%s" % (
                         status, b"OK" if status == 200 else b"No", content_type.encode(),
                         len(body), body))

    async def _raw_fault(self, fault, writer):
        do = fault["do"]
        if do == "garbage":
            writer.write(os.urandom(2000))
            await writer.drain()
        elif do == "stall":
            await asyncio.sleep(float(fault.get("seconds", STALL_S)))
        elif do == "status":
            self._answer(writer, int(fault.get("status", 500)), b"fault\n", "text/plain")
        elif do == "raw":
            writer.write(bytes.fromhex(fault["raw"]))
        # anything else: the connection just ends

    async def _key(self, writer, query):
        fault = self.scenario.fault("key")
        key = noise.public_of(self.key)
        if fault and fault["do"] == "wrong-key":
            key = noise.public_of(noise.new_private())
        elif fault and fault["do"] == "html":
            return self._answer(writer, 200, b"<html><body>Welcome to the hotel</body></html>\n")
        elif fault and fault["do"] == "old-version":
            return self._answer(writer, 200, key.hex().encode(), "text/plain")
        elif fault and fault["do"] == "json":
            return self._answer(writer, 200, json.dumps(fault["json"]).encode(),
                                "application/json")
        elif fault:
            return await self._raw_fault(fault, writer)
        if not query.get("v", [""])[0].isdigit():
            return self._answer(writer, 400, b"capability version must be set\n", "text/plain")
        body = {"legacyPublicKey": "mkey:" + "0" * 64, "publicKey": "mkey:" + key.hex()}
        return self._answer(writer, 200, json.dumps(body).encode(), "application/json")

    async def _upgrade(self, reader, writer, method, headers):
        fault = self.scenario.fault("upgrade") or {"do": ""}
        do = fault["do"]
        if do in ("status", "garbage", "close", "stall", "raw"):
            return await self._raw_fault(fault, writer)
        if method != "POST" or "tailscale-control-protocol" not in headers.get("upgrade", ""):
            return self._answer(writer, 500, b"Internal error\n", "text/plain")
        try:
            initiation = base64.b64decode(headers["x-tailscale-handshake"], validate=True)
        except KeyError:
            return self._answer(writer, 400, b"missing Tailscale handshake header\n", "text/plain")
        except binascii.Error:
            return self._answer(writer, 400, b"not base64\n", "text/plain")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
                     b"Connection: upgrade\r\n\r\n")
        await writer.drain()
        if do in ("close-after", "old-version"):
            return None
        if do == "error":
            text = str(fault.get("error", "go away")).encode()
            return writer.write(struct.pack(">BH", 3, len(text)) + text)
        key = noise.new_private() if do == "wrong-key" else self.key
        _version, machine, answer, transport = noise.respond(key, initiation)
        if do == "wrong-noise":
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        writer.write(answer)
        machine = "mkey:" + machine.hex()
        connection = Connection(reader, writer, transport,
                                lambda stream: self.control.handle(stream, machine))
        connection.tamper = self._tamper
        connection.no_window = do == "no-window"
        if do != "no-early":
            challenge = "chalpub:" + noise.public_of(noise.new_private()).hex()
            await connection.early_payload({"nodeKeyChallenge": challenge})
        await connection.run()
        return None

    def _tamper(self, transport, records):
        """The faults of records that leave; records are complete, with their headers."""
        fault = self.scenario.fault("record")
        if not fault:
            return records
        do = fault["do"]
        if do == "truncated":
            return records[:len(records) // 2]
        if do == "oversized":
            return b"\4\xff\xff" + os.urandom(65535)
        if do == "reordered":
            transport.sent += 1
            return records
        if do == "empty":
            return records + transport.seal_one(b"")
        if do == "type":
            return b"\7" + records[1:]
        return records[:3] + os.urandom(len(records) - 3)

    def _register(self, writer, method, number):
        """GET shows a button, POST is the button."""
        if number not in self.control.pending:
            page = PAGE.format(title="Nobody waits here",
                               body="<p>The link is too old, or was used.</p>")
            return self._answer(writer, 404, page.encode())
        name = html.escape(str(self.control.pending[number][2].get("Hostname", "?")))
        if method == "POST":
            self.control.approve(number)
            page = PAGE.format(title="Done", body=f"<p>{name} is in the tailnet.</p>")
        else:
            page = PAGE.format(title=f"Let {name} in?",
                               body="<form method=\"post\"><button>Approve</button></form>")
        return self._answer(writer, 200, page.encode())

    def close_all(self, but_relay=False):
        """Ends every connection, as a server that is restarted does."""
        spared = {c.writer for c in self.relay.clients.values()} if but_relay else set()
        for writer in self.connections - spared:
            writer.transport.abort()
