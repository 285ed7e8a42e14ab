/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-portmap.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define LIFETIME_S 7200
/* A mapping that has to be asked for all the time is of no use (RFC 6887 has the same least). */
#define LIFETIME_MIN_S 120
#define WINDOW_US (250 * 1000)
#define ASK_US (5 * G_USEC_PER_SEC)
/* Three exchanges over TCP and XML, by small machines. */
#define ASK_UPNP_US (10 * G_USEC_PER_SEC)
#define RETRY_MIN_US (60 * G_USEC_PER_SEC)
#define TRUST_US (600 * G_USEC_PER_SEC)
#define FRESH_US (10 * G_USEC_PER_SEC)
#define N_PROTOCOLS (HN_PORTMAP_UPNP + 1)

typedef enum
{
  PHASE_QUIET, /* no question open */
  PHASE_PROBE, /* who is there? */
  PHASE_ASK,   /* for a mapping, or its renewal */
} Phase;

struct _HnPortmap
{
  HnPortmapOps ops;
  gpointer user;

  HnIp gateway; /* family 0: nothing to do */
  HnIp local;
  guint16 port;

  Phase phase;
  gint64 next_us; /* the next retransmission */
  gint64 end_us;  /* of the open question */
  guint attempt;
  gint64 probed_us; /* the last probe */

  /* What probes found. */
  gint64 seen_us[N_PROTOCOLS]; /* G_MININT64 never */
  guint tried;                 /* bits of protocols that were asked since the probe */
  HnIp pmp_address;            /* the router's outer one */
  gint64 pmp_address_us;
  char *upnp_url; /* owned */

  HnPortmapProtocol asked; /* in PHASE_ASK */
  gboolean verify;         /* the network changed: no answer means no mapping */
  HnEndpoint pmp_answer;   /* port 0: not there yet */
  guint32 pmp_lifetime_s;
  guint8 nonce[HN_PCP_NONCE_LEN];

  gboolean has_epoch[N_PROTOCOLS];
  guint32 epoch_s[N_PROTOCOLS];
  gint64 epoch_us[N_PROTOCOLS];

  HnPortmapProtocol held; /* NONE: no mapping, and the rest means nothing */
  HnEndpoint outer;
  gint64 renew_us;
  gint64 expires_us;
};

static void probe (HnPortmap *self, gint64 now_us);
static void try_next (HnPortmap *self, gint64 now_us);

static void
send_gateway (HnPortmap *self, guint16 port, const void *data, gsize len)
{
  HnEndpoint to = { self->gateway, port };

  self->ops.send (self->user, &to, data, len);
}

/* ---- the mapping ---- */

static void
drop_held (HnPortmap *self)
{
  if (self->held == HN_PORTMAP_NONE)
    return;
  self->held = HN_PORTMAP_NONE;
  self->outer = (HnEndpoint){ 0 };
  self->ops.changed (self->user);
}

static void
send_release (HnPortmap *self, HnPortmapProtocol protocol)
{
  static const HnEndpoint none = { 0 };
  guint8 pmp[HN_PMP_MAP_REQUEST_LEN], pcp[HN_PCP_MAP_LEN];

  switch (protocol)
    {
    case HN_PORTMAP_NONE:
      return;
    case HN_PORTMAP_PMP:
      hn_pmp_write_map_request (self->port, 0, 0, pmp);
      send_gateway (self, HN_PORTMAP_PORT, pmp, sizeof pmp);
      return;
    case HN_PORTMAP_PCP:
      hn_pcp_write_map_request (&self->local, self->nonce, self->port, &none, 0, pcp);
      send_gateway (self, HN_PORTMAP_PORT, pcp, sizeof pcp);
      return;
    case HN_PORTMAP_UPNP:
      self->ops.upnp_unmap (self->user, TRUE);
      return;
    }
}

/* ---- asking ---- */

