/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole service over a fake engine on a bus of its own: calls, signals, and what goes wrong. */
#include "bus/hn-bus-service.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/hn-error.h"
#include "bus/hn-gate.h"
#include "hn-fake-engine.h"

#define MANAGER_PATH "/org/headnet/Headnet1"
#define MANAGER "org.headnet.Headnet1.Manager"
#define TAILNET "org.headnet.Headnet1.Tailnet"
#define HOME "/org/headnet/Headnet1/tailnet/home"
#define ERROR "org.headnet.Headnet1.Error."

static char *bus_address;

typedef struct
{
  GDBusConnection *server, *client;
  HnEngine *engine;
  HnTailnet *home;
  HnBusService *service;
  gboolean ready;
  guint idle;

  /* what the client heard */
  GPtrArray *peers_changed;      /* of GVariant */
  GPtrArray *properties_changed; /* of GVariant */
} Fixture;

static void
iterate (void)
{
  g_main_context_iteration (NULL, TRUE);
}

static GDBusConnection *
new_connection (void)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_sync (
      bus_address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);

  g_assert_no_error (error);
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  return connection;
}

typedef struct
{
  gboolean done;
  GVariant *reply; /* NULL for an error */
  char *error_name;
  char *message;
} Answer;

static void
answer_clear (Answer *answer)
{
  g_clear_pointer (&answer->reply, g_variant_unref);
  g_clear_pointer (&answer->error_name, g_free);
  g_clear_pointer (&answer->message, g_free);
  answer->done = FALSE;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Answer *answer = user_data;
  g_autoptr (GError) error = NULL;

  answer->reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  if (error != NULL)
    {
      answer->error_name = g_dbus_error_get_remote_error (error);
      g_dbus_error_strip_remote_error (error);
      answer->message = g_strdup (error->message);
    }
  answer->done = TRUE;
}

/* Sends a call; its arguments are @format and what follows, or none for NULL. */
static void
send_call (GDBusConnection *client, const char *path, const char *interface_name,
           const char *method, GVariant *arguments, Answer *answer)
{
  g_dbus_connection_call (client, HN_BUS_NAME, path, interface_name, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, 10000, NULL, on_answer, answer);
}

static void
wait_for (Answer *answer)
{
  while (!answer->done)
    iterate ();
}

static void
call (GDBusConnection *client, const char *path, const char *interface_name, const char *method,
      const char *arguments, Answer *answer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) parsed = NULL;

  if (arguments != NULL)
    {
      parsed = g_variant_parse (NULL, arguments, NULL, NULL, &error);
      g_assert_no_error (error);
      /* floating from an older GLib, our own from a newer one */
      g_variant_take_ref (parsed);
    }
  answer_clear (answer);
  send_call (client, path, interface_name, method, parsed, answer);
  wait_for (answer);
}

static void
call_ok (Fixture *f, const char *path, const char *interface_name, const char *method,
         const char *arguments, Answer *answer)
{
  call (f->client, path, interface_name, method, arguments, answer);
  g_assert_cmpstr (answer->message, ==, NULL);
}

static void
call_fails (Fixture *f, const char *path, const char *interface_name, const char *method,
            const char *arguments, const char *name)
{
  g_auto (Answer) answer = { 0 };
  g_autofree char *full
      = g_str_has_prefix (name, "org.") ? g_strdup (name) : g_strconcat (ERROR, name, NULL);

  call (f->client, path, interface_name, method, arguments, &answer);
  g_assert_cmpstr (answer.error_name, ==, full);
  g_assert_cmpstr (answer.message, !=, "");
}

static GVariant *
get_property (Fixture *f, const char *path, const char *interface_name, const char *name)
{
  g_auto (Answer) answer = { 0 };
  g_autofree char *arguments = g_strdup_printf ("('%s', '%s')", interface_name, name);
  GVariant *value;

  call_ok (f, path, "org.freedesktop.DBus.Properties", "Get", arguments, &answer);
  g_variant_get (answer.reply, "(v)", &value);
  return value;
}

