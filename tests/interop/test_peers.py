#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that come, change and go: the bus says so as soon as the server does."""

import concurrent.futures

import case
from servers import Reference, Tailscaled

LIMIT = 1.0


class Peers(case.TestCase):
    PEERS = ("b",)

    def setUp(self):
        super().setUp()
        self.up()
        self.wait_peers_online()
        self.monitor = self.client.gdbus_monitor()
        self.watch = self.client.watch()
        self.pool = concurrent.futures.ThreadPoolExecutor()

    def tearDown(self):
        self.pool.shutdown(wait=False, cancel_futures=True)
        super().tearDown()

    def expect(self, what, action, seen, signal, line, timeout=40):
        """Does something, and checks that PeersChanged and headnetctl watch tell it within a
        second of the moment when the reference client knows."""
        marks = self.monitor.mark(), self.watch.mark()
        reference = self.pool.submit(Reference(self.peers["b"]).wait, what, seen, timeout)
        result = action()
        moment = reference.result()
        told, _text = self.monitor.wait(signal, marks[0], LIMIT + 2)
        printed, _text = self.watch.wait(line, marks[1], LIMIT + 2)
        self.note(f"{what}: signal {told - moment:+.2f} s, watch {printed - moment:+.2f} s "
                  "after the reference client")
        self.assertLess(told - moment, LIMIT)
        self.assertLess(printed - moment, LIMIT)
        return result

    def test_join_rename_leave(self):
        peer = self.expect(
            "a peer that joins", lambda: Tailscaled(self.lab, "e", self.server),
            lambda b: b.sees("ts-e"), r"PeersChanged.*'ts-e\.", r"peer ts-e\.")
        self.client.wait_peer("ts-e", Online=True)
        self.assertEqual(self.client.peers()["ts-e"]["Addresses"], peer.addresses)

        self.expect(
            "a new name", lambda: self.server.rename("ts-e", "ts-new"),
            lambda b: b.sees("ts-new"), r"PeersChanged.*'ts-new\.", r"peer ts-new\.")
        self.assertNotIn("ts-e", self.client.peers())

        self.expect(
            "a peer that leaves", peer.stop,
            lambda b: not b.sees("ts-new")["Online"],
            r"PeersChanged.*'ts-new\..*'Online': <false>", r"peer ts-new\..*offline")
        self.assertIs(self.client.peers()["ts-new"]["Online"], False)

        self.expect(
            "a peer that comes back", peer.start,
            lambda b: b.sees("ts-new")["Online"],
            r"PeersChanged.*'ts-new\..*'Online': <true>", r"peer ts-new\..*online")

        peer.stop()
        self.client.wait_peer("ts-new", Online=False, timeout=40)
        identity = self.client.peers()["ts-new"]["Id"]
        self.expect(
            "a peer that is deleted", lambda: self.server.delete("ts-new"),
            lambda b: not b.sees("ts-new"),
            rf"PeersChanged.*\[\], \[[^]]*'{identity}'", r"peer ts-new.*removed")
        self.assertEqual(list(self.client.peers()), ["ts-b"])


if __name__ == "__main__":
    case.main()
