/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-portmapper.h"

#include <unistd.h>

#include "base/hn-clock.h"
#include "base/hn-source.h"
#include "net/hn-udp.h"
#include "path/hn-upnp.h"

struct _HnPortmapper
{
  void (*changed) (gpointer user);
  gpointer user;
  guint32 mark;
  HnIp gateway;
  HnPortmap *portmap; /* owned */
  HnUpnp *upnp;       /* owned */
  HnUdp *udp;         /* owned; bound only while the machine is open */
  gboolean bound;
  GSource *timer;  /* owned; NULL none */
  gint64 timer_us; /* what it waits for; G_MAXINT64 nothing */
};

static gboolean on_timer (gpointer user_data);

/* After anything that may have asked, or ended a question. */
static void
settle (HnPortmapper *self)
{
  gint64 deadline_us = hn_portmap_get_deadline (self->portmap);

  if (self->bound)
    hn_udp_flush (self->udp);
  if (self->bound && !hn_portmap_is_open (self->portmap))
    {
      hn_udp_close (self->udp);
      self->bound = FALSE;
    }
  if (deadline_us == self->timer_us)
    return;
  self->timer_us = deadline_us;
  hn_source_clear (&self->timer);
  if (deadline_us == G_MAXINT64)
    return;
  self->timer = hn_clock_timer_new (deadline_us - hn_clock_now_us ());
  g_source_set_callback (self->timer, on_timer, self, NULL);
  g_source_attach (self->timer, g_main_context_get_thread_default ());
}

static gboolean
on_timer (gpointer user_data)
{
  HnPortmapper *self = user_data;

  /* the next one is made anew: a timer may come a little early */
  self->timer_us = G_MAXINT64;
  hn_source_clear (&self->timer);
  hn_portmap_tick (self->portmap, hn_clock_now_us ());
  settle (self);
  return G_SOURCE_REMOVE;
}

/* ---- the socket ---- */

static void
udp_receive (gpointer user, const HnEndpoint *from, guint8 *data, gsize len)
{
  HnPortmapper *self = user;

  hn_portmap_receive (self->portmap, from, data, len, hn_clock_now_us ());
}

static void
udp_received_all (gpointer user)
{
  settle (user);
}

static void
portmap_send (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  HnPortmapper *self = user;
  g_autoptr (GError) error = NULL;

  if (!self->bound && !hn_udp_bind (self->udp, 0, &error))
    {
      g_info ("No port mapping: %s", error->message);
      return;
    }
  self->bound = TRUE;
  (void) hn_udp_send (self->udp, to, data, len);
}

/* Our address towards @gateway, by the kernel's choice for packets with our mark. */
static HnIp
get_local (HnPortmapper *self, const HnIp *gateway)
{
  const HnEndpoint to = { *gateway, HN_PORTMAP_PORT };
  struct sockaddr_storage address = { 0 };
  socklen_t len = hn_endpoint_to_sockaddr (&to, &address);
  HnEndpoint local = { 0 };
  int fd;

  if (len == 0)
    return local.ip;
  fd = socket (address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return local.ip;
  if (self->mark != 0)
    (void) setsockopt (fd, SOL_SOCKET, SO_MARK, &self->mark, sizeof self->mark);
  if (connect (fd, (struct sockaddr *) &address, len) == 0)
    {
      len = sizeof address;
      if (getsockname (fd, (struct sockaddr *) &address, &len) != 0
          || !hn_endpoint_from_sockaddr ((struct sockaddr *) &address, &local))
        local = (HnEndpoint){ 0 };
    }
  close (fd);
  return local.ip;
}

/* ---- UPnP ---- */

static void
portmap_upnp_map (gpointer user, const char *url, const HnIp *local, guint16 port,
                  guint32 lifetime_s)
{
  HnPortmapper *self = user;

  hn_upnp_map (self->upnp, url, local, port, lifetime_s);
}

static void
portmap_upnp_unmap (gpointer user, gboolean reachable)
{
  HnPortmapper *self = user;

  if (reachable)
    hn_upnp_unmap (self->upnp);
  else
    hn_upnp_forget (self->upnp);
}

static void
upnp_done (gpointer user, const HnEndpoint *outer, guint32 lifetime_s)
{
  HnPortmapper *self = user;

  hn_portmap_upnp_done (self->portmap, outer, lifetime_s, hn_clock_now_us ());
  settle (self);
}

/* ---- from outside ---- */

static void
portmap_changed (gpointer user)
{
  HnPortmapper *self = user;
  HnEndpoint outer;
  HnPortmapProtocol protocol = hn_portmap_get_mapping (self->portmap, &outer);
  char text[HN_IP_TEXT_MAX];

  if (protocol != HN_PORTMAP_NONE)
    g_info ("The router maps %s to us (%s)", hn_endpoint_format (&outer, text),
            hn_portmap_protocol_to_string (protocol));
  else
    g_info ("The router maps no port to us any more");
  self->changed (self->user);
}

HnPortmapper *
hn_portmapper_new (guint32 mark, void (*changed) (gpointer user), gpointer user)
{
  static const HnUdpOps udp_ops = { udp_receive, udp_received_all, NULL };
  static const HnPortmapOps portmap_ops
      = { portmap_send, portmap_upnp_map, portmap_upnp_unmap, portmap_changed };
  HnPortmapper *self = g_new0 (HnPortmapper, 1);

  self->changed = changed;
  self->user = user;
  self->mark = mark;
  self->timer_us = G_MAXINT64;
  self->udp = hn_udp_new (mark, &udp_ops, self);
  hn_udp_set_offloads (self->udp, 0);
  self->upnp = hn_upnp_new (upnp_done, self);
  self->portmap = hn_portmap_new (&portmap_ops, self);
  return self;
}

void
hn_portmapper_free (HnPortmapper *self)
{
  hn_portmap_stop (self->portmap, TRUE);
  if (self->bound)
    hn_udp_flush (self->udp);
  hn_source_clear (&self->timer);
  hn_udp_free (self->udp);
  hn_upnp_free (self->upnp);
  hn_portmap_free (self->portmap);
  g_free (self);
}

void
hn_portmapper_set_gateway (HnPortmapper *self, const HnIp *gateway)
{
  self->gateway = *gateway;
}

void
hn_portmapper_network_changed (HnPortmapper *self, gboolean available, guint16 port)
{
  HnIp local = { 0 };

  /* a socket of the network as it is now */
  if (self->bound)
    hn_udp_close (self->udp);
  self->bound = FALSE;
  if (!available)
    {
      hn_portmap_stop (self->portmap, FALSE);
    }
  else
    {
      if (hn_portmap_is_gateway (&self->gateway))
        local = get_local (self, &self->gateway);
      hn_portmap_start (self->portmap, &self->gateway, &local, port, hn_clock_now_us ());
    }
  settle (self);
}

void
hn_portmapper_refresh (HnPortmapper *self)
{
  hn_portmap_refresh (self->portmap, hn_clock_now_us ());
  settle (self);
}

HnPortmapProtocol
hn_portmapper_get_mapping (const HnPortmapper *self, HnEndpoint *outer)
{
  return hn_portmap_get_mapping (self->portmap, outer);
}
