/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A router's UPnP on 127.0.0.1, as a test wants it. */
#include <gio/gio.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-upnp.h"

typedef struct
{
  GSocketService *service;
  guint16 port;
  HnUpnp *upnp;
  guint done;
  HnEndpoint outer;

  /* Of what follows: the router has threads of its own. The test holds it but while it waits. */
  GMutex mutex;
  GCond cond;
  const char *kind;       /* of the service */
  const char *control;    /* its address in the description */
  const char *address;    /* the outer one */
  const char *outer_port; /* what AddAnyPortMapping gives */
  guint refuse;           /* error code for leases that end */
  guint refuse_port;      /* error code for the port that is the inner one */
  gboolean held_back;     /* answers to AddPortMapping wait */
  guint adds, any_adds, deletes, calls;
  char lease[16], deleted_port[16];
} World;

static char *
between (const char *text, const char *begin, const char *end)
{
  const char *from = strstr (text, begin);
  const char *to;

  if (from == NULL)
    return g_strdup ("");
  from += strlen (begin);
  to = strstr (from, end);
  return to != NULL ? g_strndup (from, (gsize) (to - from)) : g_strdup ("");
}

static char *
describe (World *world)
{
  return g_strdup_printf (
      "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>"
      "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList>"
      "<device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList>"
      "<device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>"
      "<serviceList><service>"
      "<serviceType>urn:schemas-upnp-org:service:%s</serviceType>"
      "<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>/x.xml</SCPDURL>"
      "<controlURL>%s</controlURL><eventSubURL>/evt</eventSubURL></service></serviceList>"
      "</device></deviceList></device></deviceList></device></root>",
      world->kind, world->control);
}

static char *
answer_soap (World *world, const char *action, const char *request, guint *error)
{
  if (strstr (action, "#GetExternalIPAddress") != NULL)
    return g_strdup_printf ("<NewExternalIPAddress>%s</NewExternalIPAddress>", world->address);
  if (strstr (action, "#DeletePortMapping") != NULL)
    {
      g_autofree char *port = between (request, "<NewExternalPort>", "<");

      world->deletes++;
      g_strlcpy (world->deleted_port, port, sizeof world->deleted_port);
      return g_strdup ("");
    }
  if (strstr (action, "PortMapping") != NULL)
    {
      g_autofree char *lease = between (request, "<NewLeaseDuration>", "<");
      g_autofree char *outer = between (request, "<NewExternalPort>", "<");
      g_autofree char *inner = between (request, "<NewInternalPort>", "<");

      if (strstr (action, "#AddAnyPortMapping") != NULL)
        world->any_adds++;
      else
        world->adds++;
      g_cond_broadcast (&world->cond);
      while (world->held_back)
        g_cond_wait (&world->cond, &world->mutex);
      g_strlcpy (world->lease, lease, sizeof world->lease);
      if (world->refuse != 0 && strcmp (lease, "0") != 0)
        *error = world->refuse;
      else if (world->refuse_port != 0 && strcmp (inner, outer) == 0)
        *error = world->refuse_port;
      return g_strdup_printf ("<NewReservedPort>%s</NewReservedPort>", world->outer_port);
    }
  *error = 401;
  return g_strdup ("");
}

