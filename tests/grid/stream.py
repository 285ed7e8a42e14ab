#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A transfer that notes when data came: stream.py serve PORT; stream.py take ADDRESS PORT.

The server sends to whoever connects, 8 KiB every 20 ms, and sends datagrams back. take prints the
moment (CLOCK_MONOTONIC, the same in all name spaces) of each arrival, "t SECONDS" for the transfer
and "u SECONDS NUMBER" for an echoed datagram; 50 of those are sent a second.
"""

import os
import selectors
import socket
import sys
import threading
import time

INTERVAL = 0.02
CHUNK = b"x" * 8192


def feed(connection):
    """Sends as long as somebody takes."""
    with connection:
        try:
            while True:
                connection.sendall(CHUNK)
                time.sleep(INTERVAL)
        except OSError:
            pass


def echo(sock):
    while True:
        data, sender = sock.recvfrom(2000)
        try:
            sock.sendto(data, sender)
        except OSError:
            pass


def bound(kind, port):
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    return sock


def serve(port):
    threading.Thread(target=echo, args=(bound(socket.SOCK_DGRAM, port),), daemon=True).start()
    listener = bound(socket.SOCK_STREAM, port)
    listener.listen()
    print("listening", flush=True)
    while True:
        connection, _address = listener.accept()
        threading.Thread(target=feed, args=(connection,), daemon=True).start()


def take(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stream = socket.create_connection((address, port))
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.setblocking(False)
    datagrams.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    selector = selectors.DefaultSelector()
    selector.register(stream, selectors.EVENT_READ)
    selector.register(datagrams, selectors.EVENT_READ)
    number, due = 0, time.monotonic()
    while True:
        for key, _events in selector.select(max(0, due - time.monotonic())):
            try:
                data = key.fileobj.recv(65536)
            except OSError:
                continue
            now = time.monotonic()
            if key.fileobj is stream:
                if not data:
                    print("end", flush=True)
                    os._exit(1)
                print(f"t {now:.4f}")
            else:
                print(f"u {now:.4f} {data.decode()}")
            sys.stdout.flush()
        if time.monotonic() >= due:
            try:
                datagrams.sendto(str(number).encode(), (address, port))
            except OSError:
                pass
            number += 1
            due += INTERVAL


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    take(sys.argv[2], int(sys.argv[3]))
