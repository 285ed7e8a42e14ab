/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-netcheck-names.h"

#include <string.h>

#define MAX_NAMES 128
#define MAX_NAME_LEN 253
#define MAX_AGE_US (600 * G_USEC_PER_SEC)

typedef struct
{
  char *host;
  HnIp ip[2]; /* IPv4, IPv6; family 0: none */
  gboolean resolved;
  gint64 at_us;
} Name;

struct _HnNetcheckNames
{
  GArray *names; /* of Name */
};

static void
name_clear (gpointer data)
{
  Name *name = data;

  g_free (name->host);
}

HnNetcheckNames *
hn_netcheck_names_new (void)
{
  HnNetcheckNames *self = g_new0 (HnNetcheckNames, 1);

  self->names = g_array_new (FALSE, FALSE, sizeof (Name));
  g_array_set_clear_func (self->names, name_clear);
  return self;
}

void
hn_netcheck_names_free (HnNetcheckNames *self)
{
  g_array_unref (self->names);
  g_free (self);
}

void
hn_netcheck_names_clear (HnNetcheckNames *self)
{
  g_array_set_size (self->names, 0);
}

void
hn_netcheck_names_begin (HnNetcheckNames *self, gboolean full, gint64 now_us)
{
  for (guint i = self->names->len; i > 0; i--)
    {
      const Name *name = &g_array_index (self->names, Name, i - 1);

      if (full || !name->resolved || (name->ip[0].family == 0 && name->ip[1].family == 0)
          || now_us - name->at_us > MAX_AGE_US)
        g_array_remove_index_fast (self->names, i - 1);
    }
}

static Name *
find (HnNetcheckNames *self, const char *host)
{
  for (guint i = 0; i < self->names->len; i++)
    {
      Name *name = &g_array_index (self->names, Name, i);

      if (g_ascii_strcasecmp (name->host, host) == 0)
        return name;
    }
  return NULL;
}

HnNetcheckName
hn_netcheck_names_get (HnNetcheckNames *self, const char *host, guint8 family, gboolean ask,
                       HnIp *out)
{
  Name fresh = { 0 };
  const Name *name;

  if (host == NULL || *host == '\0' || strlen (host) > MAX_NAME_LEN)
    return HN_NETCHECK_NAME_NONE;
  name = find (self, host);
  if (name == NULL)
    {
      if (self->names->len >= MAX_NAMES)
        return HN_NETCHECK_NAME_NONE;
      if (ask)
        {
          fresh.host = g_strdup (host);
          g_array_append_val (self->names, fresh);
        }
      return HN_NETCHECK_NAME_NEW;
    }
  if (!name->resolved)
    return HN_NETCHECK_NAME_ASKED;
  *out = name->ip[family == 6 ? 1 : 0];
  return out->family == family ? HN_NETCHECK_NAME_KNOWN : HN_NETCHECK_NAME_NONE;
}

gboolean
hn_netcheck_names_resolved (HnNetcheckNames *self, const char *host, const HnIp *ips, gsize n,
                            gint64 now_us)
{
  Name *name = find (self, host);

  if (name == NULL || name->resolved)
    return FALSE;
  name->resolved = TRUE;
  name->at_us = now_us;
  for (gsize i = 0; i < n; i++)
    {
      HnIp *slot = &name->ip[ips[i].family == 6 ? 1 : 0];

      if ((ips[i].family == 4 || ips[i].family == 6) && slot->family == 0)
        *slot = ips[i];
    }
  return TRUE;
}