static gboolean
on_request (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
            gpointer data)
{
  World *world = data;
  g_autoptr (GString) request = g_string_new (NULL);
  g_autofree char *body = NULL, *action = NULL, *wanted = NULL, *answer = NULL;
  GInputStream *in = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  const char *head_end = NULL;
  guint error = 0;
  char buffer[2048];

  for (;;)
    {
      gssize n = g_input_stream_read (in, buffer, sizeof buffer, NULL, NULL);

      if (n <= 0)
        return TRUE;
      g_string_append_len (request, buffer, n);
      head_end = strstr (request->str, "\r\n\r\n");
      if (head_end == NULL)
        continue;
      g_free (wanted);
      wanted = between (request->str, "Content-Length: ", "\r\n");
      if (strlen (head_end + 4) >= g_ascii_strtoull (wanted, NULL, 10))
        break;
    }
  g_mutex_lock (&world->mutex);
  world->calls++;
  action = between (request->str, "SOAPAction: ", "\r\n");
  if (*action == '\0')
    {
      body = describe (world);
    }
  else
    {
      g_autofree char *inner = answer_soap (world, action, request->str, &error);

      body = error == 0
                 ? g_strdup_printf ("<s:Envelope><s:Body><u:Response>%s</u:Response></s:Body>"
                                    "</s:Envelope>",
                                    inner)
                 : g_strdup_printf ("<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>%u"
                                    "</errorCode></UPnPError></detail></s:Fault></s:Body>"
                                    "</s:Envelope>",
                                    error);
    }
  g_cond_broadcast (&world->cond);
  g_mutex_unlock (&world->mutex);
  answer = g_strdup_printf ("HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %u\r\n"
                            "Connection: close\r\n\r\n%s",
                            error == 0 ? "200 OK" : "500 Internal Server Error",
                            (guint) strlen (body), body);
  g_output_stream_write_all (out, answer, strlen (answer), NULL, NULL, NULL);
  return TRUE;
}

static void
on_done (gpointer user, const HnEndpoint *outer, guint32 lifetime_s)
{
  World *world = user;

  world->done++;
  world->outer = outer != NULL ? *outer : (HnEndpoint){ 0 };
  g_assert_cmpuint (lifetime_s, ==, 7200);
}

static void
world_init (World *world)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) effective = NULL;
  g_autoptr (GError) error = NULL;

  *world = (World){
    .kind = "WANIPConnection:1", .control = "/ctl", .address = "45.67.89.10", .outer_port = "5555"
  };
  g_mutex_init (&world->mutex);
  g_cond_init (&world->cond);
  world->service = g_threaded_socket_service_new (4);
  g_socket_listener_add_address (G_SOCKET_LISTENER (world->service), address, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_DEFAULT, NULL, &effective, &error);
  g_assert_no_error (error);
  world->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (effective));
  g_signal_connect (world->service, "run", G_CALLBACK (on_request), world);
  g_socket_service_start (world->service);
  world->upnp = hn_upnp_new (on_done, world);
  g_mutex_lock (&world->mutex);
}

static void
map (World *world)
{
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u/root.xml", world->port);
  HnIp local;

  g_assert_true (hn_ip_parse ("127.0.0.1", &local));
  hn_upnp_map (world->upnp, url, &local, 41641, 7200);
}

static void
map_and_wait (World *world)
{
  const guint before = world->done;

  map (world);
  g_mutex_unlock (&world->mutex);
  while (world->done == before)
    g_main_context_iteration (NULL, TRUE);
  g_mutex_lock (&world->mutex);
}

/* The router accepts on the main context: it has to run while others are waited for. */
static void
wait_for (World *world, const guint *count, guint value)
{
  while (*count < value)
    {
      g_mutex_unlock (&world->mutex);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
      g_mutex_lock (&world->mutex);
    }
}

