/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decisions of the control client. */
#include "control/hn-control-policy.h"

#include <string.h>

#include "base/hn-error.h"

/* A longer wait than this is no sensible answer of a server; upstream then takes 5 to 10 s. */
#define RETRY_AFTER_MAX_S 3600
#define RETRY_AFTER_DEFAULT_S 5

static void
set_status_error (GError **error, int code, const char *what, guint status, const char *text)
{
  if (text != NULL && text[0] != '\0')
    g_set_error (error, HN_ERROR, code, "The server refused %s (HTTP status %u): %s", what, status,
                 text);
  else
    g_set_error (error, HN_ERROR, code, "The server refused %s (HTTP status %u)", what, status);
}

static void
judge_status (const HnRegisterFacts *facts, HnRegisterVerdict *verdict)
{
  gboolean temporary = facts->status >= 500 || facts->status == 408;

  if (facts->status == 429)
    {
      verdict->action = HN_REGISTER_RETRY;
      verdict->wait_s = facts->retry_after_s;
      if (verdict->wait_s == 0 || verdict->wait_s > RETRY_AFTER_MAX_S)
        verdict->wait_s = RETRY_AFTER_DEFAULT_S + (guint) (facts->random * RETRY_AFTER_DEFAULT_S);
      g_set_error (&verdict->error, HN_ERROR, HN_ERROR_RATE_LIMITED,
                   "The server asks to wait %u seconds before the next try", verdict->wait_s);
      return;
    }
  /* Headscale before 0.25 says so of a key that is wrong, used up or expired, without a word. */
  if (facts->status == 401 && facts->kind == HN_REGISTER_AUTH_KEY)
    {
      verdict->action = HN_REGISTER_REFUSED;
      g_set_error_literal (&verdict->error, HN_ERROR, HN_ERROR_AUTH_KEY_REFUSED,
                           "The server refused the pre-auth key: it is wrong, used up or expired");
      return;
    }
  verdict->action
      = temporary || facts->kind == HN_REGISTER_STORED ? HN_REGISTER_RETRY : HN_REGISTER_REFUSED;
  set_status_error (&verdict->error, HN_ERROR_SERVER_REFUSED, "the registration", facts->status,
                    facts->text);
}

static void
judge_error_text (const HnRegisterFacts *facts, HnRegisterVerdict *verdict)
{
  const char *text = facts->response->error;

  verdict->action = HN_REGISTER_REFUSED;
  switch (facts->kind)
    {
    case HN_REGISTER_AUTH_KEY:
      g_set_error (&verdict->error, HN_ERROR, HN_ERROR_AUTH_KEY_REFUSED,
                   "The server refused the pre-auth key: %s", text);
      return;
    case HN_REGISTER_FOLLOWUP:
      /* Headscale 0.25 and 0.26 say so of a registration that timed out. */
      verdict->action = HN_REGISTER_START_OVER;
      break;
    case HN_REGISTER_STORED:
      verdict->action = HN_REGISTER_NEEDS_LOGIN;
      break;
    case HN_REGISTER_INTERACTIVE:
    case HN_REGISTER_LOGOUT:
      break;
    }
  g_set_error (&verdict->error, HN_ERROR, HN_ERROR_SERVER_REFUSED, "The server refused: %s", text);
}

static void
judge_expired (const HnRegisterFacts *facts, HnRegisterVerdict *verdict)
{
  if (facts->kind == HN_REGISTER_LOGOUT)
    {
      verdict->action = HN_REGISTER_DONE;
      return;
    }
  if (facts->kind != HN_REGISTER_STORED && !facts->regenerated)
    {
      verdict->action = HN_REGISTER_NEW_KEY;
      return;
    }
  verdict->action
      = facts->kind == HN_REGISTER_STORED ? HN_REGISTER_NEEDS_LOGIN : HN_REGISTER_REFUSED;
  g_set_error_literal (&verdict->error, HN_ERROR, HN_ERROR_NODE_KEY_EXPIRED,
                       facts->kind == HN_REGISTER_STORED
                           ? "The key of this computer expired: sign in again"
                           : "The server says of a new key that it is expired");
}

