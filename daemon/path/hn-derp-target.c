/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-target.h"

#include <string.h>

#define PIN_PREFIX "sha256-raw:"
/* A map may list more; one connection attempt has no time for them. */
#define MAX_NODES 16

static void
target_free (gpointer data)
{
  HnDerpTarget *self = data;

  g_free (self->host);
  g_free (self->tls_name);
  g_free (self->tls_pin);
  g_free (self->ideal_node);
  g_free (self);
}

/* Host, scheme and port of the coordination server; FALSE when there is none to compare with. */
static gboolean
parse_server (const char *server_url, char **host, int *port, gboolean *tls)
{
  g_autoptr (GUri) uri = NULL;

  if (server_url == NULL)
    return FALSE;
  uri = g_uri_parse (server_url, G_URI_FLAGS_NONE, NULL);
  if (uri == NULL || g_uri_get_host (uri) == NULL)
    return FALSE;

  *tls = g_ascii_strcasecmp (g_uri_get_scheme (uri), "http") != 0;
  *port = g_uri_get_port (uri);
  if (*port <= 0)
    *port = *tls ? 443 : 80;
  *host = g_strdup (g_uri_get_host (uri));
  return TRUE;
}

/* Without a final dot or brackets, which some servers write. */
static char *
dup_plain_host (const char *host)
{
  gsize len = strlen (host);

  if (len > 2 && host[0] == '[' && host[len - 1] == ']')
    return g_strndup (host + 1, len - 2);
  if (len > 1 && host[len - 1] == '.')
    return g_strndup (host, len - 1);
  return g_strdup (host);
}

static gboolean
is_header_value (const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return FALSE;
  return *text != '\0' && strlen (text) <= 256;
}

static HnDerpTarget *
target_new (const HnDerpNode *node, const char *server_host, int server_port, gboolean server_tls)
{
  HnDerpTarget *self;
  g_autofree char *host = dup_plain_host (node->host_name != NULL ? node->host_name : "");
  int port = node->derp_port == 0 ? 443 : node->derp_port;
  gboolean tls = TRUE;

  /* A relay without a host of its own, or with an impossible port on the server's host, can only
   * be the one inside the coordination server. */
  if (server_host != NULL && (*host == '\0' || g_ascii_strcasecmp (host, server_host) == 0))
    {
      if (*host == '\0')
        {
          g_free (host);
          host = g_strdup (server_host);
          port = server_port;
        }
      if (port < 1 || port > G_MAXUINT16)
        port = server_port;
      if (port == server_port)
        tls = server_tls;
    }
  if (*host == '\0' || port < 1 || port > G_MAXUINT16)
    return NULL;
  if (node->ipv4_disabled && node->ipv6_disabled)
    return NULL;

  self = g_new0 (HnDerpTarget, 1);
  self->host = g_steal_pointer (&host);
  self->port = port;
  self->tls = tls;
  self->tls_insecure = node->insecure_for_tests;
  if (node->cert_name != NULL && g_str_has_prefix (node->cert_name, PIN_PREFIX))
    self->tls_pin = g_strdup (node->cert_name);
  else if (node->cert_name != NULL && *node->cert_name != '\0')
    self->tls_name = g_strdup (node->cert_name);
  if (node->ipv4.family == 4)
    self->literals[self->n_literals++] = node->ipv4;
  if (node->ipv6.family == 6)
    self->literals[self->n_literals++] = node->ipv6;
  return self;
}

GPtrArray *
hn_derp_targets_new (const HnDerpRegion *region, const char *server_url)
{
  GPtrArray *targets = g_ptr_array_new_with_free_func (target_free);
  g_autofree char *server_host = NULL;
  const char *first = NULL;
  gboolean server_tls = TRUE;
  int server_port = 0;

  parse_server (server_url, &server_host, &server_port, &server_tls);
  for (guint pass = 0; pass < 2; pass++)
    for (gsize i = 0; i < MIN (region->n_nodes, MAX_NODES); i++)
      {
        const HnDerpNode *node = &region->nodes[i];
        HnDerpTarget *target;

        if (node->stun_only)
          continue;
        target = target_new (node, server_host, server_port, server_tls);
        if (target == NULL)
          continue;
        if (pass == 1)
          {
            HnIp ip;

            if (target->n_literals == 0 || hn_ip_parse (target->host, &ip))
              {
                target_free (target);
                continue;
              }
            target->n_literals = 0;
          }
        if (first == NULL)
          first = node->name;
        else if (node->name != NULL && !g_str_equal (first, node->name) && is_header_value (first))
          target->ideal_node = g_strdup (first);
        g_ptr_array_add (targets, target);
      }
  return targets;
}

void
hn_derp_target_get_dial (const HnDerpTarget *self, guint timeout_s, HnDialTarget *out)
{
  memset (out, 0, sizeof *out);
  out->host = self->host;
  out->port = self->port;
  out->tls = self->tls;
  out->tls_name = self->tls_name;
  out->tls_pin = self->tls_pin;
  out->tls_insecure = self->tls_insecure;
  out->literals = self->n_literals > 0 ? self->literals : NULL;
  out->n_literals = self->n_literals;
  out->timeout_s = timeout_s;
}
