#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the peers of the first tailnet, connects it, and tells of changes until it runs.
import GLib from 'gi://GLib';
import Headnet from 'gi://Headnet?version=1.0';

const loop = GLib.MainLoop.new(null, false);
const client = Headnet.Client.new_sync(null);
const tailnet = client.get_tailnets().get_item(0);
const peers = tailnet.get_peers();
for (let i = 0; i < peers.get_n_items(); i++) {
    const peer = peers.get_item(i);
    const path = Object.keys(Headnet.Path).find(key => Headnet.Path[key] === peer.path);
    print(peer.get_name(), ...peer.get_addresses(), path.toLowerCase());
}

tailnet.connect('notify::state', () => {
    const state = Object.keys(Headnet.State).find(key => Headnet.State[key] === tailnet.state);
    print('state', state.toLowerCase());
    if (tailnet.state === Headnet.State.RUNNING)
        loop.quit();
});
peers.connect('items-changed', () => print(peers.get_n_items(), 'peers'));
tailnet.connect_async(null, null, (_tailnet, result) => tailnet.connect_finish(result));
loop.run();
