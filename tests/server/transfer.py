# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends bytes from one node to another and says how fast: transfer.py send|receive ADDRESS:PORT MEGABYTES

The place is the receiver's, who waits there. Prints JSON.
"""

import hashlib
import json
import socket
import sys
import time

CHUNK = 1 << 20
TIMEOUT = 20


def place(text):
    address, _colon, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def wait_there(where):
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with socket.create_server(where, family=family) as server:
        server.settimeout(TIMEOUT)
        sock, _sender = server.accept()
    sock.settimeout(TIMEOUT)
    return sock


def call(where):
    """The receiver may not be there yet."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return socket.create_connection(where, timeout=TIMEOUT)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main():
    role, where, size = sys.argv[1:]
    left = int(size) << 20
    digest = hashlib.sha256()
    with (call if role == "send" else wait_there)(place(where)) as sock:
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