static void
check_text (Fixture *f, const char *name, const char *expected)
{
  g_autoptr (GVariant) value = get_property (f, HOME, TAILNET, name);

  g_assert_cmpstr (g_variant_get_string (value, NULL), ==, expected);
}

static void
on_signal (GDBusConnection *connection, const char *sender, const char *path,
           const char *interface_name, const char *signal_name, GVariant *parameters,
           gpointer user_data)
{
  g_ptr_array_add (user_data, g_variant_ref (parameters));
}

static void
on_ready (Fixture *f)
{
  f->ready = TRUE;
}

static void
on_idle (Fixture *f)
{
  f->idle++;
}

static void
add_home (Fixture *f)
{
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();

  g_free (preferences->name);
  preferences->name = g_strdup ("home");
  g_free (preferences->server_url);
  preferences->server_url = g_strdup ("https://hs.test");
  f->home = hn_engine_add_tailnet (f->engine, preferences, NULL);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->server = new_connection ();
  f->client = new_connection ();
  f->peers_changed = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  f->properties_changed = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_dbus_connection_signal_subscribe (f->client, NULL, TAILNET, "PeersChanged", NULL, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_signal, f->peers_changed, NULL);
  g_dbus_connection_signal_subscribe (f->client, NULL, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged", HOME, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                      on_signal, f->properties_changed, NULL);

  f->engine = hn_engine_new ("", "", NULL);
  add_home (f);
  f->service = hn_bus_service_new (f->server, f->engine);
  g_signal_connect_swapped (f->service, "ready", G_CALLBACK (on_ready), f);
  g_signal_connect_swapped (f->service, "idle", G_CALLBACK (on_idle), f);
  hn_bus_service_start (f->service, &error);
  g_assert_no_error (error);
  while (!f->ready)
    iterate ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_object_unref (f->service);
  g_dbus_connection_close_sync (f->client, NULL, NULL);
  g_dbus_connection_close_sync (f->server, NULL, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (f->client);
  g_object_unref (f->server);
  g_assert_finalize_object (f->engine);
  g_ptr_array_unref (f->peers_changed);
  g_ptr_array_unref (f->properties_changed);
}

static void
test_objects (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  g_autoptr (GVariant) tailnets = NULL;
  g_autoptr (GVariant) objects = NULL;
  g_autofree char *printed = NULL;

  call_ok (f, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
           &answer);
  objects = g_variant_get_child_value (answer.reply, 0);
  g_assert_cmpuint (g_variant_n_children (objects), ==, 1);

  /* Two of a name there are not; a path is that of the object. */
  call_fails (f, MANAGER_PATH, MANAGER, "AddTailnet",
              "({'ServerUrl': <'https://b.test'>, 'Name': <'home'>},)", "Exists");
  call_ok (f, MANAGER_PATH, MANAGER, "AddTailnet",
           "({'ServerUrl': <'https://b.test/'>, 'Name': <'work'>},)", &answer);
  printed = g_variant_print (answer.reply, FALSE);
  g_assert_cmpstr (printed, ==, "('/org/headnet/Headnet1/tailnet/work',)");
  tailnets = get_property (f, MANAGER_PATH, MANAGER, "Tailnets");
  g_assert_cmpuint (g_variant_n_children (tailnets), ==, 2);

  call_ok (f, MANAGER_PATH, MANAGER, "RemoveTailnet", "(objectpath '" HOME "',)", &answer);
  call_fails (f, MANAGER_PATH, MANAGER, "RemoveTailnet", "(objectpath '" HOME "',)", "NotFound");
  call_fails (f, MANAGER_PATH, MANAGER, "RemoveTailnet", "(objectpath '/',)", "NotFound");
  call_fails (f, HOME, TAILNET, "GetPeers", NULL, "org.freedesktop.DBus.Error.UnknownMethod");
  f->home = NULL;
}

static void
test_properties (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  g_autoptr (GVariant) version = get_property (f, MANAGER_PATH, MANAGER, "Version");
  guint heard;

  g_assert_cmpstr (g_variant_get_string (version, NULL), !=, "");
  check_text (f, "Id", "home");
  check_text (f, "Name", "home");
  check_text (f, "State", "stopped");
  check_text (f, "StateReason", "");
  check_text (f, "ExitNode", "");

  /* What a call did is there when its answer is, and came as one signal. */
  heard = f->properties_changed->len;
  call_ok (f, HOME, TAILNET, "Connect", "(@a{sv} {},)", &answer);
  g_assert_cmpuint (f->properties_changed->len, ==, heard + 1);
  check_text (f, "State", "running");
  /* Again changes nothing and says nothing. */
  call_ok (f, HOME, TAILNET, "Connect", "({'Configuration': <'self'>},)", &answer);
  g_assert_cmpuint (f->properties_changed->len, ==, heard + 1);

  call_ok (f, HOME, TAILNET, "SetPreferences", "({'Name': <'Zuhause'>, 'Mtu': <uint32 1400>},)",
           &answer);
  check_text (f, "Name", "Zuhause");
  call_fails (f, HOME, TAILNET, "SetPreferences", "({'AcceptRoutes': <true>},)", "NotSupported");
  call_fails (f, HOME, TAILNET, "SetPreferences", "({'Colour': <'red'>},)", "InvalidArgument");
  call_fails (f, HOME, "org.freedesktop.DBus.Properties", "Set",
              "('org.headnet.Headnet1.Tailnet', 'Name', <'x'>)",
              "org.freedesktop.DBus.Error.InvalidArgs");
  call_ok (f, HOME, TAILNET, "Disconnect", NULL, &answer);
  check_text (f, "State", "stopped");
}

static void
test_peers (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  g_autoptr (GVariant) removed = NULL;
  g_autofree char *id = NULL;
  guint64 generation;
  gboolean online;

  hn_fake_tailnet_set_peers (f->home, 3);
  call_ok (f, HOME, TAILNET, "GetPeers", NULL, &answer);
  g_assert_true (g_variant_is_of_type (answer.reply, G_VARIANT_TYPE ("(taa{sv})")));
  {
    g_autoptr (GVariant) list = g_variant_get_child_value (answer.reply, 1);
    g_autoptr (GVariant) first = g_variant_get_child_value (list, 0);
    g_autoptr (GVariant) counters = g_variant_lookup_value (first, "RxBytes", NULL);

    g_assert_cmpuint (g_variant_n_children (list), ==, 3);
    g_assert_true (g_variant_lookup (first, "Id", "s", &id));
    g_assert_cmpstr (id, ==, "n0");
    g_assert_null (counters);
  }

  /* All of them: empty lists. One: that one, whole. */
  while (f->peers_changed->len == 0)
    iterate ();
  hn_fake_tailnet_change_peer (f->home, 1);
  hn_fake_tailnet_remove_peer (f->home, 0);
  while (f->peers_changed->len < 3)
    iterate ();
  {
    GVariant *all = g_ptr_array_index (f->peers_changed, 0);
    GVariant *one = g_ptr_array_index (f->peers_changed, 1);
    GVariant *gone = g_ptr_array_index (f->peers_changed, 2);
    g_autoptr (GVariant) everything = g_variant_get_child_value (all, 1);
    g_autoptr (GVariant) changed = g_variant_get_child_value (one, 1);
    g_autoptr (GVariant) peer = g_variant_get_child_value (changed, 0);

    g_assert_cmpuint (g_variant_n_children (everything), ==, 0);
    g_variant_get_child (one, 0, "t", &generation);
    g_assert_cmpuint (generation, ==, 2);
    g_assert_true (g_variant_lookup (peer, "Online", "b", &online));
    g_assert_false (online);
    removed = g_variant_get_child_value (gone, 2);
    g_assert_cmpuint (g_variant_n_children (removed), ==, 1);
  }

  /* The list is never older than its generation says. */
  call_ok (f, HOME, TAILNET, "GetPeers", NULL, &answer);
  g_variant_get_child (answer.reply, 0, "t", &generation);
  g_assert_cmpuint (generation, ==, 3);

  call_ok (f, HOME, TAILNET, "GetPeer", "('n1',)", &answer);
  {
    g_autoptr (GVariant) peer = g_variant_get_child_value (answer.reply, 0);
    guint64 rx;

    g_assert_true (g_variant_lookup (peer, "RxBytes", "t", &rx));
    g_assert_cmpuint (rx, ==, 1000);
  }
  call_fails (f, HOME, TAILNET, "GetPeer", "('n0',)", "NotFound");
  call_fails (f, HOME, TAILNET, "GetPeer", "('',)", "InvalidArgument");
  call_ok (f, HOME, TAILNET, "GetNetworkConfig", NULL, &answer);
}

/* A peer that goes while its counters are on the way. */
static void
test_peer_gone (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };

  hn_fake_tailnet_set_peers (f->home, 2);
  hn_fake_tailnet_hold (f->home, TRUE);
  send_call (f->client, HOME, TAILNET, "GetPeer", g_variant_new ("(s)", "n0"), &answer);
  while (!hn_tailnet_is_busy (f->home))
    iterate ();
  hn_fake_tailnet_remove_peer (f->home, 0);
  hn_fake_tailnet_release (f->home);
  wait_for (&answer);
  g_assert_cmpstr (answer.error_name, ==, ERROR "NotFound");
}

static void
test_login (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  const char *url;

  call_fails (f, HOME, TAILNET, "GetLoginUrl", NULL, "NotFound");
  call_ok (f, HOME, TAILNET, "Login", "({'AuthKey': <'secret'>},)", &answer);
  g_assert_cmpstr (hn_fake_tailnet_get_auth_key (f->home), ==, "secret");

  /* What a server says is shown without what could move a terminal's cursor. */
  call (f->client, HOME, TAILNET, "Login", "({'AuthKey': <'wrong'>},)", &answer);
  g_assert_cmpstr (answer.error_name, ==, ERROR "ServerRefused");
  g_assert_null (strpbrk (answer.message, "\n\033"));
  g_assert_nonnull (strstr (answer.message, "The server says: "));
  call_fails (f, HOME, TAILNET, "Login", "({'AuthKey': <'nobody'>},)", "ServerUnreachable");

  call_ok (f, HOME, TAILNET, "Login", "(@a{sv} {},)", &answer);
  {
    g_autoptr (GVariant) pending = get_property (f, HOME, TAILNET, "LoginPending");

    g_assert_true (g_variant_get_boolean (pending));
  }
  call_ok (f, HOME, TAILNET, "GetLoginUrl", NULL, &answer);
  g_variant_get_child (answer.reply, 0, "&s", &url);
  g_assert_true (g_str_has_prefix (url, "https://"));
  call_ok (f, HOME, TAILNET, "Logout", NULL, &answer);
}

static void
test_wrong_types (Fixture *f, gconstpointer data)
{
  call_fails (f, HOME, TAILNET, "Connect", "('self',)", "org.freedesktop.DBus.Error.InvalidArgs");
  call_fails (f, HOME, TAILNET, "GetPeers", "(7,)", "org.freedesktop.DBus.Error.InvalidArgs");
  call_fails (f, HOME, TAILNET, "Explode", NULL, "org.freedesktop.DBus.Error.UnknownMethod");
  call_fails (f, HOME, TAILNET, "Explain", NULL, "org.freedesktop.DBus.Error.UnknownMethod");
  call_fails (f, MANAGER_PATH, TAILNET, "GetPeers", NULL,
              "org.freedesktop.DBus.Error.UnknownMethod");
  call_fails (f, HOME, TAILNET, "Ping", "('n0', {'Kind': <'smoke'>})", "InvalidArgument");
  call_fails (f, HOME, TAILNET, "Ping", "('n0', @a{sv} {})", "NotConnected");
  call_fails (f, MANAGER_PATH, MANAGER, "AddTailnet", "(@a{sv} {},)", "InvalidArgument");
  call_fails (f, MANAGER_PATH, MANAGER, "CheckServer", "('file:///etc/passwd', @a{sv} {})",
              "InvalidArgument");
}

static void
test_check_server (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  g_autoptr (GVariant) steps = NULL;

  call_ok (f, MANAGER_PATH, MANAGER, "CheckServer", "('https://b.test', @a{sv} {})", &answer);
  steps = g_variant_get_child_value (answer.reply, 0);
  g_assert_cmpuint (g_variant_n_children (steps), ==, 1);
}

static void
test_netcheck (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };
  g_autofree char *printed = NULL;

  call_ok (f, HOME, TAILNET, "Netcheck", NULL, &answer);
  printed = g_variant_print (answer.reply, FALSE);
  g_assert_cmpstr (printed, ==,
                   "({'Udp': <true>, 'Ipv4': <'192.0.2.1:41641'>, 'MappingVaries': <false>, "
                   "'CaptivePortal': <false>, 'PortMapping': <'pcp'>, "
                   "'Relays': <[{'Id': <uint32 999>, 'Code': <'hs'>, "
                   "'Name': <'Lab'>, 'Latency': <uint64 1234>}]>, 'Time': <int64 1795000000>},)");
}

