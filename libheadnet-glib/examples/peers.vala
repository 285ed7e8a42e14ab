// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the peers of the first tailnet, connects it, and tells of changes until it runs.
int main () {
    var loop = new MainLoop ();
    try {
        var client = new Headnet.Client.sync (null);
        var tailnet = (Headnet.Tailnet) client.get_tailnets ().get_item (0);
        var peers = tailnet.get_peers ();
        for (uint i = 0; i < peers.get_n_items (); i++) {
            var peer = (Headnet.Peer) peers.get_item (i);
            var path = ((EnumClass) typeof (Headnet.Path).class_ref ()).get_value (peer.get_path ());
            print ("%s %s %s\n", peer.get_name (), string.joinv (" ", peer.get_addresses ()),
                   path.value_nick);
        }
        tailnet.notify["state"].connect (() => {
            var state = ((EnumClass) typeof (Headnet.State).class_ref ()).get_value (tailnet.get_state ());
            print ("state %s\n", state.value_nick);
            if (tailnet.get_state () == Headnet.State.RUNNING)
                loop.quit ();
        });
        peers.items_changed.connect (() => print ("%u peers\n", peers.get_n_items ()));
        tailnet.connect_async.begin (null, null);
        loop.run ();
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