static void
send_ask (HnPortmap *self)
{
  static const HnEndpoint any = { 0 };
  const gboolean same = self->held == self->asked;
  HnEndpoint wish = { same ? self->outer.ip : any.ip, same ? self->outer.port : self->port };
  guint8 address[HN_PMP_ADDRESS_REQUEST_LEN];
  guint8 pmp[HN_PMP_MAP_REQUEST_LEN], pcp[HN_PCP_MAP_LEN];

  switch (self->asked)
    {
    case HN_PORTMAP_NONE:
      return;
    case HN_PORTMAP_PMP:
      /* the address may be another by now, and the answer about the port does not say */
      if (self->pmp_address.family == 0)
        {
          hn_pmp_write_address_request (address);
          send_gateway (self, HN_PORTMAP_PORT, address, sizeof address);
        }
      if (self->pmp_answer.port == 0)
        {
          hn_pmp_write_map_request (self->port, wish.port, LIFETIME_S, pmp);
          send_gateway (self, HN_PORTMAP_PORT, pmp, sizeof pmp);
        }
      return;
    case HN_PORTMAP_PCP:
      hn_pcp_write_map_request (&self->local, self->nonce, self->port, &wish, LIFETIME_S, pcp);
      send_gateway (self, HN_PORTMAP_PORT, pcp, sizeof pcp);
      return;
    case HN_PORTMAP_UPNP:
      if (self->attempt == 0)
        self->ops.upnp_map (self->user, self->upnp_url, &self->local, self->port, LIFETIME_S);
      return;
    }
}

static void
ask (HnPortmap *self, HnPortmapProtocol protocol, gboolean verify, gint64 now_us)
{
  self->phase = PHASE_ASK;
  self->asked = protocol;
  self->verify = verify;
  self->tried |= 1u << protocol;
  self->attempt = 0;
  self->pmp_answer = (HnEndpoint){ 0 };
  if (now_us - self->pmp_address_us > FRESH_US)
    self->pmp_address = (HnIp){ 0 };
  self->end_us = now_us + (protocol == HN_PORTMAP_UPNP ? ASK_UPNP_US : ASK_US);
  self->next_us = protocol == HN_PORTMAP_UPNP ? self->end_us : now_us + WINDOW_US;
  /* a new mapping has a new nonce, all that concerns it later the same (RFC 6887, section 11.2) */
  if (self->held != protocol && protocol == HN_PORTMAP_PCP)
    hn_random_bytes (self->nonce, sizeof self->nonce);
  send_ask (self);
}

/* No answer, or none that is of use. */
static void
ask_failed (HnPortmap *self, gint64 now_us)
{
  self->phase = PHASE_QUIET;
  if (self->held != self->asked)
    {
      try_next (self, now_us);
      return;
    }
  self->renew_us = now_us + MAX (RETRY_MIN_US, (self->expires_us - now_us) / 2);
  if (self->verify || self->renew_us >= self->expires_us)
    {
      drop_held (self);
      probe (self, now_us);
    }
}

/* An answer that says no, or says what can not be. */
static void
ask_refused (HnPortmap *self, gint64 now_us)
{
  send_release (self, self->asked);
  if (self->held == self->asked)
    drop_held (self);
  self->phase = PHASE_QUIET;
  try_next (self, now_us);
}

static void
take_mapping (HnPortmap *self, const HnEndpoint *outer, guint32 lifetime_s, gint64 now_us)
{
  gint64 lifetime_us = (gint64) MIN (lifetime_s, LIFETIME_S) * G_USEC_PER_SEC;
  gboolean changed;

  if (!hn_portmap_is_public (&outer->ip) || outer->port == 0 || lifetime_s < LIFETIME_MIN_S)
    {
      g_debug ("mapping by %s is of no use", hn_portmap_protocol_to_string (self->asked));
      ask_refused (self, now_us);
      return;
    }
  changed = self->held != self->asked || !hn_endpoint_equal (&self->outer, outer);
  self->phase = PHASE_QUIET;
  self->held = self->asked;
  self->outer = *outer;
  self->renew_us = now_us + lifetime_us / 2;
  self->expires_us = now_us + lifetime_us;
  if (changed)
    self->ops.changed (self->user);
}

/* ---- who is there ---- */

