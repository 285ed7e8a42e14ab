/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tailnet can be asked to do: each method of the bus, waited for or not. */
#include "headnet-call-private.h"
#include "headnet-tailnet-private.h"

static HeadnetCall
make_call (HeadnetTailnet *self, const char *method, const char *reply_type, gboolean start)
{
  return (HeadnetCall){
    .connection = headnet_tailnet_get_connection (self),
    .path = headnet_tailnet_get_object_path (self),
    .interface = HEADNET_TAILNET_INTERFACE,
    .method = method,
    .reply_type = reply_type,
    .start = start,
  };
}

static void
call_async (HeadnetTailnet *self, const char *method, const char *reply_type, gboolean start,
            GVariant *parameters, gpointer tag, GCancellable *cancellable,
            GAsyncReadyCallback callback, gpointer user_data)
{
  HeadnetCall call = make_call (self, method, reply_type, start);

  headnet_call_async (&call, parameters, self, tag, cancellable, callback, user_data);
}

static GVariant *
call_sync (HeadnetTailnet *self, const char *method, const char *reply_type, gboolean start,
           GVariant *parameters, GCancellable *cancellable, GError **error)
{
  HeadnetCall call = make_call (self, method, reply_type, start);

  return headnet_call_sync (&call, parameters, cancellable, error);
}

/**
 * headnet_tailnet_connect_async:
 * @self: a tailnet
 * @options: (nullable): an `a{sv}` with the options of the bus method, or %NULL
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Wants the tailnet connected. This ends once the wish is accepted;
 * [property@Headnet.Tailnet:state] tells how it goes. The service is started when it does not run.
 *
 * Since: 1.0
 */
void
headnet_tailnet_connect_async (HeadnetTailnet *self, GVariant *options, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "Connect", "()", TRUE,
              g_variant_new ("(@a{sv})", headnet_call_options (options)),
              headnet_tailnet_connect_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_connect_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.connect_async].
 *
 * Returns: %TRUE once the wish is accepted
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_connect_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_connect_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_connect_sync:
 * @self: a tailnet
 * @options: (nullable): an `a{sv}` with the options of the bus method, or %NULL
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Wants the tailnet connected. This ends once the wish is accepted;
 * [property@Headnet.Tailnet:state] tells how it goes. The service is started when it does not run.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once the wish is accepted
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_connect_sync (HeadnetTailnet *self, GVariant *options, GCancellable *cancellable,
                              GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  reply
      = call_sync (self, "Connect", "()", TRUE,
                   g_variant_new ("(@a{sv})", headnet_call_options (options)), cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_disconnect_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Ends the wish of [method@Headnet.Tailnet.connect_async]. This ends when interface, routes and
 * rules are gone.
 *
 * Since: 1.0
 */
void
headnet_tailnet_disconnect_async (HeadnetTailnet *self, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "Disconnect", "()", TRUE, NULL, headnet_tailnet_disconnect_async, cancellable,
              callback, user_data);
}

/**
 * headnet_tailnet_disconnect_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.disconnect_async].
 *
 * Returns: %TRUE once it is disconnected
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_disconnect_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_disconnect_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_disconnect_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Ends the wish of [method@Headnet.Tailnet.connect_async]. This ends when interface, routes and
 * rules are gone.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once it is disconnected
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_disconnect_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  reply = call_sync (self, "Disconnect", "()", TRUE, NULL, cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_login_async:
 * @self: a tailnet
 * @options: (nullable): an `a{sv}` with the options of the bus method, such as `AuthKey`, or %NULL
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Enrols this machine. Does not connect. Without a key it may be that a person has to open an
 * address: then [property@Headnet.Tailnet:login-pending] is true, and
 * [method@Headnet.Tailnet.get_login_url_async] tells which.
 *
 * Since: 1.0
 */
void
headnet_tailnet_login_async (HeadnetTailnet *self, GVariant *options, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "Login", "()", TRUE, g_variant_new ("(@a{sv})", headnet_call_options (options)),
              headnet_tailnet_login_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_login_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.login_async].
 *
 * Returns: %TRUE once it is enrolled, or a person has to go on
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_login_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_login_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_login_sync:
 * @self: a tailnet
 * @options: (nullable): an `a{sv}` with the options of the bus method, such as `AuthKey`, or %NULL
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Enrols this machine. Does not connect. Without a key it may be that a person has to open an
 * address: then [property@Headnet.Tailnet:login-pending] is true, and
 * [method@Headnet.Tailnet.get_login_url_async] tells which.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once it is enrolled, or a person has to go on
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_login_sync (HeadnetTailnet *self, GVariant *options, GCancellable *cancellable,
                            GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  reply
      = call_sync (self, "Login", "()", TRUE,
                   g_variant_new ("(@a{sv})", headnet_call_options (options)), cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_get_login_url_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Asks for the address that a person has to open to log in. Whoever holds it can bind the machine
 * to an account. Check that it is a web page before opening it.
 *
 * Since: 1.0
 */
void
headnet_tailnet_get_login_url_async (HeadnetTailnet *self, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "GetLoginUrl", "(s)", TRUE, NULL, headnet_tailnet_get_login_url_async,
              cancellable, callback, user_data);
}

/**
 * headnet_tailnet_get_login_url_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.get_login_url_async].
 *
 * Returns: (transfer full): the address
 *
 * Since: 1.0
 */
char *
headnet_tailnet_get_login_url_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_get_login_url_async, result, error);
  char *text = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(s)", &text);
  return text;
}