/* Figures come to who asked for them, until that one has enough or leaves. */
static void
test_monitor (Fixture *f, gconstpointer data)
{
  g_autoptr (GDBusConnection) other = new_connection ();
  g_autoptr (GPtrArray) mine = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (GPtrArray) others = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_auto (Answer) answer = { 0 };
  g_auto (Answer) second = { 0 };
  g_autofree char *printed = NULL;
  guint told;

  g_dbus_connection_signal_subscribe (f->client, NULL, TAILNET, "PeerStats", HOME, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_signal, mine, NULL);
  g_dbus_connection_signal_subscribe (other, NULL, TAILNET, "PeerStats", HOME, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, on_signal, others, NULL);
  hn_fake_tailnet_set_peers (f->home, 3);
  call_fails (f, HOME, TAILNET, "MonitorPeers", "(['n0'], uint32 199)", "InvalidArgument");
  call_fails (f, HOME, TAILNET, "MonitorPeers", "(['n0'], uint32 60001)", "InvalidArgument");
  call_fails (f, HOME, TAILNET, "MonitorPeers", "(['nobody'], uint32 500)", "NotFound");
  call_ok (f, HOME, TAILNET, "MonitorPeers", "(['n0', 'n2'], uint32 200)", &answer);
  while (mine->len < 2)
    iterate ();
  printed = g_variant_print (g_ptr_array_index (mine, 1), FALSE);
  g_assert_nonnull (strstr (printed, "'Id': <'n0'>"));
  g_assert_nonnull (strstr (printed, "'RxBytes': <uint64 1001>"));
  g_assert_cmpuint (others->len, ==, 0);

  answer_clear (&answer);
  call_ok (f, HOME, TAILNET, "StopMonitor", NULL, &answer);
  told = mine->len;
  call (other, HOME, TAILNET, "MonitorPeers", "(['n1'], uint32 200)", &second);
  g_assert_cmpstr (second.message, ==, NULL);
  while (others->len < 3)
    iterate ();
  g_assert_cmpuint (mine->len, ==, told);
  /* the service survives a watcher that leaves with a signal on its way */
  g_dbus_connection_close_sync (other, NULL, NULL);
  answer_clear (&answer);
  call_ok (f, HOME, TAILNET, "StopMonitor", NULL, &answer);
}

