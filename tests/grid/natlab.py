# SPDX-License-Identifier: GPL-2.0-or-later
"""The laboratory of tests/interop with two sites behind routers of their own:

    a - ra - net - rb - b        and public hosts on net, such as the server c

A router's NAT is of one of these kinds:

    none     it only routes; the host behind it has an address that all can reach
    easy     one mapping for all destinations, keeping the port; filtered by address and port
    hard     a new port for every destination ("symmetric")
    blocked  easy, and all UDP dropped: only TCP gets through, and so only a relay is left

With mapping both routers run miniupnpd, which opens ports on demand: "all" by PCP, NAT-PMP and UPnP,
"pmp" and "upnp" not by the other. It refuses to do so with an address from the documentation's ranges on the outside, so the routers have
others then, which no packet ever leaves the laboratory with.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))

from lab import Host, Lab, run  # noqa: E402

KINDS = ("none", "easy", "hard", "blocked")
SITES = {"a": 11, "b": 12}  # the third part of the site's network, the last of its router's address
POST = {
    "none": "",
    "easy": 'oifname "wan" meta nfproto ipv4 masquerade',
    "hard": 'oifname "wan" meta nfproto ipv4 masquerade fully-random',
    "blocked": 'oifname "wan" meta nfproto ipv4 masquerade',
}
# Outside addresses that look public, for miniupnpd.
PUBLIC = "45.67.89"
MAPPING = """ext_ifname=wan
listening_ip=lan
enable_natpmp={pmp}
enable_upnp={upnp}
system_uptime=yes
uuid=8a62d6d0-0000-4000-8000-0000000000{number}
upnp_table_name=mapping
upnp_nat_table_name=mapping
upnp_forward_chain=mapped_forward
upnp_nat_chain=mapped_in
upnp_nat_postrouting_chain=mapped_out
lease_file={folder}/leases
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
MAPPING_RULES = """table inet mapping {
  chain mapped_forward { }
  chain mapped_in { }
  chain mapped_out { }
  chain forward { type filter hook forward priority -10; policy accept; jump mapped_forward; }
  chain prerouting { type nat hook prerouting priority -100; jump mapped_in; }
  chain postrouting { type nat hook postrouting priority 90; jump mapped_out; }
}
"""
# A stray packet to the router itself must not leave an entry that takes the port from the mapping
# of a host behind it: home routers drop it, too.
RULES = """table inet headnet
delete table inet headnet
table inet headnet {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    {udp}
    ct state established,related accept
    ct state invalid drop
    ct status dnat accept
    {fresh}
  }}
  chain input {{
    type filter hook input priority 0; policy accept;
    ct state established,related accept
    {stray}
  }}
  chain post {{
    type nat hook postrouting priority 100;
    {post}
  }}
}}
"""


class Site(Host):
    """A host behind a router: 192.168.N.2, and 2001:db8:N::2 when the lab has IPv6."""

    def __init__(self, lab, name):
        super().__init__(lab, name, SITES[name])
        self.address = f"192.168.{self.number}.2"
        self.gateway = f"192.168.{self.number}.1"

    def wire(self, router):
        """The link to the router, with addresses and routes as a DHCP client would set them."""
        run("ip", "link", "add", "eth0", "netns", self.ns, "type", "veth", "peer", "name", "lan",
            "netns", router.ns)
        run("ip", "-n", router.ns, "link", "set", "lan", "up")
        run("ip", "-n", router.ns, "addr", "add", f"{self.gateway}/24", "dev", "lan")
        self.ip("link", "set", "eth0", "up")
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        if self.lab.ipv6:
            prefix = f"2001:db8:{self.number}::"
            run("ip", "-n", router.ns, "addr", "add", f"{prefix}1/64", "dev", "lan")
            self.ip("addr", "add", f"{prefix}2/64", "dev", "eth0")
        self.routes()
        self.set_names({})

    def ip(self, *args, check=True):
        return run("ip", "-n", self.ns, *args, check=check)

    def routes(self):
        """The way out, which the kernel forgets when the link goes down."""
        self.ip("route", "replace", "default", "via", self.gateway)
        if self.lab.ipv6:
            self.ip("route", "replace", "default", "via", f"2001:db8:{self.number}::1")

    def move(self, last):
        """Another address of the same network, and the old one is gone."""
        self.ip("addr", "del", f"{self.address}/24", "dev", "eth0")
        self.address = f"192.168.{self.number}.{last}"
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.routes()