/**
 * headnet_tailnet_get_login_url_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Asks for the address that a person has to open to log in. Whoever holds it can bind the machine
 * to an account. Check that it is a web page before opening it.
 *
 * Waits until it is done.
 *
 * Returns: (transfer full): the address
 *
 * Since: 1.0
 */
char *
headnet_tailnet_get_login_url_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  char *text = NULL;
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  reply = call_sync (self, "GetLoginUrl", "(s)", TRUE, NULL, cancellable, error);
  if (reply != NULL)
    g_variant_get (reply, "(s)", &text);
  return text;
}

/**
 * headnet_tailnet_logout_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Disconnects, and gives the enrolment up.
 *
 * Since: 1.0
 */
void
headnet_tailnet_logout_async (HeadnetTailnet *self, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "Logout", "()", TRUE, NULL, headnet_tailnet_logout_async, cancellable, callback,
              user_data);
}

/**
 * headnet_tailnet_logout_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.logout_async].
 *
 * Returns: %TRUE once the key is forgotten, here and at the server
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_logout_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_logout_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_logout_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Disconnects, and gives the enrolment up.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once the key is forgotten, here and at the server
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_logout_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  reply = call_sync (self, "Logout", "()", TRUE, NULL, cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_set_preferences_async:
 * @self: a tailnet
 * @preferences: an `a{sv}` with the keys to change, named as on the bus
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Changes settings: all of those given, or none. The others stay as they are.
 *
 * Since: 1.0
 */