/* A login is under way while the tailnet is removed: it is answered, and nothing new begins. */
static void
test_removed_meanwhile (Fixture *f, gconstpointer data)
{
  g_auto (Answer) login = { 0 };
  g_auto (Answer) removal = { 0 };
  g_autoptr (HnTailnet) home = g_object_ref (f->home);

  hn_fake_tailnet_hold (f->home, TRUE);
  hn_fake_engine_hold (f->engine, TRUE);
  send_call (f->client, HOME, TAILNET, "Login", g_variant_new ("(a{sv})", NULL), &login);
  while (!hn_tailnet_is_busy (f->home))
    iterate ();
  send_call (f->client, MANAGER_PATH, MANAGER, "RemoveTailnet", g_variant_new ("(o)", HOME),
             &removal);
  call_fails (f, HOME, TAILNET, "Connect", "(@a{sv} {},)", "Busy");
  call_fails (f, HOME, TAILNET, "SetPreferences", "(@a{sv} {},)", "Busy");
  call_fails (f, MANAGER_PATH, MANAGER, "RemoveTailnet", "(objectpath '" HOME "',)", "Busy");

  hn_fake_engine_release (f->engine);
  wait_for (&removal);
  g_assert_cmpstr (removal.message, ==, NULL);
  g_assert_false (login.done);
  hn_fake_tailnet_release (home);
  wait_for (&login);
  g_assert_cmpstr (login.error_name, ==, ERROR "Failed");
}

