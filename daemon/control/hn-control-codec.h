/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON of registration and of map requests: plain values to bytes and back (tailscale:
 * tailcfg/tailcfg.go). Map responses have a codec of their own, hn-map-codec.h.
 */
#pragma once

#include "base/hn-secret.h"
#include "crypto/hn-keys.h"
#include "model/hn-hostinfo.h"

typedef struct
{
  guint version;
  HnNodePublic node_key;
  HnNodePublic old_node_key;    /* zero: none */
  const HnSecretText *auth_key; /* nullable */
  gint64 expiry;                /* 0: the server's default; logout sends 123 */
  const char *followup;         /* nullable */
  const HnHostinfo *hostinfo;
} HnRegisterRequest;

/* The bytes hold the auth key; the caller wipes them after use when there was one. */
GBytes *hn_control_codec_format_register (const HnRegisterRequest *request);

typedef struct
{
  gint64 user_id;
  char *login_name; /* "" when absent */
  char *display_name;
  gboolean machine_authorized;
  gboolean node_key_expired;
  HnSecretText *auth_url; /* NULL: none */
  char *error;            /* NULL: none; cut to 1,024 characters, control characters replaced */
} HnRegisterResponse;

void hn_register_response_free (HnRegisterResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnRegisterResponse, hn_register_response_free)

#define HN_REGISTER_RESPONSE_MAX (1024 * 1024)
/* HN_ERROR_PROTOCOL for what is no RegisterResponse. */
HnRegisterResponse *hn_control_codec_parse_register (const char *text, gsize len, GError **error);

typedef struct
{
  guint version;
  HnNodePublic node_key;
  gboolean stream;            /* FALSE: a lite update */
  const HnHostinfo *hostinfo; /* with endpoints and disco key */
} HnMapRequest;

/* The body of a map request, for the stream or a lite update. */
GBytes *hn_control_codec_format_map (const HnMapRequest *request);

/* The answer to GET /key. HN_ERROR_NOT_A_SERVER for anything else, too old servers included. */
gboolean hn_control_codec_parse_key (const char *text, gsize len, HnMachinePublic *key,
                                     GError **error);
