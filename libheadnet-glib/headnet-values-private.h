/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How values come from the bus into objects: tables of fields, so that every property of a class is
 * taken over, compared, cleared and handed out by the same few functions.
 */
#pragma once

#include "headnet-health-item.h"
#include "headnet-relay.h"
#include "headnet-user.h"

typedef enum
{
  HEADNET_KIND_STRING,  /* char *, NULL for "" */
  HEADNET_KIND_STRV,    /* GStrv, NULL for an empty one */
  HEADNET_KIND_BOOLEAN, /* gboolean */
  HEADNET_KIND_INT64,   /* gint64 */
  HEADNET_KIND_UINT,    /* guint */
  HEADNET_KIND_UINT64,  /* guint64 */
  HEADNET_KIND_ENUM,    /* int, by its nick; 0 for a word that is not known */
  HEADNET_KIND_USER,    /* HeadnetUser *, nullable */
  HEADNET_KIND_RELAY,   /* HeadnetRelay *, nullable */
  HEADNET_KIND_DICT,    /* GVariant * of a{sv}, NULL for an empty one */
} HeadnetKind;

typedef struct
{
  const char *key;      /* on the bus */
  const char *property; /* of the object */
  gsize offset;         /* in the object */
  GType (*type) (void); /* of an enumeration, else NULL */
  const char *blurb;    /* what it is */
  HeadnetKind kind;
  gboolean keep; /* absent means that nothing is said about it */
} HeadnetField;

/* Takes a value over, or with NULL, or with one of a wrong type, the empty one. Returns whether that
 * is a change. */
gboolean headnet_field_set (const HeadnetField *field, gpointer object, GVariant *value);
/* Hands it out as a property. */
void headnet_field_get (const HeadnetField *field, gpointer object, GValue *value);
/* Frees what it holds, without notification. */
void headnet_field_clear (const HeadnetField *field, gpointer object);
/* The property that shows it. (transfer floating) */
GParamSpec *headnet_field_spec (const HeadnetField *field);
/* The field of a key, NULL when there is none. @hint: where to look first, updated; dictionaries have
 * their keys in the order of the table, mostly. */
const HeadnetField *headnet_field_find (const HeadnetField *fields, guint n_fields, const char *key,
                                        guint *hint);

/* Values out of an a{sv}; NULL when it is empty, which means unknown. (transfer full) */
HeadnetUser *headnet_user_new_from_dict (GVariant *dict);
HeadnetRelay *headnet_relay_new_from_dict (GVariant *dict);
HeadnetHealthItem *headnet_health_item_new_from_dict (GVariant *dict);
/* NULL equals NULL only. */
gboolean headnet_user_equal (const HeadnetUser *a, const HeadnetUser *b);
gboolean headnet_relay_equal (const HeadnetRelay *a, const HeadnetRelay *b);