static void
send_probe (HnPortmap *self)
{
  static const guint8 group[4] = { 239, 255, 255, 250 };
  HnEndpoint everybody = { hn_ip_from_bytes (group, sizeof group), HN_SSDP_PORT };
  guint8 address[HN_PMP_ADDRESS_REQUEST_LEN], announce[HN_PCP_ANNOUNCE_LEN];
  char search[HN_SSDP_REQUEST_MAX];
  gsize len;

  hn_pmp_write_address_request (address);
  send_gateway (self, HN_PORTMAP_PORT, address, sizeof address);
  hn_pcp_write_announce (&self->local, announce);
  send_gateway (self, HN_PORTMAP_PORT, announce, sizeof announce);
  if (self->ops.upnp_map == NULL)
    return;
  len = hn_ssdp_write_search (TRUE, search);
  send_gateway (self, HN_SSDP_PORT, search, len);
  len = hn_ssdp_write_search (FALSE, search);
  send_gateway (self, HN_SSDP_PORT, search, len);
  self->ops.send (self->user, &everybody, (const guint8 *) search, len);
}

static void
forget_seen (HnPortmap *self)
{
  for (guint i = 0; i < N_PROTOCOLS; i++)
    self->seen_us[i] = G_MININT64;
  self->tried = 0;
}

static void
probe (HnPortmap *self, gint64 now_us)
{
  forget_seen (self);
  self->pmp_address = (HnIp){ 0 };
  self->phase = PHASE_PROBE;
  self->attempt = 0;
  self->probed_us = now_us;
  self->next_us = now_us + WINDOW_US;
  self->end_us = now_us + ASK_US;
  send_probe (self);
}

/* Asks by the best way that was not tried yet; FALSE if there is none. */
static gboolean
ask_best (HnPortmap *self, gint64 now_us)
{
  static const HnPortmapProtocol order[] = { HN_PORTMAP_PMP, HN_PORTMAP_PCP, HN_PORTMAP_UPNP };

  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    if (!(self->tried & 1u << order[i]) && self->seen_us[order[i]] != G_MININT64
        && now_us - self->seen_us[order[i]] < TRUST_US)
      {
        ask (self, order[i], FALSE, now_us);
        return TRUE;
      }
  return FALSE;
}

static void
try_next (HnPortmap *self, gint64 now_us)
{
  if (!ask_best (self, now_us))
    g_debug ("the gateway maps no port");
}

/* ---- from outside ---- */

HnPortmap *
hn_portmap_new (const HnPortmapOps *ops, gpointer user)
{
  HnPortmap *self = g_new0 (HnPortmap, 1);

  self->ops = *ops;
  self->user = user;
  self->probed_us = G_MININT64;
  forget_seen (self);
  return self;
}

void
hn_portmap_free (HnPortmap *self)
{
  g_free (self->upnp_url);
  g_free (self);
}

void
hn_portmap_stop (HnPortmap *self, gboolean release)
{
  /* what was asked for may be made all the same */
  const HnPortmapProtocol open = self->phase == PHASE_ASK ? self->asked : HN_PORTMAP_NONE;

  if (release)
    {
      send_release (self, self->held);
      if (open != self->held)
        send_release (self, open);
    }
  else if (self->held == HN_PORTMAP_UPNP || open == HN_PORTMAP_UPNP)
    {
      self->ops.upnp_unmap (self->user, FALSE);
    }
  self->phase = PHASE_QUIET;
  self->held = HN_PORTMAP_NONE;
  self->outer = (HnEndpoint){ 0 };
  self->gateway = (HnIp){ 0 };
  self->probed_us = G_MININT64;
  memset (self->has_epoch, 0, sizeof self->has_epoch);
  forget_seen (self);
}

void
hn_portmap_start (HnPortmap *self, const HnIp *gateway, const HnIp *local, guint16 port,
                  gint64 now_us)
{
  gboolean same_hosts = self->gateway.family != 0 && hn_ip_equal (&self->gateway, gateway)
                        && hn_ip_equal (&self->local, local);

  if (!same_hosts || self->port != port)
    {
      gboolean held = self->held != HN_PORTMAP_NONE;

      hn_portmap_stop (self, same_hosts);
      if (held)
        self->ops.changed (self->user);
    }
  if (!hn_portmap_is_gateway (gateway) || local->family != 4 || port == 0)
    return;
  self->gateway = *gateway;
  self->local = *local;
  self->port = port;
  self->pmp_address = (HnIp){ 0 };
  if (self->held != HN_PORTMAP_NONE)
    {
      ask (self, self->held, TRUE, now_us);
      return;
    }
  if (self->phase == PHASE_ASK)
    send_release (self, self->asked);
  probe (self, now_us);
}

