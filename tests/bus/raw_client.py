# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the bus that no library keeps from misbehaving: it writes what bytes it likes, and
reads only when asked to."""

import os
import select
import socket
import struct
import time

from gi.repository import Gio, GLib

from polkit_world import NAME


def connect_as(path, uid):
    """A socket whose other end believes that user @uid opened it."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            bus = socket.socket(socket.AF_UNIX)
            bus.connect(path)
            socket.send_fds(theirs, [b"x"], [bus.fileno()])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs.close()
    _data, fds, _flags, _address = socket.recv_fds(ours, 1, 1)
    ours.close()
    return socket.socket(fileno=fds[0])


class RawClient:
    """One connection as user @uid. Arguments are GLib.Variants, or None."""

    def __init__(self, path, uid):
        self.socket = connect_as(path, uid)
        self.socket.settimeout(20)
        self.buffer = bytearray()
        self.serial = 0
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        answer = self.socket.recv(256)
        assert answer.startswith(b"OK "), answer
        self.socket.sendall(b"BEGIN\r\n")
        self.send(self.make("/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello",
                            destination="org.freedesktop.DBus"))
        self.name = self.receive().get_body()[0]

    @staticmethod
    def make(path, interface, method, arguments=None, destination=NAME, interactive=False):
        """A message as bytes; send() gives it its number."""
        message = Gio.DBusMessage.new_method_call(destination, path, interface, method)
        if interactive:
            message.set_flags(Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
        return RawClient.to_bytes(message, arguments)

    @staticmethod
    def to_bytes(message, arguments=None):
        message.set_serial(1)
        if arguments is not None:
            message.set_body(arguments)
        return bytearray(message.to_blob(Gio.DBusCapabilityFlags.NONE))

    def send(self, blob, count=1):
        """Sends @blob @count times, each with a number of its own; returns the last."""
        for _ in range(count):
            self.serial += 1
            struct.pack_into("<I", blob, 8, self.serial)
            self.socket.sendall(blob)
        return self.serial

    def receive(self, seconds=20):
        """The next message, or None when the bus has thrown us out."""
        end = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 16:
                size = Gio.DBusMessage.bytes_needed(bytes(self.buffer[:16]))
                if len(self.buffer) >= size:
                    blob = bytes(self.buffer[:size])
                    del self.buffer[:size]
                    return Gio.DBusMessage.new_from_blob(blob, Gio.DBusCapabilityFlags.NONE)
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("no message came")
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data

    def answer(self, serial, seconds=20):
        """The answer to call number @serial as Caller.call() gives it, or None."""
        while True:
            message = self.receive(seconds)
            if message is None:
                return None
            if message.get_reply_serial() != serial:
                continue
            body = message.get_body()
            if message.get_message_type() == Gio.DBusMessageType.ERROR:
                return {"error": message.get_error_name(), "message": body[0] if body else ""}
            return {"reply": body.print_(False) if body else "()"}

    def call(self, path, interface, method, arguments=None, **kwargs):
        return self.answer(self.send(self.make(path, interface, method, arguments, **kwargs)))

    def is_thrown_out(self, seconds=10):
        try:
            while self.receive(seconds) is not None:
                pass
        except TimeoutError:
            return False
        return True

    def close(self):
        self.socket.close()


def options(**values):
    """One a{sv} as the only argument; the values are GLib.Variants."""
    return GLib.Variant.new_tuple(GLib.Variant("a{sv}", values))
