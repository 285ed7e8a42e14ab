/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control client does after which answer: pure decisions, no I/O and no clock, so that
 * every server version's way of saying things stands in one table of tests.
 */
#pragma once

#include "control/hn-control-client.h"
#include "control/hn-control-codec.h"

/* What a registration request was sent for. */
typedef enum
{
  HN_REGISTER_STORED,      /* the stored node key, nothing else: at start and as a check */
  HN_REGISTER_AUTH_KEY,    /* a login with a pre-auth key */
  HN_REGISTER_INTERACTIVE, /* a login that asks for a URL */
  HN_REGISTER_FOLLOWUP,    /* the wait for that URL's approval */
  HN_REGISTER_LOGOUT,
} HnRegisterKind;

typedef enum
{
  HN_REGISTER_DONE,        /* enrolled, or logged out */
  HN_REGISTER_URL,         /* somebody has to visit the URL of the response; follow it at once */
  HN_REGISTER_URL_AGAIN,   /* still waiting for the same URL; ask again after a while */
  HN_REGISTER_NEW_KEY,     /* this node key may not be used any more: again with a new one */
  HN_REGISTER_START_OVER,  /* the server forgot what we wait for: ask for a URL again */
  HN_REGISTER_RETRY,       /* after the back-off or @wait_s; @error says why */
  HN_REGISTER_NEEDS_LOGIN, /* the stored key is of no use any more; @error says why */
  HN_REGISTER_REFUSED,     /* final until a person acts; @error says why */
} HnRegisterAction;

typedef struct
{
  HnRegisterKind kind;
  const GError *transport;            /* nullable: no answer came, or none that can be read */
  guint status;                       /* of HTTP */
  guint retry_after_s;                /* 0: none */
  const HnRegisterResponse *response; /* nullable */
  const char *text;                   /* start of the body of an answer that is not 200 */
  const char *followup;               /* nullable: the URL that was waited for */
  gboolean regenerated;               /* the key was made anew in this attempt already */
  gboolean known_expired;             /* the netmap said before that our key is expired */
  double random;                      /* in [0, 1): scatters waiting times */
} HnRegisterFacts;

typedef struct
{
  HnRegisterAction action;
  guint wait_s;  /* with RETRY: what the server asked for, 0: the usual back-off */
  GError *error; /* owned */
} HnRegisterVerdict;

/*
 * hn_control_policy_register:
 * @verdict: (out): its error is to be freed by the caller
 *
 * Judges one answer in the order of upstream's client (tailscale: control/controlclient/direct.go):
 * 429, any other status, what can not be decoded, Error, NodeKeyExpired, AuthURL, success.
 */
void hn_control_policy_register (const HnRegisterFacts *facts, HnRegisterVerdict *verdict);

typedef enum
{
  HN_MAP_RETRY, /* after the back-off */
  HN_MAP_CHECK, /* the server may have forgotten us: register with the stored key first */
} HnMapAction;

/*
 * hn_control_policy_map:
 * @status: the HTTP status of a map request of either kind, not 200
 * @text: (nullable): what the server said with it
 * @error: (out): a sentence for people
 *
 * 404 means that the server does not know the node key; Headscale before 0.25 says 500 instead.
 */
HnMapAction hn_control_policy_map (guint status, const char *text, GError **error);

typedef enum
{
  HN_SERVER_KEY_SAME,
  HN_SERVER_KEY_NEW,     /* seen for the first time */
  HN_SERVER_KEY_CHANGED, /* another one, taken */
  HN_SERVER_KEY_REFUSED, /* another one, and nothing vouches for it */
} HnServerKeyVerdict;

/* @known zero: none yet. @tls: the key came over verified TLS. @accept: a person said yes. */
HnServerKeyVerdict hn_control_policy_server_key (const HnMachinePublic *known,
                                                 const HnMachinePublic *fetched, gboolean tls,
                                                 gboolean accept);

typedef struct
{
  gboolean started;
  gboolean network;
  gboolean needs_login; /* the server or the user ended what the stored key was good for */
  gboolean has_key;
  gboolean login_running; /* a login without an answer yet */
  gboolean url_pending;
  gboolean mapped; /* a full map came since the start */
} HnPhaseFacts;

/* The phase that these facts add up to. */
HnControlPhase hn_control_policy_phase (const HnPhaseFacts *facts);
