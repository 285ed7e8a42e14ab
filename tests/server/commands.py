# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be asked of a running server, over a socket file: one JSON object a line each way.

    {"do": "key", "reusable": false, "expires": SECONDS}       a new pre-auth key
    {"do": "nodes"}   {"do": "stats"}   {"do": "pending"}
    {"do": "approve", "url": URL}
    {"do": "delete" | "expire" | "rename", "node": NAME, "to": NAME}
    {"do": "fault", "fault": {...}}   {"do": "clear", "at": POINT}
    {"do": "tell", "node": NAME, "message": {...}}             a MapResponse of your own
    {"do": "disconnect", "of": "relay" | "control"}            connections end, all or some
    {"do": "fake", "count": N}   {"do": "fakes"}               fake peers, more of them or a list
    {"do": "churn", "rate": N}                                 changes of them a second from now on
    {"do": "stop"}

The same words are the steps of a scenario.
"""

import asyncio
import json
import socket

from .scenario import ScenarioError


class Commands:
    """Carries out requests; replies are objects with "error" in them when it went wrong."""

    def __init__(self, server):
        self.server = server

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                try:
                    reply = self.carry_out(json.loads(line))
                except (KeyError, ValueError, TypeError, ScenarioError) as error:
                    reply = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def steps(self, steps):
        """The steps of a scenario, one after the other."""
        for step in steps:
            await asyncio.sleep(float(step.get("after", 0)))
            print(f"step: {json.dumps(step)}", flush=True)
            try:
                self.carry_out(step)
            except (KeyError, ValueError, TypeError, ScenarioError) as error:
                print(f"step failed: {error!r}", flush=True)

    def carry_out(self, request):
        name = "do_" + str(request.get("do"))
        if not hasattr(self, name):
            raise ValueError(f"nobody knows how to do {request.get('do')}")
        return getattr(self, name)(request)

    def _node(self, request):
        node = self.server.tailnet.by_name(str(request["node"]))
        if not node:
            raise ValueError(f"no node {request['node']}")
        return node

    def do_key(self, request):
        return {"key": self.server.tailnet.add_key(bool(request.get("reusable")),
                                                   request.get("expires"))}

    def do_nodes(self, _request):
        return {"nodes": [{
            "name": n.name, "id": n.id, "key": n.key, "online": n.online, "expired": n.expired,
            "addresses": [a.split("/")[0] for a in n.addresses], "endpoints": n.endpoints,
            "home": n.home, "os": n.hostinfo.get("OS", ""),
            "hostname": n.hostinfo.get("Hostname", "")}
            for n in self.server.tailnet.nodes.values()]}

    def do_stats(self, _request):
        relay = self.server.relay
        return {"relay_clients": len(relay.clients), "relay_sessions": relay.sessions,
                "relay_packets": relay.packets,
                "relay_bytes": relay.bytes, "relay_dropped": relay.dropped,
                "stun": self.server.stun.served, "faults": self.server.scenario.happened,
                "fakes": len(self.server.tailnet.fakes), "changes": self.server.tailnet.changes,
                "streams": sum(map(len, self.server.tailnet.sessions.values())),
                "requests": self.server.control.requests[-50:]}

    def do_pending(self, _request):
        return {"pending": [f"{self.server.url}/register/{number}" for number, waiting in
                            self.server.control.pending.items() if not waiting[3].done()]}

    def do_approve(self, request):
        if not self.server.control.approve(str(request["url"]).rsplit("/", 1)[-1]):
            raise ValueError("nobody waits there")
        return {}

    def do_delete(self, request):
        self.server.tailnet.remove(self._node(request))
        return {}

    def do_expire(self, request):
        self.server.tailnet.expire(self._node(request))
        return {}

    def do_rename(self, request):
        self.server.tailnet.rename(self._node(request), str(request["to"]))
        return {}

    def do_fault(self, request):
        self.server.scenario.add_fault(dict(request["fault"]))
        self.server.control.wake()
        return {}

    def do_clear(self, request):
        self.server.scenario.clear_faults(request.get("at"))
        return {}

    def do_tell(self, request):
        node = self._node(request)
        for session in self.server.tailnet.sessions.get(node.id, []):
            session.queue.put_nowait(request["message"])
        return {}

    def do_disconnect(self, request):
        if request.get("of") == "relay":
            self.server.relay.drop_all()
        else:
            self.server.web.close_all(but_relay=request.get("of") == "control")
        return {}

    def do_fake(self, request):
        for _ in range(int(request.get("count", 1))):
            self.server.tailnet.changed(self.server.tailnet.add_fake())
        return {}

    def do_fakes(self, _request):
        return {"fakes": [{"name": n.name, "online": n.online, "os": n.hostinfo["OS"],
                           "addresses": [a.split("/")[0] for a in n.addresses]}
                          for n in self.server.tailnet.fakes.values()]}

    def do_churn(self, request):
        self.server.churn_rate = float(request["rate"])
        return {}

    def do_stop(self, _request):
        self.server.stopping.set()
        return {}


def ask(path, request, timeout=10):
    """Sends one request to a running server and returns its reply."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as file:
            reply = json.loads(file.readline())
    if "error" in reply:
        raise ValueError(reply["error"])
    return reply
