/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles on disk: one directory each under the state directory, with the settings and the keys in
 * files of their own (0600, written atomically). Another daemon on the same state is kept out by a
 * lock.
 */
#pragma once

#include <gio/gio.h>

#include "crypto/hn-keys.h"
#include "model/hn-preferences.h"

#define HN_PROFILE_MAX 64 /* profiles one daemon keeps */

typedef struct
{
  char *id; /* [a-z0-9_]{1,32} */
  HnPreferences *preferences;
  HnMachinePrivate machine_key;
  HnNodePrivate node_key; /* zero: not enrolled */
  HnDiscoPrivate disco_key;
  HnMachinePublic server_key; /* zero: never seen */
} HnProfile;

void hn_profile_free (HnProfile *profile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnProfile, hn_profile_free)

typedef struct _HnProfileStore HnProfileStore;

/* HN_ERROR_BUSY when another process holds the lock. */
HnProfileStore *hn_profile_store_new (const char *directory, GError **error);
void hn_profile_store_free (HnProfileStore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnProfileStore, hn_profile_store_free)

/* All readable profiles, sorted by name; @damaged gets one line for each that is not (they stay on
 * disk). Returns: (transfer full) (element-type HnProfile) */
GPtrArray *hn_profile_store_load (HnProfileStore *self, GPtrArray **damaged);
/* A new profile with fresh machine and disco keys, saved. The id is made from the name.
 * HN_ERROR_EXISTS when the name is taken. */
HnProfile *hn_profile_store_add (HnProfileStore *self, const HnPreferences *preferences,
                                 GError **error);
gboolean hn_profile_store_save_preferences (HnProfileStore *self, const HnProfile *profile,
                                            GError **error);
/* Whether a node key could be saved now: asked before a server is asked to accept a new one. */
gboolean hn_profile_store_check_room (HnProfileStore *self, const HnProfile *profile,
                                      GError **error);
/* A zero key removes the file. */
gboolean hn_profile_store_save_node_key (HnProfileStore *self, const HnProfile *profile,
                                         GError **error);
gboolean hn_profile_store_save_server_key (HnProfileStore *self, const HnProfile *profile,
                                           GError **error);
gboolean hn_profile_store_remove (HnProfileStore *self, const HnProfile *profile, GError **error);
/* Whether @name is free, @except being the profile that may have it. */
gboolean hn_profile_store_name_is_free (HnProfileStore *self, const char *name,
                                        const HnProfile *except);