void
hn_portmap_refresh (HnPortmap *self, gint64 now_us)
{
  if (self->gateway.family != 0 && self->phase == PHASE_QUIET && self->held == HN_PORTMAP_NONE
      && now_us - self->probed_us >= TRUST_US)
    probe (self, now_us);
}

/* The router counts seconds; when it began anew, so did its tables (RFC 6886, section 3.6). */
static gboolean
note_epoch (HnPortmap *self, HnPortmapProtocol protocol, guint32 epoch_s, gint64 now_us)
{
  gint64 passed_s = (now_us - self->epoch_us[protocol]) / G_USEC_PER_SEC;
  gboolean restarted = self->has_epoch[protocol]
                       && (gint64) epoch_s + 2 < self->epoch_s[protocol] + passed_s * 7 / 8;

  self->has_epoch[protocol] = TRUE;
  self->epoch_s[protocol] = epoch_s;
  self->epoch_us[protocol] = now_us;
  return restarted;
}

static void
saw (HnPortmap *self, HnPortmapProtocol protocol, gint64 now_us)
{
  self->seen_us[protocol] = now_us;
  /* The best of all need not wait for others; neither need anybody when the window is over. */
  if (self->phase == PHASE_PROBE && (protocol == HN_PORTMAP_PMP || self->attempt > 0))
    ask_best (self, now_us);
}

static void
take_pmp (HnPortmap *self, gint64 now_us)
{
  HnEndpoint outer = { self->pmp_address, self->pmp_answer.port };

  if (outer.ip.family != 0 && outer.port != 0)
    take_mapping (self, &outer, self->pmp_lifetime_s, now_us);
}

static void
receive_answer (HnPortmap *self, const HnPortmapAnswer *answer, gint64 now_us)
{
  const gboolean asked_pmp = self->phase == PHASE_ASK && self->asked == HN_PORTMAP_PMP;

  switch (answer->kind)
    {
    case HN_PORTMAP_ANSWER_PMP_ADDRESS:
      if (!asked_pmp && self->phase != PHASE_PROBE)
        return;
      if (answer->result != 0 || !hn_portmap_is_public (&answer->outer.ip))
        {
          if (asked_pmp)
            ask_refused (self, now_us);
          return;
        }
      self->pmp_address = answer->outer.ip;
      self->pmp_address_us = now_us;
      if (note_epoch (self, HN_PORTMAP_PMP, answer->epoch_s, now_us)
          && self->held == HN_PORTMAP_PMP)
        drop_held (self);
      if (asked_pmp)
        take_pmp (self, now_us);
      else
        saw (self, HN_PORTMAP_PMP, now_us);
      return;
    case HN_PORTMAP_ANSWER_PMP_MAP:
      if (!asked_pmp)
        return;
      if (answer->result != 0)
        {
          ask_refused (self, now_us);
          return;
        }
      if (answer->inner_port != self->port || answer->outer.port == 0 || answer->lifetime_s == 0)
        return;
      note_epoch (self, HN_PORTMAP_PMP, answer->epoch_s, now_us);
      self->pmp_answer.port = answer->outer.port;
      self->pmp_lifetime_s = answer->lifetime_s;
      take_pmp (self, now_us);
      return;
    case HN_PORTMAP_ANSWER_PCP_ANNOUNCE:
      if (self->phase != PHASE_PROBE || answer->result != 0)
        return;
      note_epoch (self, HN_PORTMAP_PCP, answer->epoch_s, now_us);
      saw (self, HN_PORTMAP_PCP, now_us);
      return;
    case HN_PORTMAP_ANSWER_PCP_MAP:
      if (self->phase != PHASE_ASK || self->asked != HN_PORTMAP_PCP
          || memcmp (answer->nonce, self->nonce, sizeof self->nonce) != 0
          || answer->inner_port != self->port)
        return;
      if (answer->result != 0)
        {
          ask_refused (self, now_us);
          return;
        }
      note_epoch (self, HN_PORTMAP_PCP, answer->epoch_s, now_us);
      take_mapping (self, &answer->outer, answer->lifetime_s, now_us);
      return;
    }
}