static void
test_caller_leaves (Fixture *f, gconstpointer data)
{
  g_autoptr (GDBusConnection) other = new_connection ();
  g_auto (Answer) answer = { 0 };
  g_auto (Answer) lost = { 0 };

  hn_fake_tailnet_hold (f->home, TRUE);
  send_call (other, HOME, TAILNET, "Login", g_variant_new ("(a{sv})", NULL), &lost);
  while (!hn_tailnet_is_busy (f->home))
    iterate ();
  g_dbus_connection_close_sync (other, NULL, NULL);
  wait_for (&lost);
  hn_fake_tailnet_release (f->home);
  hn_fake_tailnet_hold (f->home, FALSE);
  call_ok (f, HOME, TAILNET, "Login", "(@a{sv} {},)", &answer);
}

/* One client can not fill us up, and does not keep others out. */
static void
test_flood (Fixture *f, gconstpointer data)
{
  Answer *answers = g_new0 (Answer, HN_GATE_MAX_PENDING + 1);
  g_autoptr (GDBusConnection) other = new_connection ();
  g_auto (Answer) answer = { 0 };

  hn_fake_tailnet_hold (f->home, TRUE);
  for (guint i = 0; i <= HN_GATE_MAX_PENDING; i++)
    send_call (f->client, HOME, TAILNET, "Logout", NULL, &answers[i]);
  wait_for (&answers[HN_GATE_MAX_PENDING]);
  g_assert_cmpstr (answers[HN_GATE_MAX_PENDING].error_name, ==, ERROR "Busy");
  call (other, HOME, TAILNET, "Connect", "(@a{sv} {},)", &answer);
  g_assert_cmpstr (answer.message, ==, NULL);

  hn_fake_tailnet_release (f->home);
  for (guint i = 0; i < HN_GATE_MAX_PENDING; i++)
    {
      wait_for (&answers[i]);
      g_assert_cmpstr (answers[i].message, ==, NULL);
    }
  /* Answered calls do not count any more. */
  hn_fake_tailnet_hold (f->home, FALSE);
  call_ok (f, HOME, TAILNET, "Logout", NULL, &answer);
  for (guint i = 0; i <= HN_GATE_MAX_PENDING; i++)
    answer_clear (&answers[i]);
  g_free (answers);
  g_dbus_connection_close_sync (other, NULL, NULL);
}

