/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists the peers of the first tailnet, connects it, and tells of changes until it runs. */
#include <headnet-glib.h>

static const char *
nick (GType type, int value)
{
  return g_enum_get_value (g_type_class_peek (type), value)->value_nick;
}

static void
on_state (HeadnetTailnet *tailnet, GParamSpec *pspec, GMainLoop *loop)
{
  g_print ("state %s\n", nick (HEADNET_TYPE_STATE, headnet_tailnet_get_state (tailnet)));
  if (headnet_tailnet_get_state (tailnet) == HEADNET_STATE_RUNNING)
    g_main_loop_quit (loop);
}

static void
on_peers (GListModel *peers)
{
  g_print ("%u peers\n", g_list_model_get_n_items (peers));
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (!headnet_tailnet_connect_finish (HEADNET_TAILNET (source), result, &error))
    g_printerr ("%s\n", error->message);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (HeadnetClient) client = headnet_client_new_sync (NULL, &error);
  g_autoptr (HeadnetTailnet) tailnet = NULL;
  GListModel *peers;

  if (client == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  tailnet = g_list_model_get_item (headnet_client_get_tailnets (client), 0);
  if (tailnet == NULL)
    return 1;
  peers = headnet_tailnet_get_peers (tailnet);
  for (guint i = 0; i < g_list_model_get_n_items (peers); i++)
    {
      g_autoptr (HeadnetPeer) peer = g_list_model_get_item (peers, i);
      g_autofree char *addresses = g_strjoinv (" ", (GStrv) headnet_peer_get_addresses (peer));

      g_print ("%s %s %s\n", headnet_peer_get_name (peer), addresses,
               nick (HEADNET_TYPE_PATH, headnet_peer_get_path (peer)));
    }
  g_signal_connect (tailnet, "notify::state", G_CALLBACK (on_state), loop);
  g_signal_connect (peers, "items-changed", G_CALLBACK (on_peers), NULL);
  headnet_tailnet_connect_async (tailnet, NULL, NULL, on_connected, NULL);
  g_main_loop_run (loop);
  g_signal_handlers_disconnect_by_data (tailnet, loop);
  return 0;
}