static void
world_clear (World *world)
{
  g_mutex_unlock (&world->mutex);
  g_clear_pointer (&world->upnp, hn_upnp_free);
  g_socket_service_stop (world->service);
  g_socket_listener_close (G_SOCKET_LISTENER (world->service));
  g_object_unref (world->service);
  g_mutex_clear (&world->mutex);
  g_cond_clear (&world->cond);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (World, world_clear)

static void
check_outer (World *world, const char *expected)
{
  char text[HN_IP_TEXT_MAX];

  g_assert_cmpstr (world->outer.ip.family != 0 ? hn_endpoint_format (&world->outer, text) : "", ==,
                   expected);
}

static void
test_first_version (void)
{
  g_auto (World) world;

  world_init (&world);
  map_and_wait (&world);
  check_outer (&world, "45.67.89.10:41641");
  g_assert_cmpstr (world.lease, ==, "7200");
  g_assert_cmpuint (world.adds, ==, 1);
  /* Again, which renews. */
  map_and_wait (&world);
  check_outer (&world, "45.67.89.10:41641");
  g_assert_cmpuint (world.adds, ==, 2);
  hn_upnp_unmap (world.upnp);
  wait_for (&world, &world.deletes, 1);
  g_assert_cmpstr (world.deleted_port, ==, "41641");
  /* There is nothing more to take away. */
  hn_upnp_unmap (world.upnp);
  g_clear_pointer (&world.upnp, hn_upnp_free);
  g_assert_cmpuint (world.deletes, ==, 1);
}

static void
test_second_version (void)
{
  g_auto (World) world;

  world_init (&world);
  world.kind = "WANIPConnection:2";
  map_and_wait (&world);
  check_outer (&world, "45.67.89.10:5555");
  g_assert_cmpuint (world.any_adds, ==, 1);
  g_assert_cmpuint (world.adds, ==, 0);
  hn_upnp_forget (world.upnp);
  g_assert_cmpuint (world.deletes, ==, 0);
}

static void
test_refusals (void)
{
  g_auto (World) world;

  world_init (&world);
  /* Only mappings without an end. */
  world.refuse = 725;
  map_and_wait (&world);
  check_outer (&world, "45.67.89.10:41641");
  g_assert_cmpstr (world.lease, ==, "0");
  world.refuse = 402;
  map_and_wait (&world);
  check_outer (&world, "45.67.89.10:41641");
  /* Somebody else has the port. */
  world.refuse = 0;
  world.refuse_port = 718;
  map_and_wait (&world);
  g_assert_cmpuint (world.outer.port, !=, 41641);
  g_assert_cmpuint (world.outer.port, >=, 1024);
  /* No, for whatever reason: once asked. */
  world.adds = 0;
  world.refuse_port = 0;
  world.refuse = 606;
  map_and_wait (&world);
  check_outer (&world, "");
  g_assert_cmpuint (world.adds, ==, 1);
}

/* Addresses that nobody can reach, and descriptions that lead elsewhere. */
static void
test_hostile (void)
{
  static const char *const addresses[]
      = { "192.168.1.1", "0.0.0.0", "127.0.0.1", "100.64.0.1", "::1", "nonsense", "" };
  static const char *const controls[]
      = { "http://127.0.0.2:1/ctl", "http://127.0.0.1.example/ctl" };
  g_auto (World) world;
  guint calls;

  world_init (&world);
  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      world.address = addresses[i];
      map_and_wait (&world);
      check_outer (&world, "");
    }
  g_assert_cmpuint (world.adds, ==, 0);
  world.address = "45.67.89.10";
  for (guint i = 0; i < G_N_ELEMENTS (controls); i++)
    {
      world.control = controls[i];
      calls = world.calls;
      map_and_wait (&world);
      check_outer (&world, "");
      /* the description, nothing else */
      g_assert_cmpuint (world.calls, ==, calls + 1);
    }
  world.control = "/ctl";
  world.kind = "WANIPConnection:2";
  world.outer_port = "70000";
  map_and_wait (&world);
  check_outer (&world, "");
  world.outer_port = "";
  map_and_wait (&world);
  check_outer (&world, "");
}

/* Given up while the router thinks: what it makes is taken away. */
static void
test_given_up (void)
{
  g_auto (World) world;

  world_init (&world);
  world.held_back = TRUE;
  map (&world);
  wait_for (&world, &world.adds, 1);
  hn_upnp_unmap (world.upnp);
  world.held_back = FALSE;
  g_cond_broadcast (&world.cond);
  wait_for (&world, &world.deletes, 1);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (world.done, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/upnp/first-version", test_first_version);
  g_test_add_func ("/upnp/second-version", test_second_version);
  g_test_add_func ("/upnp/refusals", test_refusals);
  g_test_add_func ("/upnp/hostile", test_hostile);
  g_test_add_func ("/upnp/given-up", test_given_up);
  return g_test_run ();
}