/* Answers that take a while to send wait their turn, and count as long as they do. */
static void
test_flood_of_large_answers (Fixture *f, gconstpointer data)
{
  Answer *answers = g_new0 (Answer, HN_GATE_MAX_PENDING + 6);
  guint n_busy = 0;

  hn_fake_tailnet_set_peers (f->home, 600);
  for (guint i = 0; i < HN_GATE_MAX_PENDING + 6; i++)
    send_call (f->client, HOME, TAILNET, "GetPeers", NULL, &answers[i]);
  g_usleep (200 * 1000); /* so that all of them are there in one turn of the loop */
  for (guint i = 0; i < HN_GATE_MAX_PENDING + 6; i++)
    {
      wait_for (&answers[i]);
      if (answers[i].error_name != NULL)
        {
          g_assert_cmpstr (answers[i].error_name, ==, ERROR "Busy");
          n_busy++;
        }
      answer_clear (&answers[i]);
    }
  g_assert_cmpuint (n_busy, ==, 6);
  g_free (answers);
}

/* A message that is too large would cost us the connection to the system bus. */
static void
test_too_large (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };

  hn_fake_tailnet_set_large_peers (f->home, 1700);
  call_ok (f, HOME, TAILNET, "GetPeers", NULL, &answer);
  hn_fake_tailnet_set_large_peers (f->home, 2100);
  call_fails (f, HOME, TAILNET, "GetPeers", NULL, "Failed");
  call_fails (f, HOME, TAILNET, "GetPeers", NULL, "Failed");
  call_ok (f, HOME, TAILNET, "GetPeer", "('n0',)", &answer);
}

