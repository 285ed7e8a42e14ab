# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the library share: the environment in which other programs find the built one,
and a service that counts generations of its peers."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import fake  # noqa: E402
from world import BUILD  # noqa: E402

from gi.repository import GLib  # noqa: E402

FOLDER = os.path.join(BUILD, "libheadnet-glib")
LIBRARY = os.path.join(FOLDER, "libheadnet-glib-1.so.0")
TYPELIB = os.path.join(FOLDER, "Headnet-1.0.typelib")


def sanitizer():
    """The run-time of the address sanitizer, if the library was built with it, else ""."""
    done = subprocess.run(["ldd", LIBRARY], stdout=subprocess.PIPE, text=True, check=True)
    found = re.search(r"/\S*libasan\S*", done.stdout)
    return found.group(0) if found else ""


def environment():
    """For interpreters. They know nothing of the sanitizer: it has to be there before them, must not
    call their own memory leaks, and leaves the signals to them that they handle. The programs in C
    are those whose leaks are looked for."""
    env = {"GI_TYPELIB_PATH": FOLDER, "LD_LIBRARY_PATH": FOLDER, "G_DEBUG": "fatal-criticals"}
    if sanitizer():
        env["LD_PRELOAD"] = sanitizer()
        env["ASAN_OPTIONS"] = ("detect_leaks=0:abort_on_error=1:intercept_tls_get_addr=0:"
                               "handle_segv=0:handle_sigfpe=0")
    return env


def enter():
    """Begins this program anew in that environment."""
    env = environment()
    if os.environ.get("GI_TYPELIB_PATH") != FOLDER:
        os.execve(sys.executable, [sys.executable, "-B", *sys.argv], {**os.environ, **env})


def iterate_until(what, condition, seconds=20):
    """Runs the main context, in which the news come, until it is so."""
    context = GLib.MainContext.default()
    timer = GLib.timeout_add(20, lambda: True)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        context.iteration(True)
    GLib.source_remove(timer)


class Service(fake.Service):
    def __init__(self, address):
        self.generation = 5
        super().__init__(address)

    def _get_peers(self, path, _args):
        return GLib.Variant("(taa{sv})", (self.generation, self.peers.get(path, [])))

    def tell_peers(self, path, changed, removed=(), generation=None):
        self.generation = generation or self.generation + 1
        self._emit(path, fake.TAILNET, "PeersChanged",
                   GLib.Variant("(taa{sv}as)", (self.generation, list(changed), list(removed))))

    def count(self, method):
        return sum(1 for called, _path, _args in self.calls if called == method)