static void
receive_found (HnPortmap *self, guint16 port, const char *path, gint64 now_us)
{
  char host[HN_IP_TEXT_MAX];

  if (self->phase != PHASE_PROBE || self->seen_us[HN_PORTMAP_UPNP] != G_MININT64)
    return;
  g_free (self->upnp_url);
  self->upnp_url
      = g_strdup_printf ("http://%s:%u%s", hn_ip_format (&self->gateway, host), port, path);
  saw (self, HN_PORTMAP_UPNP, now_us);
}

void
hn_portmap_receive (HnPortmap *self, const HnEndpoint *from, const guint8 *data, gsize len,
                    gint64 now_us)
{
  HnPortmapAnswer answer;
  char path[HN_SSDP_PATH_MAX];
  guint16 port;

  if (self->phase == PHASE_QUIET || !hn_ip_equal (&from->ip, &self->gateway))
    return;
  if (from->port == HN_PORTMAP_PORT)
    {
      if (hn_portmap_parse_answer (data, len, &answer))
        receive_answer (self, &answer, now_us);
    }
  /* SSDP lets a device answer from whatever port it likes */
  else if (self->ops.upnp_map != NULL && hn_ssdp_parse_answer (data, len, &port, path))
    {
      receive_found (self, port, path, now_us);
    }
}

void
hn_portmap_upnp_done (HnPortmap *self, const HnEndpoint *outer, guint32 lifetime_s, gint64 now_us)
{
  if (self->phase != PHASE_ASK || self->asked != HN_PORTMAP_UPNP)
    return;
  if (outer != NULL)
    take_mapping (self, outer, lifetime_s, now_us);
  else
    ask_failed (self, now_us);
}

HnPortmapProtocol
hn_portmap_get_mapping (const HnPortmap *self, HnEndpoint *outer)
{
  *outer = self->outer;
  return self->held;
}

gboolean
hn_portmap_is_open (const HnPortmap *self)
{
  return self->phase != PHASE_QUIET || self->held != HN_PORTMAP_NONE;
}

gint64
hn_portmap_get_deadline (const HnPortmap *self)
{
  if (self->phase != PHASE_QUIET)
    return MIN (self->next_us, self->end_us);
  return self->held != HN_PORTMAP_NONE ? MIN (self->renew_us, self->expires_us) : G_MAXINT64;
}

static void
tick_probe (HnPortmap *self, gint64 now_us)
{
  if (ask_best (self, now_us))
    return;
  if (now_us >= self->end_us)
    {
      self->phase = PHASE_QUIET;
      g_debug ("the gateway maps no port");
      return;
    }
  if (now_us < self->next_us)
    return;
  /* once more, for what was lost; then whoever answers first is asked */
  self->attempt++;
  self->next_us = self->end_us;
  send_probe (self);
}

static void
tick_ask (HnPortmap *self, gint64 now_us)
{
  if (now_us >= self->end_us)
    {
      if (self->asked == HN_PORTMAP_UPNP && self->held != HN_PORTMAP_UPNP)
        self->ops.upnp_unmap (self->user, TRUE);
      ask_failed (self, now_us);
      return;
    }
  if (now_us < self->next_us)
    return;
  /* twice as long each time (RFC 6886, section 3.1) */
  self->attempt++;
  self->next_us = now_us + ((gint64) WINDOW_US << self->attempt);
  send_ask (self);
}

void
hn_portmap_tick (HnPortmap *self, gint64 now_us)
{
  if (now_us < hn_portmap_get_deadline (self))
    return;
  switch (self->phase)
    {
    case PHASE_PROBE:
      tick_probe (self, now_us);
      return;
    case PHASE_ASK:
      tick_ask (self, now_us);
      return;
    case PHASE_QUIET:
      if (now_us >= self->expires_us)
        {
          drop_held (self);
          probe (self, now_us);
        }
      else
        {
          ask (self, self->held, FALSE, now_us);
        }
      return;
    }
}