/* Arguments are packed, or refused, before anybody is asked about their sender. */
static void
test_long_arguments (Fixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 100, 5000, HN_GATE_MAX_ARGUMENTS };
  g_auto (Answer) answer = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strnfill (sizes[i], 'x');
      g_autofree char *arguments = g_strdup_printf ("({'AuthKey': <'%s'>},)", text);

      if (sizes[i] <= 1024)
        call_ok (f, HOME, TAILNET, "Login", arguments, &answer);
      else
        call_fails (f, HOME, TAILNET, "Login", arguments, "InvalidArgument");
    }
}

/* Who waits for a list of a tailnet that goes is told so. */
static void
test_removed_before_list (Fixture *f, gconstpointer data)
{
  g_auto (Answer) list = { 0 };

  hn_fake_tailnet_set_peers (f->home, 600);
  send_call (f->client, HOME, TAILNET, "GetPeers", NULL, &list);
  g_usleep (50 * 1000);
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (hn_engine_get_tailnets (f->engine)->len, ==, 1);
  hn_engine_remove_tailnet_async (f->engine, f->home, NULL, NULL, NULL);
  wait_for (&list);
  g_assert_cmpstr (list.error_name, ==, ERROR "NotFound");
}

static void
test_network_manager (Fixture *f, gconstpointer data)
{
  g_autoptr (GDBusConnection) first = new_connection ();
  g_autoptr (GDBusConnection) second = new_connection ();
  g_auto (Answer) answer = { 0 };

  g_test_expect_message ("headnet-bus", G_LOG_LEVEL_MESSAGE, "*left the bus*");
  call (first, HOME, TAILNET, "Connect", "({'Configuration': <'networkmanager'>},)", &answer);
  g_assert_true (hn_fake_tailnet_get_network_manager (f->home));
  g_dbus_connection_close_sync (first, NULL, NULL);
  while (hn_tailnet_is_wanted (f->home))
    iterate ();
  g_test_assert_expected_messages ();

  /* Once somebody else wants it too, the one who leaves ends nothing. */
  call (second, HOME, TAILNET, "Connect", "({'Configuration': <'networkmanager'>},)", &answer);
  call_ok (f, HOME, TAILNET, "Connect", "(@a{sv} {},)", &answer);
  g_dbus_connection_close_sync (second, NULL, NULL);
  call_ok (f, HOME, TAILNET, "GetNetworkConfig", NULL, &answer);
  check_text (f, "State", "running");
  g_assert_false (hn_fake_tailnet_get_network_manager (f->home));
}

static gboolean
on_tick (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
wait_ms (guint ms)
{
  gboolean over = FALSE;

  g_timeout_add (ms, on_tick, &over);
  while (!over)
    iterate ();
}

static void
test_idle (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };

  call_ok (f, HOME, TAILNET, "Connect", "(@a{sv} {},)", &answer);
  hn_bus_service_set_idle_timeout (f->service, 1);
  wait_ms (1100);
  g_assert_cmpuint (f->idle, ==, 0);
  call_ok (f, HOME, TAILNET, "Disconnect", NULL, &answer);
  wait_ms (500);
  g_assert_cmpuint (f->idle, ==, 0);
  while (f->idle == 0)
    iterate ();
  /* By then callers start a new daemon instead of finding this one. */
  call (f->client, HOME, TAILNET, "GetPeers", NULL, &answer);
  g_assert_cmpstr (answer.error_name, ==, "org.freedesktop.DBus.Error.NameHasNoOwner");
}

