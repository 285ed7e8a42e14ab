# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said inside TS2021: register, the map stream, and updates of a node about itself.

tailscale: tailcfg/tailcfg.go; headscale: hscontrol/{noise,auth,poll}.go
"""

import asyncio
import datetime
import json
import os
import random
import secrets
import struct

import zstandard

MIN_VERSION = 68
WAKE = {}  # known by its identity


class Session:
    """A map stream that is open."""

    def __init__(self):
        self.queue = asyncio.Queue()


class Control:
    """Answers the requests of nodes. machine is the key that opened the connection."""

    def __init__(self, tailnet, scenario, url, derp_map):
        self.tailnet, self.scenario, self.url, self.derp_map = tailnet, scenario, url, derp_map
        self.pending = {}  # id: (machine, node key, hostinfo, future)
        self.requests = []

    async def handle(self, stream, machine):
        self.requests.append(stream.path)
        del self.requests[:-1000]
        fault = self.scenario.fault("http2")
        if fault:
            return await self._common_fault(fault, stream)
        if stream.method != "POST" or stream.path not in ("/machine/register", "/machine/map"):
            return await stream.respond(404, "404 page not found\n", "text/plain")
        try:
            request = json.loads(bytes(stream.body))
            version, key = int(request["Version"]), str(request["NodeKey"])
        except (ValueError, KeyError, TypeError):
            return await stream.respond(400, "bad request\n", "text/plain")
        if version < MIN_VERSION:
            return await stream.respond(400, f"unsupported client version: ({version})\n",
                                        "text/plain")
        if stream.path == "/machine/register":
            return await self._register(stream, request, machine, key)
        return await self._map(stream, request, machine, key)

    async def _common_fault(self, fault, stream):
        do = fault["do"]
        if do == "goaway":
            stream.connection.h2.close_connection(int(fault.get("code", 0)))
            await stream.connection.flush()
            stream.connection.close()
        elif do == "reset":
            await stream.reset(int(fault.get("code", 2)))
        elif do == "stall":
            await asyncio.sleep(float(fault.get("seconds", 3600)))
        elif do == "status":
            await stream.respond(int(fault.get("status", 500)), fault.get("text", "fault\n"),
                                 "text/plain")
        elif do == "raw":
            await stream.respond(200, str(fault["raw"]))
        elif do == "json":
            await stream.respond(200, fault["json"])
        elif do == "old-version":
            await stream.respond(400, "unsupported client version\n", "text/plain")
        else:
            stream.connection.close()

    # register

    async def _register(self, stream, request, machine, key):
        fault = self.scenario.fault("register")
        if fault and fault["do"] == "error":
            return await stream.respond(200, {"Error": fault.get("error", "no")})
        if fault:
            return await self._common_fault(fault, stream)
        hostinfo = request.get("Hostinfo") or {}
        node = self.tailnet.by_key(key)
        if node and node.machine != machine:
            return await self._refuse(stream, "node exists with a different machine key")
        if self._is_past(request.get("Expiry")):
            if node:
                self.tailnet.expire(node)
            return await stream.respond(200, {"NodeKeyExpired": True, "MachineAuthorized": False})
        auth = (request.get("Auth") or {}).get("AuthKey")
        if auth:
            if not (node and not node.expired):
                refusal = self.tailnet.refusal(auth)
                if refusal:
                    return await self._refuse(stream, refusal)
                self.tailnet.keys[auth]["used"] = True
            return await self._welcome(stream, machine, key, hostinfo)
        if node and not node.expired:
            return await self._success(stream)
        if node:
            return await stream.respond(200, {"NodeKeyExpired": True, "MachineAuthorized": False})
        if request.get("Followup"):
            waiting = self.pending.get(str(request["Followup"]).rsplit("/", 1)[-1])
            if waiting and waiting[:2] == (machine, key):
                await asyncio.shield(waiting[3])
                return await self._welcome(stream, machine, key, hostinfo)
        return await self._ask(stream, machine, key, hostinfo)

    @staticmethod
    def _is_past(expiry):
        try:
            moment = datetime.datetime.fromisoformat((expiry or "").replace("Z", "+00:00"))
        except ValueError:
            return False
        return moment.year > 1 and moment < datetime.datetime.now(datetime.timezone.utc)

    async def _ask(self, stream, machine, key, hostinfo):
        """A person has to approve it at an address of ours."""
        number = f"hskey-authreq-{secrets.token_hex(12)}"
        future = asyncio.get_running_loop().create_future()
        self.pending[number] = (machine, key, hostinfo, future)
        await stream.respond(200, {"AuthURL": f"{self.url}/register/{number}",
                                   "MachineAuthorized": False})

    def approve(self, number):
        """What the person does. False if nobody waits under this number."""
        waiting = self.pending.get(number)
        if not waiting:
            return False
        if not waiting[3].done():
            self.tailnet.enrol(*waiting[:3])
            waiting[3].set_result(True)
        return True

    async def _welcome(self, stream, machine, key, hostinfo):
        self.tailnet.enrol(machine, key, hostinfo)
        await self._success(stream)

    async def _success(self, stream):
        user = self.tailnet.user
        await stream.respond(200, {
            "User": {"ID": 1, "DisplayName": user},
            "Login": {"ID": 1, "Provider": "", "LoginName": user, "DisplayName": user},
            "NodeKeyExpired": False, "MachineAuthorized": True, "AuthURL": "", "Error": ""})

    @staticmethod
    async def _refuse(stream, why):
        await stream.respond(200, {"Error": why, "MachineAuthorized": False})

    # map

    async def _map(self, stream, request, machine, key):
        node = self.tailnet.by_key(key)
        if not node or node.machine != machine:
            return await stream.respond(404, "node not found\n", "text/plain")
        self._update(node, request)
        if not request.get("Stream"):
            return await stream.respond(200)
        fault = self.scenario.fault("map", first=True)
        if fault and fault["do"] in ("status", "reset", "stall", "close", "goaway"):
            return await self._common_fault(fault, stream)
        await self._stream(stream, node, request.get("Compress") == "zstd", fault)

    def _update(self, node, request):
        """What the node says about itself; others hear only of a real change."""
        hostinfo = request.get("Hostinfo") or node.hostinfo
        home = (hostinfo.get("NetInfo") or {}).get("PreferredDERP") or node.home
        new = {"disco": request.get("DiscoKey") or node.disco, "home": home,
               "endpoints": request.get("Endpoints") or node.endpoints, "hostinfo": hostinfo}
        old = {name: getattr(node, name) for name in new}
        if new == old:
            return
        for name, value in new.items():
            setattr(node, name, value)
        self.tailnet.save()
        if new["disco"] == old["disco"] and self._told(new["hostinfo"]) == self._told(
                old["hostinfo"]):
            patch = {"NodeID": node.id, "Endpoints": node.endpoints, "DERPRegion": node.home}
            self.tailnet.tell({"PeersChangedPatch": [patch]}, but=node.id)
        else:
            self.tailnet.changed(node)

    @staticmethod
    def _told(hostinfo):
        return {k: v for k, v in hostinfo.items() if k != "NetInfo"}

    async def _stream(self, stream, node, compress, fault):
        session, mine = Session(), self.tailnet.sessions.setdefault(node.id, [])
        mine.append(session)
        self.tailnet.set_online(node, True)
        sender = FrameSender(stream, compress)
        try:
            await stream.start(200)
            if fault:
                await self._map_fault(fault, stream, sender)
            await sender.send(self.tailnet.full(node, self.derp_map))
            while True:
                fault = self.scenario.fault("map", first=False)
                if fault:
                    await asyncio.sleep(float(fault.get("after", 0)))
                    await self._map_fault(fault, stream, sender)
                    continue
                message = await self._next(session)
                if message is None:
                    return await stream.send(b"", end=True)
                if message is not WAKE:
                    await sender.send(message)
        finally:
            if session in mine:
                mine.remove(session)
            if not mine:
                asyncio.ensure_future(self._offline(node))

    async def _next(self, session):
        """The next message, or a keep-alive."""
        period = float(self.scenario.get("keep_alive", 50)) * random.uniform(1, 1.1)
        try:
            return await asyncio.wait_for(session.queue.get(), period)
        except asyncio.TimeoutError:
            return {"KeepAlive": True}

    def wake(self):
        """A fault was ordered: streams where nothing happens shall look for it."""
        for sessions in self.tailnet.sessions.values():
            for session in sessions:
                session.queue.put_nowait(WAKE)

    async def _offline(self, node):
        """A node without a stream is offline a moment later: it may only be starting another."""
        await asyncio.sleep(float(self.scenario.get("offline_after", 0.5)))
        if not self.tailnet.sessions.get(node.id) and node.id in self.tailnet.nodes:
            self.tailnet.set_online(node, False)

    async def _map_fault(self, fault, stream, sender):
        do = fault["do"]
        if do == "json":
            await sender.send(fault["json"])
        elif do == "raw":
            await stream.send(bytes.fromhex(fault["raw"]))
        elif do == "garbage":
            await sender.send_bytes(os.urandom(1000))
        elif do == "zero":
            await stream.send(bytes(4))
        elif do == "huge":
            await stream.send(b"\xff\xff\xff\x7f" + bytes(1 << 16))
        elif do == "deep":
            await sender.send_bytes(b'{"Peers":' + b"[" * 100_000 + b"]" * 100_000 + b"}", True)
        elif do == "bomb":
            size = int(fault.get("bytes", 1 << 30))
            packer = zstandard.ZstdCompressor(level=3).compressobj()
            body = bytearray(packer.compress(b'{"Health":["'))
            for _ in range(size >> 20):
                body += packer.compress(bytes(1 << 20))
            await sender.send_bytes(bytes(body + packer.flush()))
        elif do == "end":
            await stream.send(b"", end=True)
        else:
            await self._common_fault(fault, stream)


class FrameSender:
    """Length, then zstd or JSON. The length is little-endian."""

    def __init__(self, stream, compress):
        self.stream, self.compress = stream, compress

    async def send(self, message):
        await self.send_bytes(json.dumps(message).encode(), True)

    async def send_bytes(self, body, pack=False):
        if pack and self.compress:
            body = zstandard.ZstdCompressor(level=1).compress(body)
        await self.stream.send(struct.pack("<I", len(body)) + body)