void
headnet_tailnet_set_preferences_async (HeadnetTailnet *self, GVariant *preferences,
                                       GCancellable *cancellable, GAsyncReadyCallback callback,
                                       gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  g_return_if_fail (preferences != NULL);
  call_async (self, "SetPreferences", "()", TRUE, g_variant_new ("(@a{sv})", preferences),
              headnet_tailnet_set_preferences_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_set_preferences_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.set_preferences_async].
 *
 * Returns: %TRUE once they are changed
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_set_preferences_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_set_preferences_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_set_preferences_sync:
 * @self: a tailnet
 * @preferences: an `a{sv}` with the keys to change, named as on the bus
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Changes settings: all of those given, or none. The others stay as they are.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once they are changed
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_set_preferences_sync (HeadnetTailnet *self, GVariant *preferences,
                                      GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  g_return_val_if_fail (preferences != NULL, FALSE);
  reply = call_sync (self, "SetPreferences", "()", TRUE, g_variant_new ("(@a{sv})", preferences),
                     cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_get_peer_async:
 * @self: a tailnet
 * @peer: its id, full or short name, host name or an address
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Asks for one peer with all that is known: only this, and
 * [method@Headnet.Tailnet.monitor_peers_async], bring its latency and counters. A peer that is in
 * the list of [method@Headnet.Tailnet.get_peers] is brought up to date and returned.
 *
 * Since: 1.0
 */
void
headnet_tailnet_get_peer_async (HeadnetTailnet *self, const char *peer, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  g_return_if_fail (peer != NULL);
  call_async (self, "GetPeer", "(a{sv})", FALSE, g_variant_new ("(s)", peer),
              headnet_tailnet_get_peer_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_get_peer_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.get_peer_async].
 *
 * Returns: (transfer full): the peer
 *
 * Since: 1.0
 */
HeadnetPeer *
headnet_tailnet_get_peer_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_get_peer_async, result, error);

  return reply != NULL ? headnet_tailnet_take_peer (self, reply, error) : NULL;
}

/**
 * headnet_tailnet_get_peer_sync:
 * @self: a tailnet
 * @peer: its id, full or short name, host name or an address
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Asks for one peer with all that is known: only this, and
 * [method@Headnet.Tailnet.monitor_peers_async], bring its latency and counters. A peer that is in
 * the list of [method@Headnet.Tailnet.get_peers] is brought up to date and returned.
 *
 * Waits until it is done.
 *
 * Returns: (transfer full): the peer
 *
 * Since: 1.0
 */
HeadnetPeer *
headnet_tailnet_get_peer_sync (HeadnetTailnet *self, const char *peer, GCancellable *cancellable,
                               GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  g_return_val_if_fail (peer != NULL, NULL);
  reply = call_sync (self, "GetPeer", "(a{sv})", FALSE, g_variant_new ("(s)", peer), cancellable,
                     error);
  return reply != NULL ? headnet_tailnet_take_peer (self, reply, error) : NULL;
}

/**
 * headnet_tailnet_monitor_peers_async:
 * @self: a tailnet
 * @peers: (array zero-terminated=1): whom to watch, each as in [method@Headnet.Tailnet.get_peer_async]
 * @interval_ms: how often, 200 to 60000 milliseconds
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Has the latency, counters and paths of some peers kept current, until
 * [method@Headnet.Tailnet.stop_monitor_async], another call of this, or the end of the service.
 *
 * Since: 1.0
 */
void
headnet_tailnet_monitor_peers_async (HeadnetTailnet *self, const char *const *peers,
                                     guint interval_ms, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  g_return_if_fail (peers != NULL);
  call_async (self, "MonitorPeers", "()", FALSE, g_variant_new ("(^asu)", peers, interval_ms),
              headnet_tailnet_monitor_peers_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_monitor_peers_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.monitor_peers_async].
 *
 * Returns: %TRUE once they are watched
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_monitor_peers_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_monitor_peers_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_monitor_peers_sync:
 * @self: a tailnet
 * @peers: (array zero-terminated=1): whom to watch, each as in [method@Headnet.Tailnet.get_peer_async]
 * @interval_ms: how often, 200 to 60000 milliseconds
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Has the latency, counters and paths of some peers kept current, until
 * [method@Headnet.Tailnet.stop_monitor_async], another call of this, or the end of the service.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once they are watched
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_monitor_peers_sync (HeadnetTailnet *self, const char *const *peers,
                                    guint interval_ms, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  g_return_val_if_fail (peers != NULL, FALSE);
  reply = call_sync (self, "MonitorPeers", "()", FALSE,
                     g_variant_new ("(^asu)", peers, interval_ms), cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_stop_monitor_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Ends what [method@Headnet.Tailnet.monitor_peers_async] began, if anything.
 *
 * Since: 1.0
 */
void
headnet_tailnet_stop_monitor_async (HeadnetTailnet *self, GCancellable *cancellable,
                                    GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "StopMonitor", "()", FALSE, NULL, headnet_tailnet_stop_monitor_async,
              cancellable, callback, user_data);
}

/**
 * headnet_tailnet_stop_monitor_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.stop_monitor_async].
 *
 * Returns: %TRUE once nobody is watched
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_stop_monitor_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_stop_monitor_async, result, error);

  return reply != NULL;
}

/**
 * headnet_tailnet_stop_monitor_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Ends what [method@Headnet.Tailnet.monitor_peers_async] began, if anything.
 *
 * Waits until it is done.
 *
 * Returns: %TRUE once nobody is watched
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_stop_monitor_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  reply = call_sync (self, "StopMonitor", "()", FALSE, NULL, cancellable, error);
  return reply != NULL;
}

/**
 * headnet_tailnet_ping_async:
 * @self: a tailnet
 * @target: a peer, as in [method@Headnet.Tailnet.get_peer_async]
 * @options: (nullable): an `a{sv}` with the options of the bus method, `Kind` and `TimeoutMs`, or %NULL
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Sends a ping and waits for the first answer.
 *
 * Since: 1.0
 */
void
headnet_tailnet_ping_async (HeadnetTailnet *self, const char *target, GVariant *options,
                            GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  g_return_if_fail (target != NULL);
  call_async (self, "Ping", "(a{sv})", TRUE,
              g_variant_new ("(s@a{sv})", target, headnet_call_options (options)),
              headnet_tailnet_ping_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_ping_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.ping_async].
 *
 * Returns: (transfer full): an `a{sv}` with `Path`, `Endpoint` or `Relay`, `Latency` (microseconds) and `Kind`
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_ping_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_ping_async, result, error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_tailnet_ping_sync:
 * @self: a tailnet
 * @target: a peer, as in [method@Headnet.Tailnet.get_peer_async]
 * @options: (nullable): an `a{sv}` with the options of the bus method, `Kind` and `TimeoutMs`, or %NULL
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Sends a ping and waits for the first answer.
 *
 * Waits until it is done.
 *
 * Returns: (transfer full): an `a{sv}` with `Path`, `Endpoint` or `Relay`, `Latency` (microseconds) and `Kind`
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_ping_sync (HeadnetTailnet *self, const char *target, GVariant *options,
                           GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  g_return_val_if_fail (target != NULL, NULL);
  reply = call_sync (self, "Ping", "(a{sv})", TRUE,
                     g_variant_new ("(s@a{sv})", target, headnet_call_options (options)),
                     cancellable, error);
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_tailnet_netcheck_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Looks at the network by asking the relays, which takes up to 5 seconds.
 *
 * Since: 1.0
 */
void
headnet_tailnet_netcheck_async (HeadnetTailnet *self, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "Netcheck", "(a{sv})", TRUE, NULL, headnet_tailnet_netcheck_async, cancellable,
              callback, user_data);
}

/**
 * headnet_tailnet_netcheck_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.netcheck_async].
 *
 * Returns: (transfer full): an `a{sv}` with the report, its keys named as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_netcheck_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_netcheck_async, result, error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_tailnet_netcheck_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Looks at the network by asking the relays, which takes up to 5 seconds.
 *
 * Waits until it is done.
 *
 * Returns: (transfer full): an `a{sv}` with the report, its keys named as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_netcheck_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  reply = call_sync (self, "Netcheck", "(a{sv})", TRUE, NULL, cancellable, error);
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_tailnet_get_network_config_async:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Asks what a network manager would set on the interface.
 *
 * Since: 1.0
 */
void
headnet_tailnet_get_network_config_async (HeadnetTailnet *self, GCancellable *cancellable,
                                          GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (HEADNET_IS_TAILNET (self));
  call_async (self, "GetNetworkConfig", "(a{sv})", FALSE, NULL,
              headnet_tailnet_get_network_config_async, cancellable, callback, user_data);
}

/**
 * headnet_tailnet_get_network_config_finish:
 * @self: a tailnet
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Tailnet.get_network_config_async].
 *
 * Returns: (transfer full): an `a{sv}` with the configuration, its keys named as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_get_network_config_finish (HeadnetTailnet *self, GAsyncResult *result,
                                           GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_get_network_config_async, result, error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_tailnet_get_network_config_sync:
 * @self: a tailnet
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Asks what a network manager would set on the interface.
 *
 * Waits until it is done.
 *
 * Returns: (transfer full): an `a{sv}` with the configuration, its keys named as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_get_network_config_sync (HeadnetTailnet *self, GCancellable *cancellable,
                                         GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  reply = call_sync (self, "GetNetworkConfig", "(a{sv})", FALSE, NULL, cancellable, error);
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}
