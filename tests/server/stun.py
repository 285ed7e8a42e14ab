# SPDX-License-Identifier: GPL-2.0-or-later
"""A STUN server as strict as those of relays: it answers only requests made for them.

tailscale: net/stun/stun.go
"""

import asyncio
import ipaddress
import os
import struct
import zlib

COOKIE = b"\x21\x12\xa4\x42"
SOFTWARE = b"\x80\x22\x00\x08tailnode"


def is_request(data):
    """Whether these bytes are a binding request with the name and the checksum that we want."""
    return (len(data) == 40 and data[:4] == b"\0\1\0\x14" and data[4:8] == COOKIE and
            data[20:32] == SOFTWARE and data[32:36] == b"\x80\x28\0\4" and
            struct.unpack(">I", data[36:])[0] == zlib.crc32(data[:32]) ^ 0x5354554E)


def answer(data, host, port):
    """The answer to a request from there: XOR-MAPPED-ADDRESS."""
    address = ipaddress.ip_address(host)
    address = getattr(address, "ipv4_mapped", None) or address
    mask = data[4:20]
    packed = bytes(a ^ b for a, b in zip(address.packed, mask))
    value = struct.pack(">BBH", 0, 1 if address.version == 4 else 2, port ^ 0x2112) + packed
    return (b"\1\1" + struct.pack(">H", len(value) + 4) + data[4:20] +
            struct.pack(">HH", 0x20, len(value)) + value)


class Stun(asyncio.DatagramProtocol):
    """The socket. Faults: silent, garbage, wrong-id, wrong-address, slow."""

    def __init__(self, scenario):
        self.scenario, self.transport = scenario, None
        self.served = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if not is_request(data):
            return
        self.served += 1
        fault = self.scenario.fault("stun")
        reply = answer(data, addr[0], addr[1])
        if fault and fault["do"] in ("silent", "stall", "close"):
            return
        if fault and fault["do"] == "garbage":
            reply = os.urandom(len(reply))
        elif fault and fault["do"] == "wrong-id":
            reply = reply[:8] + os.urandom(12) + reply[20:]
        elif fault and fault["do"] == "wrong-address":
            reply = answer(data, str(fault.get("address", "192.0.2.1")), int(fault.get("port", 1)))
        elif fault and fault["do"] == "slow":
            asyncio.get_running_loop().call_later(float(fault.get("seconds", 1)),
                                                  self.transport.sendto, reply, addr)
            return
        self.transport.sendto(reply, addr)
