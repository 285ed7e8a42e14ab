#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists the peers of the first tailnet, connects it, and tells of changes until it runs."""
import gi
gi.require_version("Headnet", "1.0")
from gi.repository import GLib, Headnet

loop = GLib.MainLoop()
client = Headnet.Client.new_sync(None)
tailnet = client.get_tailnets()[0]
for peer in tailnet.get_peers():
    print(peer.get_name(), *peer.get_addresses(), peer.get_path().value_nick)


def on_state(_tailnet, _pspec):
    print("state", tailnet.get_state().value_nick)
    if tailnet.get_state() == Headnet.State.RUNNING:
        loop.quit()


tailnet.connect("notify::state", on_state)
tailnet.get_peers().connect("items-changed", lambda peers, *_: print(len(peers), "peers"))
tailnet.connect_async(None, None, lambda _, result: tailnet.connect_finish(result))
loop.run()
