#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener on a peer: serve.py FOLDER PORT serves the folder over HTTP on every address."""

import http.server
import os
import socket
import socketserver
import sys


class Server(http.server.ThreadingHTTPServer):
    """Both families on one socket, and no look-up of our own name, which would take long here."""

    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "listener", self.server_address[1]


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    Server(("::", int(sys.argv[2])), http.server.SimpleHTTPRequestHandler).serve_forever()
