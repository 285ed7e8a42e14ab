/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's settings: what the user wants. A plain struct, saved by the profile store.
 */
#pragma once

#include <glib.h>

typedef struct
{
  char *name;               /* shown name, unique among the profiles */
  char *server_url;         /* without trailing slash */
  char *ca_certificate;     /* PEM, or NULL for the system's store */
  char *host_name;          /* "" for the machine's own */
  guint capability_version; /* 0: the built-in one */
  gboolean accept_routes;
  gboolean accept_dns;
  gboolean shields_up;
  gboolean auto_connect;
  guint mtu;  /* 0: 1280 */
  guint port; /* 0: any */
} HnPreferences;

HnPreferences *hn_preferences_new (void); /* the defaults */
HnPreferences *hn_preferences_copy (const HnPreferences *self);
void hn_preferences_free (HnPreferences *self);
gboolean hn_preferences_equal (const HnPreferences *a, const HnPreferences *b);

/* Checks a server URL (http or https, host, optional port and path, no user, query or fragment) and
 * returns it without trailing slashes. */
char *hn_preferences_normalize_url (const char *url, GError **error);
/* A host name the server can take: its first label, [a-z0-9-], 1 to 63 characters. */
gboolean hn_preferences_check_host_name (const char *name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPreferences, hn_preferences_free)