static void
judge_url (const HnRegisterFacts *facts, HnRegisterVerdict *verdict)
{
  switch (facts->kind)
    {
    case HN_REGISTER_LOGOUT:
      verdict->action = HN_REGISTER_DONE;
      return;
    case HN_REGISTER_STORED:
      /* A node that the server knows gets no URL. */
      verdict->action = HN_REGISTER_NEEDS_LOGIN;
      if (facts->known_expired)
        g_set_error_literal (&verdict->error, HN_ERROR, HN_ERROR_NODE_KEY_EXPIRED,
                             "The key of this computer expired: sign in again");
      else
        g_set_error_literal (
            &verdict->error, HN_ERROR, HN_ERROR_NODE_UNKNOWN,
            "The server does not accept this computer any more (deleted, or its key expired): "
            "sign in again");
      return;
    case HN_REGISTER_FOLLOWUP:
      verdict->action
          = g_strcmp0 (facts->followup, hn_secret_text_reveal (facts->response->auth_url)) == 0
                ? HN_REGISTER_URL_AGAIN
                : HN_REGISTER_URL;
      return;
    case HN_REGISTER_AUTH_KEY:
    case HN_REGISTER_INTERACTIVE:
      verdict->action = HN_REGISTER_URL;
      return;
    }
}

void
hn_control_policy_register (const HnRegisterFacts *facts, HnRegisterVerdict *verdict)
{
  *verdict = (HnRegisterVerdict){ .action = HN_REGISTER_DONE };

  if (facts->transport != NULL && (facts->status == 0 || facts->status == 200))
    {
      verdict->action = HN_REGISTER_RETRY;
      verdict->error = g_error_copy (facts->transport);
    }
  else if (facts->status != 200)
    judge_status (facts, verdict);
  else if (facts->response->error != NULL)
    judge_error_text (facts, verdict);
  else if (facts->response->node_key_expired)
    judge_expired (facts, verdict);
  else if (facts->response->auth_url != NULL)
    judge_url (facts, verdict);
  /* MachineAuthorized FALSE is no failure: Headscale 0.23 and 0.24 leave it so on key refresh. */
}

HnMapAction
hn_control_policy_map (guint status, const char *text, GError **error)
{
  if (status == 404)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_NODE_UNKNOWN,
                   "The server does not know this computer%s%s",
                   text != NULL && text[0] != '\0' ? ": " : "", text != NULL ? text : "");
      return HN_MAP_CHECK;
    }
  set_status_error (error, status == 429 ? HN_ERROR_RATE_LIMITED : HN_ERROR_SERVER_REFUSED,
                    "the request for the network map", status, text);
  return status == 500 ? HN_MAP_CHECK : HN_MAP_RETRY;
}

HnServerKeyVerdict
hn_control_policy_server_key (const HnMachinePublic *known, const HnMachinePublic *fetched,
                              gboolean tls, gboolean accept)
{
  if (hn_machine_public_is_zero (known))
    return HN_SERVER_KEY_NEW;
  if (hn_machine_public_equal (known, fetched))
    return HN_SERVER_KEY_SAME;
  return tls || accept ? HN_SERVER_KEY_CHANGED : HN_SERVER_KEY_REFUSED;
}

HnControlPhase
hn_control_policy_phase (const HnPhaseFacts *facts)
{
  if (facts->started && facts->network && facts->mapped && !facts->needs_login)
    return HN_CONTROL_MAPPED;
  if (facts->url_pending || facts->needs_login)
    return HN_CONTROL_NEEDS_LOGIN;
  if (!facts->started || !facts->network)
    return HN_CONTROL_IDLE;
  if (!facts->has_key && !facts->login_running)
    return HN_CONTROL_NEEDS_LOGIN;
  return HN_CONTROL_CONNECTING;
}
