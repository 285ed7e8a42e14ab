# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends bytes from one node to another and says how fast: punch.py send|receive FROM TO MEGABYTES

FROM and TO are ADDRESS:PORT, our own first. Both sides call each other at the same time, because a
node lets in only answers to what it began itself: TCP's simultaneous open. Prints JSON.
"""

import hashlib
import json
import socket
import sys
import time

CHUNK = 1 << 20


def place(text):
    address, _colon, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def meet(own, other, timeout=20):
    """A TCP connection that both sides begin."""
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_INET6 if ":" in own[0] else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(max(deadline - time.monotonic(), 1))
        try:
            sock.bind(own)
            sock.connect(other)
            sock.settimeout(timeout)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main():
    role, own, other, size = sys.argv[1:]
    left = int(size) << 20
    digest = hashlib.sha256()
    with meet(place(own), place(other)) as sock:
        begin = time.monotonic()
        if role == "send":
            block = hashlib.shake_256(b"headnet").digest(CHUNK)
            while left:
                sock.sendall(block)
                digest.update(block)
                left -= CHUNK
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)  # until the other side has it all
        else:
            while data := sock.recv(CHUNK):
                digest.update(data)
                left -= len(data)
            sock.sendall(b"!")
        seconds = time.monotonic() - begin
    if left:
        sys.exit(f"{left} bytes are missing")
    print(json.dumps({"seconds": round(seconds, 3), "sha256": digest.hexdigest(),
                      "mbit_s": round(int(size) * 8.388608 / seconds)}))


if __name__ == "__main__":
    main()