class Router(Host):
    """Between a site and the public network: "wan" is 203.0.113.N, or another with mapping."""

    def __init__(self, lab, name, number):
        super().__init__(lab, name, number)
        self.network = PUBLIC if lab.mapping else "203.0.113"
        self.address = f"{self.network}.{number}"

    def create(self):
        super().create()
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def join(self, bridge_ns):
        port = f"r{self.number}"
        run("ip", "link", "add", "wan", "netns", self.ns, "type", "veth", "peer", "name", port,
            "netns", bridge_ns)
        run("ip", "-n", bridge_ns, "link", "set", port, "up", "master", "br0")
        self.run("ip", "link", "set", "wan", "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "wan")
        self.run("ip", "route", "replace", "203.0.113.0/24", "dev", "wan")
        if self.lab.ipv6:
            self.run("ip", "addr", "add", f"2001:db8::{self.number}/64", "dev", "wan")

    def move(self, number):
        """Another public address, as a provider hands out at night."""
        # in this order: with the first address of a network the kernel removes the others, too
        self.run("ip", "addr", "del", f"{self.address}/24", "dev", "wan")
        self.address = f"{self.network}.{number}"
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "wan")
        self.run("ip", "route", "replace", "203.0.113.0/24", "dev", "wan")
        self.lab.route_all()
        self.forget()

    def forget(self):
        """Loses the state of all flows."""
        self.run("conntrack", "-F", check=False)

    def offer_mapping(self):
        """Starts miniupnpd."""
        folder = self.lab.path(f"mapping.{self.name}", "")
        with open(f"{folder}conf", "w", encoding="ascii") as file:
            file.write(MAPPING.format(number=self.number, folder=folder.rstrip("/"),
                                      pmp="no" if self.lab.mapping == "upnp" else "yes",
                                      upnp="no" if self.lab.mapping == "pmp" else "yes"))
        self.run("nft", "-f", "-", stdin=MAPPING_RULES)
        self.run("ip", "route", "replace", "239.0.0.0/8", "dev", "lan")
        return self.start(f"miniupnpd.{self.name}", "miniupnpd", "-d", "-f", f"{folder}conf",
                          "-P", f"{folder}pid")

    def set_kind(self, kind):
        nat = kind != "none"
        rules = RULES.format(
            udp="meta l4proto udp drop" if kind == "blocked" else "",
            fresh='iifname "wan" drop' if nat else "",
            stray='iifname "wan" meta l4proto { udp, tcp } drop' if nat else "",
            post=POST[kind])
        self.run("nft", "-f", "-", stdin=rules)
        self.forget()


class NatLab(Lab):
    """A Lab whose hosts a and b sit behind routers; every other host is public."""

    def __init__(self, kind_a="none", kind_b="none", ipv6=False, mapping=""):
        self.ipv6, self.mapping = ipv6, mapping
        self.routers, self.kinds = {}, {}
        super().__init__()
        try:
            for name, kind in (("a", kind_a), ("b", kind_b)):
                self._build(name)
                self.set_nat(name, kind)
        except BaseException:
            self.close()
            raise

    def _build(self, name):
        router = Router(self, f"r{name}", SITES[name])
        router.create()
        router.join(self._net.ns)
        site = Site(self, name)
        site.create()
        site.wire(router)
        self.routers[name], self.hosts[name] = router, site
        self._write_names()
        if self.mapping:
            router.offer_mapping()

    def host(self, name):
        fresh = name not in self.hosts
        host = super().host(name)
        if fresh:
            if self.ipv6:
                host.run("ip", "addr", "add", f"2001:db8::{host.number}/64", "dev", "eth0")
            self._route(host)
        return host

    def _route(self, host):
        """What a host of the public network has to know: the routers, the sites that are not behind a NAT, and
        all of them with IPv6, which nobody translates."""
        if self.mapping and host not in self.routers.values():
            host.run("ip", "route", "replace", f"{PUBLIC}.0/24", "dev", "eth0")
        for name, router in self.routers.items():
            if router is host:
                continue
            number = SITES[name]
            if self.kinds.get(name) == "none":
                host.run("ip", "route", "replace", f"192.168.{number}.0/24", "via", router.address)
            else:
                host.run("ip", "route", "del", f"192.168.{number}.0/24", check=False)
            if self.ipv6:
                host.run("ip", "route", "replace", f"2001:db8:{number}::/64", "via",
                         f"2001:db8::{router.number}")

    def set_nat(self, name, kind):
        """Changes the NAT in front of a or b; it forgets all flows."""
        self.kinds[name] = kind
        self.routers[name].set_kind(kind)
        self.route_all()

    def route_all(self):
        """After a change of the routers."""
        for host in [*self.routers.values(),
                     *(h for h in self.hosts.values() if not isinstance(h, Site))]:
            self._route(host)
