# SPDX-License-Identifier: GPL-2.0-or-later
"""The real programs that the client under test meets: Headscale and tailscaled."""

import http.client
import json
import os
import re
import secrets
import socket
import sys
import time
import urllib.parse

from lab import LabError, Process, run, wait_for

PEERS = os.environ.get("HEADNET_PEERS", "/var/cache/headnet/peers")
TAILSCALE = "1.102.5"
HERE = os.path.dirname(os.path.abspath(__file__))


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, lab):
        self.lab = lab
        self.certificate = lab.path("ca", "ca.crt")
        self.key = lab.path("ca", "ca.key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-subj", "/CN=headnet test CA", "-addext",
            "basicConstraints=critical,CA:TRUE", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, address):
        """Returns the files of a certificate and its key."""
        base = self.lab.path("ca", name)
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        with open(f"{base}.ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName=DNS:{name},IP:{address}\nextendedKeyUsage=serverAuth\n")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.certificate, "-CAkey",
            self.key, "-CAcreateserial", "-days", "30", "-out", f"{base}.crt", "-extfile",
            f"{base}.ext")
        return f"{base}.crt", f"{base}.key"


class Headscale:
    """A coordination server with its relay, on a host of its own, as https://NAME."""

    USER = "lab"

    def __init__(self, lab, version, name="hs.test", host="c", tls=True,
                 prefixes=("100.64.0.0/16", "fd7a:115c:a1e0::/64"), domain="tailnet.test"):
        self.lab, self.version, self.name, self.domain = lab, version, name, domain
        self.program = f"{PEERS}/headscale-{version}/headscale"
        self.minor = int(version.split(".")[1])
        self.host = lab.host(host)
        self.ca = None
        self.url = f"https://{name}" if tls else f"http://{name}:8080"
        self.dir = lab.path(f"headscale.{host}", "")
        self.config = f"{self.dir}config.yaml"
        self.process = None
        lab.add_name(name, self.host.address)
        certificate = key = ""
        if tls:
            authority = Authority(lab) if not hasattr(lab, "authority") else lab.authority
            lab.authority = authority
            self.ca = authority.certificate
            certificate, key = authority.issue(name, self.host.address)
        self._write_config(tls, certificate, key, prefixes)
        self.start()
        self.cli("users", "create", self.USER)
        self.user_id = self.USER
        if self.minor >= 26:
            self.user_id = next(u["id"] for u in self.cli_json("users", "list")
                                if u["name"] == self.USER)

    def _write_config(self, tls, certificate, key, prefixes):
        config = {
            "server_url": self.url,
            "listen_addr": "0.0.0.0:443" if tls else "0.0.0.0:8080",
            "metrics_listen_addr": "127.0.0.1:9090",
            "grpc_listen_addr": "127.0.0.1:50443",
            "grpc_allow_insecure": True,
            "disable_check_updates": True,
            "noise": {"private_key_path": f"{self.dir}noise.key"},
            "prefixes": {"v4": prefixes[0], "v6": prefixes[1], "allocation": "sequential"},
            "derp": {
                "server": {
                    "enabled": True, "region_id": 999, "region_code": "lab", "region_name": "Lab",
                    "stun_listen_addr": "0.0.0.0:3478", "private_key_path": f"{self.dir}derp.key",
                    "automatically_add_embedded_derp_region": True, "verify_clients": True,
                    "ipv4": self.host.address, "ipv6": "",
                },
                "urls": [], "paths": [], "auto_update_enabled": False,
            },
            "database": {"type": "sqlite", "sqlite": {"path": f"{self.dir}db.sqlite",
                                                      "write_ahead_log": True}},
            "tls_cert_path": certificate,
            "tls_key_path": key,
            "log": {"format": "text", "level": "info"},
            "policy": {"mode": "file", "path": f"{self.dir}policy.json"},
            "dns": {"magic_dns": True, "base_domain": self.domain, "override_local_dns": False,
                    "nameservers": {"global": [], "split": {}}, "search_domains": [],
                    "extra_records": []},
            "unix_socket": f"{self.dir}socket",
            "unix_socket_permission": "0700",
            "logtail": {"enabled": False},
        }
        if self.minor < 29:
            config["ephemeral_node_inactivity_timeout"] = "2m"
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(config, file)  # which is YAML, too
        self.set_policy({"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]})

    def set_policy(self, policy):
        """Writes the access policy; a running server has to be told."""
        with open(f"{self.dir}policy.json", "w", encoding="utf-8") as file:
            json.dump(policy, file)

    def start(self):
        self.process = self.host.start(f"headscale.{self.host.name}", self.program, "-c",
                                       self.config, "serve")

        def answers():
            if not self.process.alive:
                raise RuntimeError("Headscale ended:\n" + self.process.text()[-2000:])
            return self.cli("users", "list", timeout=5, check=False).returncode == 0

        wait_for("Headscale answers", answers, timeout=30, interval=0.1)

    def stop(self):
        self.process.stop()

    def cli(self, *args, **options):
        """The headscale command; it talks to the server over a socket file."""
        return run(self.program, "-c", self.config, *args, **options)

    def cli_json(self, *args):
        return json.loads(self.cli(*args, "-o", "json").stdout or "null")

    def key(self, *args):
        """A fresh pre-authentication key."""
        return self.cli_json("preauthkeys", "create", "--user", self.user_id, *args)["key"]

    def nodes(self):
        return self.cli_json("nodes", "list") or []

    def node(self, name):
        """The node that is called so now, as the server lists it."""
        for node in self.nodes():
            if name in (node.get("given_name"), node.get("name")):
                return node
        raise LabError(f"Headscale has no node {name}")

    def expire(self, name):
        self.cli("nodes", "expire", "-i", self.node(name)["id"])

    def delete(self, name):
        self.cli("nodes", "delete", "-i", self.node(name)["id"], "--force")

    def rename(self, name, new):
        self.cli("nodes", "rename", "-i", self.node(name)["id"], new)

    def add_nodes(self, count):
        """Nodes that exist only in the server's list, n0, n1 and so on."""
        for i in range(count):
            key = f"hskey-authreq-{secrets.token_hex(12)}" if self.minor >= 29 else \
                f"mkey:{secrets.token_hex(32)}"
            self.cli("debug", "create-node", "--user", self.USER, "--key", key, "--name", f"n{i}")
            self._register(key)

    def approve(self, url):
        """What an administrator does with the address that a person was shown."""
        parts = urllib.parse.urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == self.url, url
        self._register(re.fullmatch(r"/(?:register|auth)/(.+)", parts.path).group(1))

    def _register(self, code):
        if self.minor >= 29:
            self.cli("auth", "register", "--user", self.USER, "--auth-id", code)
        else:
            self.cli("nodes", "register", "--user", self.USER, "--key", code)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path):
        super().__init__("local-tailscaled.sock", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Tailscaled:
    """The reference client on a host."""

    def __init__(self, lab, host, server, hostname=None, up=True):
        self.lab, self.host, self.server = lab, lab.host(host), server
        self.hostname = hostname or f"ts-{host}"
        self.bin = f"{PEERS}/tailscale-{TAILSCALE}"
        self.dir = lab.path(f"tailscaled.{host}", "")
        self.socket = f"{self.dir}socket"
        self.env = dict(os.environ, TS_DEBUG_FIREWALL_MODE="nftables")
        if server.ca:
            self.env["SSL_CERT_FILE"] = server.ca
        self.process = None
        self.start()
        if up:
            self.up()

    def start(self):
        self.process = self.host.start(
            f"tailscaled.{self.host.name}", f"{self.bin}/tailscaled", "--tun=tailscale0",
            f"--statedir={self.dir}", f"--socket={self.socket}", "--no-logs-no-support",
            env=self.env)
        wait_for("tailscaled listens", lambda: os.path.exists(self.socket) and self.status())

    def stop(self):
        """Ends it without a word to the server, as a machine that loses power."""
        self.process.stop(sig=9)
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.host.run("ip", "link", "del", "tailscale0", check=False)

    def cli(self, *args, **options):
        return self.host.run(f"{self.bin}/tailscale", f"--socket={self.socket}", *args,
                             env=self.env, **options)

    def up(self):
        self.cli("up", f"--login-server={self.server.url}", f"--auth-key={self.server.key()}",
                 f"--hostname={self.hostname}", "--timeout=40s", timeout=50)

    def status(self):
        """Its status, by its own socket: cheap enough to look often."""
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", "/localapi/v0/status")
            return json.load(connection.getresponse())
        except OSError as error:
            raise LabError(f"tailscaled: {error}") from None
        finally:
            connection.close()

    @property
    def addresses(self):
        return self.status()["TailscaleIPs"]

    @property
    def name(self):
        return self.status()["Self"]["DNSName"].rstrip(".")

    def sees(self, name):
        """How it sees the peer with this first label, or None."""
        for peer in (self.status().get("Peer") or {}).values():
            if peer["DNSName"].split(".")[0] == name:
                return peer
        return None


class Reference:
    """When the reference client first saw something: the clock that the client under test is
    measured against, for both get the server's frames in the same batches."""

    def __init__(self, peer):
        self.peer = peer

    def wait(self, what, condition, timeout=40):
        """Waits until condition(peer) holds and returns that moment (time.monotonic())."""
        wait_for(f"the reference client sees {what}", lambda: condition(self.peer), timeout, 0.02)
        return time.monotonic()


class WebServer(Process):
    """Serves a folder on every address of a host."""

    PORT = 8000

    def __init__(self, lab, host, folder):
        super().__init__(lab, f"web.{host.name}",
                         host.argv(sys.executable, "-B", os.path.join(HERE, "serve.py"), folder,
                                   str(self.PORT)))
        wait_for("the web server listens",
                 lambda: f":{self.PORT}" in host.run("ss", "-Hltn").stdout)
