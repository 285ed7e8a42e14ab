# SPDX-License-Identifier: GPL-2.0-or-later
r"""A coordination server, relay and STUN server in one process, for tests and for trying out.

From tests/:

    python3 -B -m server run --url https://hs.test --listen 203.0.113.1 --state DIR \
        [--scenario FILE]
    python3 -B -m server ask --state DIR '{"do": "key"}'

DIR keeps the keys, the certificates (ca.crt) and the nodes. What the server does beyond the
protocol is a scenario file (scenario.py); what can be asked of it while it runs is in commands.py.
It says nothing about real servers: the interop suite has those.
"""

import argparse
import asyncio
import json
import os
import signal
import ssl
import sys
import time
import urllib.parse

from . import certificates, commands, noise
from .control import Control
from .derp import Relay
from .scenario import Scenario, ScenarioError
from .stun import Stun
from .tailnet import Tailnet
from .web import Web

REGION = 900


def kept_key(folder, name):
    """A private key that lives in the folder; made when there is none."""
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="ascii") as file:
            return bytes.fromhex(file.read().strip())
    except FileNotFoundError:
        key = noise.new_private()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
        return key


class Server:
    """All of it."""

    def __init__(self, args, scenario):
        self.args, self.scenario, self.url = args, scenario, args.url.rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ScenarioError("--url must be http://NAME[:PORT] or https://NAME[:PORT]")
        self.tls, self.name = parts.scheme == "https", parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.stopping = asyncio.Event()
        os.makedirs(args.state, exist_ok=True)
        self.tailnet = Tailnet(os.path.join(args.state, "tailnet.json"), scenario)
        self.relay = Relay(
            kept_key(args.state, "relay.key"), scenario,
            lambda key: self.tailnet.by_key("nodekey:" + key.hex()) is not None)
        self.control = Control(self.tailnet, scenario, self.url, self.derp_map())
        self.web = Web(scenario, self.control, self.relay, kept_key(args.state, "noise.key"))
        self.stun = Stun(scenario)
        self.churn_rate = float(scenario.get("fake_peers", {}).get("churn", 0))

    def derp_map(self):
        node = {"Name": "900a", "RegionID": REGION, "HostName": self.name, "DERPPort": self.port,
                "STUNPort": self.args.stun_port}
        if self.args.listen not in ("0.0.0.0", "::"):
            node["IPv6" if ":" in self.args.listen else "IPv4"] = self.args.listen
        return {"Regions": {str(REGION): {"RegionID": REGION, "RegionCode": "test",
                                          "RegionName": "Test", "Nodes": [node]}}}

    async def run(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        context = None
        if self.tls:
            context = self._tls_context(certificates.make(
                self.args.state, self.name, self._addresses()))
            context.sni_callback = self._choose_certificate
        listener = await asyncio.start_server(self.web.serve, self.args.listen, self.port,
                                              ssl=context, limit=1 << 18)
        udp, _protocol = await loop.create_datagram_endpoint(
            lambda: self.stun, local_addr=(self.args.listen, self.args.stun_port))
        path = os.path.join(self.args.state, "socket")
        if os.path.exists(path):
            os.unlink(path)
        actions = commands.Commands(self)
        control = await asyncio.start_unix_server(actions.serve, path, limit=1 << 24)
        tasks = [asyncio.ensure_future(actions.steps(self.scenario.get("steps", []))),
                 asyncio.ensure_future(self._churn())]
        print(f"serving {self.url} on {self.args.listen}, port {self.port}", flush=True)
        await self.stopping.wait()
        for task in tasks:
            task.cancel()
        listener.close()
        control.close()
        udp.close()
        self.web.close_all()
        self.tailnet.save()
        os.unlink(path)

    def _addresses(self):
        return [] if self.args.listen in ("0.0.0.0", "::") else [self.args.listen]

    @staticmethod
    def _tls_context(files):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files[1:])
        return context

    def _choose_certificate(self, connection, _name, _context):
        fault = self.scenario.fault("tls")
        if fault:
            connection.context = self._tls_context(certificates.make_bad(
                self.args.state, self.name, self._addresses(), fault["do"]))

    async def _churn(self):
        """As many changes a second as the rate says just then, in groups when they are many."""
        owed, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            owed += (now - last) * self.churn_rate
            last = now
            while owed >= 1:
                owed -= 1
                self.tailnet.churn()


async def serve(args):
    scenario = Scenario.load(args.scenario) if args.scenario else Scenario()
    await Server(args, scenario).run()


def main():
    parser = argparse.ArgumentParser(prog="server", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="command", required=True)
    run = parts.add_parser("run", help="serve until a signal")
    run.add_argument("--url", required=True, help="what clients are told, https or http")
    run.add_argument("--listen", default="0.0.0.0", help="address of this machine")
    run.add_argument("--stun-port", type=int, default=3478)
    run.add_argument("--scenario", help="JSON or YAML file, see scenario.py")
    ask = parts.add_parser("ask", help="ask a running server something, see commands.py")
    ask.add_argument("request", help="a JSON object, or only the word of its \"do\"")
    for part in (run, ask):
        part.add_argument("--state", required=True, help="folder for keys and nodes")
    args = parser.parse_args()
    if args.command == "ask":
        text = args.request
        request = json.loads(text) if text.startswith("{") else {"do": text}
        try:
            reply = commands.ask(os.path.join(args.state, "socket"), request)
        except (ValueError, OSError) as error:
            sys.exit(f"server: {error}")
        print(reply["key"] if "key" in reply else json.dumps(reply, indent=1))
        return
    try:
        asyncio.run(serve(args))
    except (ScenarioError, OSError, ValueError) as error:
        sys.exit(f"server: {error}")


if __name__ == "__main__":
    main()
