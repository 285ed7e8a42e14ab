# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the bus in a process and under a user of its own, driven over pipes.

Inside: reads one JSON list a line (path, interface, method, arguments as GVariant text or null,
interactive) and answers with one object: {"reply": text} or {"error": name, "message": text}.
"""

import json
import os
import subprocess
import sys

NAME = "org.headnet.Headnet1"

INSIDE = """
import json, sys
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
print(json.dumps({"name": bus.get_unique_name()}), flush=True)
for line in sys.stdin:
    destination, path, interface, method, arguments, interactive = json.loads(line)
    message = Gio.DBusMessage.new_method_call(destination, path, interface, method)
    flags = Gio.DBusMessageFlags.NO_AUTO_START
    if interactive:
        flags |= Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION
    message.set_flags(flags)
    if arguments is not None:
        message.set_body(GLib.Variant.parse(None, arguments, None, None))
    try:
        reply, _ = bus.send_message_with_reply_sync(message, 0, 15000)
        if reply.get_message_type() == Gio.DBusMessageType.ERROR:
            body = reply.get_body()
            answer = {"error": reply.get_error_name(), "message": body[0] if body else ""}
        else:
            body = reply.get_body()
            answer = {"reply": body.print_(False) if body else "()"}
    except GLib.Error as error:
        answer = {"error": "local", "message": error.message}
    print(json.dumps(answer), flush=True)
"""


class Caller:
    """One connection to the bus as user @uid."""

    def __init__(self, uid):
        command = [sys.executable, "-c", INSIDE]
        if uid != os.getuid():
            command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] + command
        self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.name = json.loads(self.process.stdout.readline())["name"]

    def send(self, path, interface, method, arguments=None, interactive=False, destination=NAME):
        line = json.dumps([destination, path, interface, method, arguments, interactive])
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def call(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.receive()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
