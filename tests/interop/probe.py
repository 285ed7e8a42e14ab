#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What gets through to a host and what does not.

    probe.py listen PORT...                 TCP and UDP on these ports, all addresses: UDP is echoed
    probe.py ask PORT,PORT... ADDRESS...    tries all of it at once and prints one JSON object

The object has a line a probe, "tcp 80 v4": "open" (a word came from the listener), "refused",
"answer" (UDP and ICMP), or "silence".
"""

import concurrent.futures
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time

TIMEOUT = 2.5
AGAIN = 0.8  # a first packet may be lost with its handshake
WORD = b"here\n"
LARGE = 3000  # goes in fragments


def listen(ports):
    poll, sockets = select.poll(), {}
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(socket.AF_INET6, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                sock.listen(50)
            sockets[sock.fileno()] = sock
            poll.register(sock, select.POLLIN)
    print("listening", flush=True)
    while True:
        for number, _event in poll.poll():
            sock = sockets[number]
            try:
                if sock.type == socket.SOCK_STREAM:
                    with sock.accept()[0] as connection:
                        connection.sendall(WORD)
                else:
                    data, sender = sock.recvfrom(65536)
                    sock.sendto(data, sender)
            except OSError:
                pass


def ask_tcp(address, port):
    try:
        with socket.create_connection((address, port), TIMEOUT) as connection:
            return "open" if connection.recv(100) == WORD else "closed"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "silence"


def ask_udp(address, port, size):
    data = os.urandom(size)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(AGAIN)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                # not connected: the kernel's ICMP errors are another matter
                sock.sendto(data, (address, port))
                if sock.recvfrom(65536)[0] == data:
                    return "answer"
            except TimeoutError:
                pass
            except OSError:  # no route, until the peer is known
                time.sleep(0.1)
    return "silence"


def ask_closed_udp(address, port):
    """A port where nobody listens: an ICMP error says so, if the question came through."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(AGAIN)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                sock.connect((address, port))
                sock.send(b"?")
                sock.recv(100)
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                pass
            except OSError:
                time.sleep(0.1)
    return "silence"


def ask_ping(address):
    done = subprocess.run(["ping", "-n", "-c", "3", "-i", "0.5", "-W", "2", address],
                          capture_output=True, text=True, check=False)
    return "answer" if re.search(r" [1-3] received", done.stdout) else "silence"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ask_timestamp(address):
    """ICMP's question for the time: neither echo nor error."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(AGAIN)
        body = struct.pack("!HHIII", os.getpid() & 0xffff, 1, 0, 0, 0)
        packet = struct.pack("!BBH", 13, 0, checksum(struct.pack("!BBH", 13, 0, 0) + body)) + body
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                sock.connect((address, 0))
                sock.send(packet)
                while sock.recv(1000)[20] != 14:
                    pass
                return "answer"
            except TimeoutError:
                pass
            except OSError:
                time.sleep(0.1)
    return "silence"


def ask(ports, closed, addresses):
    """All probes at once, as a dictionary."""
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        for address in addresses:
            family = "v6" if ":" in address else "v4"
            for port in [*ports, closed]:
                jobs[f"tcp {port} {family}"] = pool.submit(ask_tcp, address, port)
            for port in ports:
                jobs[f"udp {port} {family}"] = pool.submit(ask_udp, address, port, 100)
            jobs[f"udp {ports[0]} large {family}"] = pool.submit(ask_udp, address, ports[0], LARGE)
            jobs[f"udp {closed} {family}"] = pool.submit(ask_closed_udp, address, closed)
            jobs[f"icmp echo {family}"] = pool.submit(ask_ping, address)
            if family == "v4":
                jobs["icmp timestamp v4"] = pool.submit(ask_timestamp, address)
    return {name: job.result() for name, job in sorted(jobs.items())}


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen([int(port) for port in sys.argv[2:]])
    *OPEN, CLOSED = [int(port) for port in sys.argv[2].split(",")]
    print(json.dumps(ask(OPEN, CLOSED, sys.argv[3:])))
