#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples, as a reader would run them: each lists peers, connects, and tells of the change."""

import os
import shutil
import subprocess
import tempfile
import unittest

import library
import world
from fake import peer

EXAMPLES = os.path.join(world.SOURCE, "libheadnet-glib", "examples")
PEERS = [peer("n1", "alpha.tail.test"), peer("n2", "beta.tail.test", ["fd7a::2"])]
EXPECTED = """alpha.tail.test 100.64.0.2 relay
beta.tail.test fd7a::2 relay
state starting
3 peers
state running
"""


class Examples(world.TestCase):
    def setUp(self):
        super().setUp()
        self.service = library.Service(self.bus.address)
        self.addCleanup(self.service.close)
        self.path = self.service.add("home")
        self.service.peers[self.path] = PEERS
        self.service.answers["Connect"] = self.on_connect

    def on_connect(self, path, _args):
        self.service.change(path, State="starting")
        self.service.tell_peers(path, [peer("n3", "gamma.tail.test")])
        self.service.change(path, State="running")

    def run_example(self, *command, env):
        done = subprocess.run(command, env={**self.bus.env, **env}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, EXPECTED), done.stderr)
        self.assertIsNone(world.COMPLAINT.search(done.stderr), done.stderr)
        self.assertEqual([call[0] for call in self.service.calls], ["GetPeers", "Connect"])

    def test_c(self):
        self.run_example(os.path.join(library.FOLDER, "examples", "headnet-example"), env={})

    @unittest.skipUnless(os.path.exists(library.TYPELIB), "built without introspection")
    def test_python(self):
        self.run_example("/usr/bin/python3", "-B", os.path.join(EXAMPLES, "peers.py"),
                         env=library.environment())

    @unittest.skipUnless(os.path.exists(library.TYPELIB), "built without introspection")
    @unittest.skipUnless(shutil.which("gjs"), "needs gjs")
    def test_javascript(self):
        self.run_example("gjs", "-m", os.path.join(EXAMPLES, "peers.js"),
                         env=library.environment())

    @unittest.skipUnless(os.path.exists(os.path.join(library.FOLDER, "headnet-glib-1.0.vapi")),
                         "built without vapigen")
    @unittest.skipUnless(shutil.which("valac"), "needs valac")
    def test_vala(self):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "peers")
            sources = os.path.join(world.SOURCE, "libheadnet-glib")
            subprocess.run(
                ["valac", "--vapidir", library.FOLDER, "--pkg", "headnet-glib-1.0", "--pkg",
                 "gio-2.0", os.path.join(EXAMPLES, "peers.vala"), "-o", program, "-X",
                 f"-I{sources}", "-X", f"-I{library.FOLDER}", "-X", library.LIBRARY, "-X", "-w"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
            self.run_example(program, env=library.environment())


if __name__ == "__main__":
    world.main()