/* A call that reaches us while the name is being given back: it is answered, and we stay. */
static void
test_call_while_leaving (Fixture *f, gconstpointer data)
{
  g_auto (Answer) answer = { 0 };

  hn_bus_service_set_idle_timeout (f->service, 1);
  f->ready = FALSE;
  /* The loop stands still until both the timer and the call are due; the timer is older. */
  g_usleep (1050 * 1000);
  send_call (f->client, HOME, TAILNET, "GetNetworkConfig", NULL, &answer);
  g_usleep (100 * 1000);
  wait_for (&answer);
  g_assert_cmpstr (answer.message, ==, NULL);
  while (!f->ready)
    iterate ();
  g_assert_cmpuint (f->idle, ==, 0);
  call_ok (f, HOME, TAILNET, "GetNetworkConfig", NULL, &answer);
}

static gint64
thread_cpu_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* How long ten thousand peers keep the main loop; a measurement, not a test. */
static void
test_many_peers (Fixture *f, gconstpointer data)
{
  const guint n = g_test_perf () ? 10000 : 300;

  hn_fake_tailnet_set_peers (f->home, n);
  for (int i = 0; i < 2; i++)
    {
      gint64 start = thread_cpu_us ();
      g_auto (Answer) answer = { 0 };
      g_autoptr (GVariant) list = NULL;

      call_ok (f, HOME, TAILNET, "GetPeers", NULL, &answer);
      list = g_variant_get_child_value (answer.reply, 1);
      g_assert_cmpuint (g_variant_n_children (list), ==, n);
      g_test_message ("%u peers, %" G_GSIZE_FORMAT " bytes, %" G_GINT64_FORMAT " us of main thread",
                      n, g_variant_get_size (answer.reply), thread_cpu_us () - start);
    }
}

static void
die_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* A bus for this program alone; NULL when there is none to be had. */
static GSubprocess *
start_bus (void)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_autoptr (GDataInputStream) output = NULL;
  GSubprocess *bus;

  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  bus = g_subprocess_launcher_spawn (launcher, NULL, "dbus-daemon", "--session", "--nofork",
                                     "--nopidfile", "--address=unix:tmpdir=/tmp",
                                     "--print-address=1", NULL);
  if (bus == NULL)
    return NULL;
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (bus));
  bus_address = g_data_input_stream_read_line (output, NULL, NULL, NULL);
  g_assert_nonnull (bus_address);
  return bus;
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/bus/service/objects", test_objects },
    { "/bus/service/properties", test_properties },
    { "/bus/service/peers", test_peers },
    { "/bus/service/peer-gone", test_peer_gone },
    { "/bus/service/login", test_login },
    { "/bus/service/wrong-types", test_wrong_types },
    { "/bus/service/check-server", test_check_server },
    { "/bus/service/netcheck", test_netcheck },
    { "/bus/service/monitor", test_monitor },
    { "/bus/service/removed-meanwhile", test_removed_meanwhile },
    { "/bus/service/caller-leaves", test_caller_leaves },
    { "/bus/service/flood", test_flood },
    { "/bus/service/flood-of-large-answers", test_flood_of_large_answers },
    { "/bus/service/too-large", test_too_large },
    { "/bus/service/long-arguments", test_long_arguments },
    { "/bus/service/removed-before-list", test_removed_before_list },
    { "/bus/service/network-manager", test_network_manager },
    { "/bus/service/idle", test_idle },
    { "/bus/service/call-while-leaving", test_call_while_leaving },
    { "/bus/service/many-peers", test_many_peers },
  };
  g_autoptr (GSubprocess) bus = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  bus = start_bus ();
  if (bus == NULL)
    {
      g_print ("1..0 # SKIP dbus-daemon is not installed\n");
      return 0;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  status = g_test_run ();
  g_subprocess_force_exit (bus);
  g_subprocess_wait (bus, NULL, NULL);
  g_free (bus_address);
  return status;
}
