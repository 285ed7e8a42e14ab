/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-control-codec.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-json-reader.h"
#include "config.h"

#define URL_MAX 2048
#define TEXT_MAX 1024
#define MAX_ENDPOINTS 64

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  if (value == NULL || value[0] == '\0')
    return;
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_boolean (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static void
add_opt_bool (JsonBuilder *builder, const char *name, HnOptBool value)
{
  switch (value)
    {
    case HN_OPT_UNSET:
      return;
    case HN_OPT_FALSE:
    case HN_OPT_TRUE:
      add_boolean (builder, name, value == HN_OPT_TRUE);
      return;
    }
}

static void
add_net_info (JsonBuilder *builder, const HnHostinfo *hostinfo)
{
  json_builder_set_member_name (builder, "NetInfo");
  json_builder_begin_object (builder);
  add_opt_bool (builder, "MappingVariesByDestIP", hostinfo->mapping_varies);
  add_opt_bool (builder, "WorkingIPv6", hostinfo->working_ipv6);
  add_opt_bool (builder, "OSHasIPv6", hostinfo->os_has_ipv6);
  add_opt_bool (builder, "WorkingUDP", hostinfo->working_udp);
  if (hostinfo->preferred_derp != 0)
    add_int (builder, "PreferredDERP", hostinfo->preferred_derp);
  json_builder_end_object (builder);
}

/* tailscale: tailcfg/tailcfg.go, Hostinfo. */
static void
add_hostinfo (JsonBuilder *builder, const HnHostinfo *hostinfo)
{
  char text[HN_IP_TEXT_MAX];

  json_builder_set_member_name (builder, "Hostinfo");
  json_builder_begin_object (builder);
  add_string (builder, "IPNVersion", HN_VERSION "-headnet");
  add_string (builder, "OS", "linux");
  add_string (builder, "OSVersion", hostinfo->os_version);
  add_string (builder, "Distro", hostinfo->distro);
  add_string (builder, "DistroVersion", hostinfo->distro_version);
  add_string (builder, "DistroCodeName", hostinfo->distro_code_name);
  add_string (builder, "App", "headnet");
  add_string (builder, "Hostname", hostinfo->host_name);
  if (hostinfo->shields_up)
    add_boolean (builder, "ShieldsUp", TRUE);
  add_boolean (builder, "NoLogsNoSupport", TRUE);
  add_string (builder, "Machine", hostinfo->machine);
  add_string (builder, "GoArch", hostinfo->go_arch);
  if (hostinfo->n_routable_ips > 0)
    {
      json_builder_set_member_name (builder, "RoutableIPs");
      json_builder_begin_array (builder);
      for (gsize i = 0; i < hostinfo->n_routable_ips; i++)
        json_builder_add_string_value (builder,
                                       hn_prefix_format (&hostinfo->routable_ips[i], text));
      json_builder_end_array (builder);
    }
  if (hostinfo->request_tags != NULL && hostinfo->request_tags[0] != NULL)
    {
      json_builder_set_member_name (builder, "RequestTags");
      json_builder_begin_array (builder);
      for (gsize i = 0; hostinfo->request_tags[i] != NULL; i++)
        json_builder_add_string_value (builder, hostinfo->request_tags[i]);
      json_builder_end_array (builder);
    }
  if (hostinfo->has_net_info)
    add_net_info (builder, hostinfo);
  add_boolean (builder, "Userspace", hostinfo->userspace);
  json_builder_end_object (builder);
}

static void
add_node_key (JsonBuilder *builder, const char *name, const HnNodePublic *key)
{
  char text[HN_KEY_TEXT_MAX];

  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, hn_node_public_format (key, text));
}

static char *
generate (JsonBuilder *builder, gsize *len)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();

  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, len);
}

typedef struct
{
  char *data;
  gsize len;
} Secret;

static void
secret_free (gpointer data)
{
  Secret *secret = data;

  hn_wipe (secret->data, secret->len);
  g_free (secret->data);
  g_free (secret);
}

static gsize
escaped_length (const char *text)
{
  gsize len = 0;

  for (; *text != '\0'; text++)
    len += (guchar) *text < 0x20 || *text == 0x7f ? 6 : *text == '"' || *text == '\\' ? 2 : 1;
  return len;
}

static char *
put_escaped (char *to, const char *text)
{
  static const char digits[] = "0123456789abcdef";

  for (; *text != '\0'; text++)
    {
      const guchar c = *text;

      if (c < 0x20 || c == 0x7f)
        {
          memcpy (to, "\\u00", 4);
          to[4] = digits[c >> 4];
          to[5] = digits[c & 15];
          to += 6;
          continue;
        }
      if (c == '"' || c == '\\')
        *to++ = '\\';
      *to++ = c;
    }
  return to;
}

/*
 * Secrets do not pass through json-glib, which copies texts and frees them unwiped: it writes the
 * member with an empty text, and this fills it in, in @len bytes of @text that are wiped with the
 * new ones. The member must come before anything in which its name could appear.
 */
static char *
fill_in (char *text, gsize *len, const char *member, const char *secret)
{
  g_autofree char *empty = g_strdup_printf ("\"%s\":\"\"", member);
  const char *found = strstr (text, empty);
  gsize before;
  gsize after;
  char *filled;
  char *end;

  g_assert (found != NULL);
  before = found - text + strlen (empty) - 1;
  after = *len - before;
  filled = g_malloc (before + escaped_length (secret) + after + 1);
  memcpy (filled, text, before);
  end = put_escaped (filled + before, secret);
  memcpy (end, text + before, after);
  end[after] = '\0';
  hn_wipe (text, *len);
  g_free (text);
  *len = end + after - filled;
  return filled;
}

/* Seconds since 1970, as the wire has times. */
static void
add_time (JsonBuilder *builder, const char *name, gint64 time)
{
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (time);
  g_autofree char *text = date != NULL ? g_date_time_format (date, "%Y-%m-%dT%H:%M:%SZ") : NULL;

  add_string (builder, name, text);
}

/**
 * hn_control_codec_format_register:
 * @request: what to ask for
 *
 * tailscale: tailcfg/tailcfg.go, RegisterRequest.
 *
 * Returns: (transfer full): the body; its memory is wiped when it goes
 */
GBytes *
hn_control_codec_format_register (const HnRegisterRequest *request)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  const char *followup
      = request->followup != NULL && request->followup[0] != '\0' ? request->followup : NULL;
  Secret *body = g_new (Secret, 1);

  json_builder_begin_object (builder);
  add_int (builder, "Version", request->version);
  add_node_key (builder, "NodeKey", &request->node_key);
  if (!hn_node_public_is_zero (&request->old_node_key))
    add_node_key (builder, "OldNodeKey", &request->old_node_key);
  if (request->auth_key != NULL)
    {
      json_builder_set_member_name (builder, "Auth");
      json_builder_begin_object (builder);
      json_builder_set_member_name (builder, "AuthKey");
      json_builder_add_string_value (builder, "");
      json_builder_end_object (builder);
    }
  if (followup != NULL)
    {
      json_builder_set_member_name (builder, "Followup");
      json_builder_add_string_value (builder, "");
    }
  if (request->expiry != 0)
    add_time (builder, "Expiry", request->expiry);
  add_hostinfo (builder, request->hostinfo);
  json_builder_end_object (builder);

  body->data = generate (builder, &body->len);
  if (followup != NULL)
    body->data = fill_in (body->data, &body->len, "Followup", followup);
  if (request->auth_key != NULL)
    body->data
        = fill_in (body->data, &body->len, "AuthKey", hn_secret_text_reveal (request->auth_key));
  return g_bytes_new_with_free_func (body->data, body->len, secret_free, body);
}

/**
 * hn_control_codec_format_map:
 * @request: what to ask for
 *
 * tailscale: tailcfg/tailcfg.go, MapRequest. The stream and the lite update say the same about this
 * machine: older servers read it only in the latter, newer ones in both.
 *
 * Returns: (transfer full): the body
 */
GBytes *
hn_control_codec_format_map (const HnMapRequest *request)
{
  const HnHostinfo *hostinfo = request->hostinfo;
  const gsize n_endpoints = MIN (hostinfo->n_endpoints, MAX_ENDPOINTS);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  char text[MAX (HN_KEY_TEXT_MAX, HN_IP_TEXT_MAX)];
  char *body;
  gsize len;

  json_builder_begin_object (builder);
  add_int (builder, "Version", request->version);
  add_string (builder, "Compress", "zstd");
  add_boolean (builder, "KeepAlive", TRUE);
  add_node_key (builder, "NodeKey", &request->node_key);
  add_string (builder, "DiscoKey", hn_disco_public_format (&hostinfo->disco, text));
  if (request->stream)
    add_boolean (builder, "Stream", TRUE);
  else
    add_boolean (builder, "OmitPeers", TRUE);
  if (n_endpoints > 0)
    {
      json_builder_set_member_name (builder, "Endpoints");
      json_builder_begin_array (builder);
      for (gsize i = 0; i < n_endpoints; i++)
        json_builder_add_string_value (builder,
                                       hn_endpoint_format (&hostinfo->endpoints[i].endpoint, text));
      json_builder_end_array (builder);
      json_builder_set_member_name (builder, "EndpointTypes");
      json_builder_begin_array (builder);
      for (gsize i = 0; i < n_endpoints; i++)
        json_builder_add_int_value (builder, hostinfo->endpoints[i].type);
      json_builder_end_array (builder);
    }
  add_hostinfo (builder, hostinfo);
  json_builder_end_object (builder);

  body = generate (builder, &len);
  return g_bytes_new_take (body, len);
}

void
hn_register_response_free (HnRegisterResponse *response)
{
  if (response == NULL)
    return;
  g_free (response->login_name);
  g_free (response->display_name);
  g_clear_pointer (&response->auth_url, hn_secret_text_unref);
  g_free (response->error);
  g_free (response);
}

/* Reading with the strictness that a decision needs: null is absent, another type is an error. */
static gboolean
read_text (HnJsonReader *reader, char **out)
{
  char *text;

  if (hn_json_reader_peek (reader) == HN_JSON_NULL)
    return hn_json_reader_skip (reader);
  text = hn_json_reader_dup_string (reader, HN_REGISTER_RESPONSE_MAX);
  if (text == NULL)
    return FALSE;
  g_free (*out);
  *out = text;
  return TRUE;
}

static gboolean
read_boolean (HnJsonReader *reader, gboolean *out)
{
  if (hn_json_reader_peek (reader) == HN_JSON_NULL)
    return hn_json_reader_skip (reader);
  return hn_json_reader_boolean (reader, out);
}

/* At most 1,024 characters of valid text without control characters. */
static void
clean_text (char **text)
{
  char *valid;

  if (*text == NULL)
    return;
  valid = g_utf8_make_valid (*text, -1);
  g_free (*text);
  *text = valid;
  if (g_utf8_strlen (valid, -1) > TEXT_MAX)
    *g_utf8_offset_to_pointer (valid, TEXT_MAX) = '\0';
  for (char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    if (g_unichar_iscntrl (g_utf8_get_char (p)))
      memset (p, ' ', g_utf8_next_char (p) - p);
}

/* User or Login: only for display, so what is odd in it is passed over. */
static gboolean
read_user (HnJsonReader *reader, HnRegisterResponse *response)
{
  char name[32];
  gint64 id;

  if (hn_json_reader_peek (reader) != HN_JSON_OBJECT || !hn_json_reader_begin_object (reader))
    return hn_json_reader_skip (reader);
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (g_str_equal (name, "ID"))
        {
          if (hn_json_reader_int64 (reader, &id) && id != 0)
            response->user_id = id;
        }
      else if (g_str_equal (name, "LoginName"))
        read_text (reader, &response->login_name);
      else if (g_str_equal (name, "DisplayName"))
        read_text (reader, &response->display_name);
      else
        hn_json_reader_skip (reader);
    }
  return TRUE;
}

/* Whether a person can be sent there: a web address of sane length, nothing to trick a terminal. */
static gboolean
is_web_address (const char *url)
{
  if (!g_str_has_prefix (url, "https://") && !g_str_has_prefix (url, "http://"))
    return FALSE;
  if (strlen (url) > URL_MAX || strlen (strstr (url, "://") + 3) == 0)
    return FALSE;
  for (; *url != '\0'; url++)
    if ((guchar) *url <= ' ' || (guchar) *url >= 0x7f)
      return FALSE;
  return TRUE;
}

static gboolean
read_register (HnJsonReader *reader, HnRegisterResponse *response, char **auth_url, gboolean *known)
{
  char name[32];

  if (!hn_json_reader_begin_object (reader))
    return FALSE;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      gboolean ok = TRUE;
      gboolean mine = TRUE;

      if (g_str_equal (name, "MachineAuthorized"))
        ok = read_boolean (reader, &response->machine_authorized);
      else if (g_str_equal (name, "NodeKeyExpired"))
        ok = read_boolean (reader, &response->node_key_expired);
      else if (g_str_equal (name, "AuthURL"))
        ok = read_text (reader, auth_url);
      else if (g_str_equal (name, "Error"))
        ok = read_text (reader, &response->error);
      else if (g_str_equal (name, "User") || g_str_equal (name, "Login"))
        ok = read_user (reader, response);
      else
        mine = FALSE;
      if (!ok)
        return FALSE;
      if (mine)
        *known = TRUE;
      else
        hn_json_reader_skip (reader);
    }
  return hn_json_reader_ok (reader) && hn_json_reader_at_end (reader);
}

/**
 * hn_control_codec_parse_register:
 * @text: the body, not necessarily terminated
 * @len: its length
 * @error: return location; HN_ERROR_PROTOCOL
 *
 * tailscale: tailcfg/tailcfg.go, RegisterResponse.
 *
 * Returns: (transfer full) (nullable): what it says
 */
HnRegisterResponse *
hn_control_codec_parse_register (const char *text, gsize len, GError **error)
{
  g_autoptr (HnRegisterResponse) response = g_new0 (HnRegisterResponse, 1);
  char *auth_url = NULL;
  gboolean known = FALSE;
  HnJsonReader reader;
  gboolean ok;

  hn_json_reader_init (&reader, text, len);
  ok = len <= HN_REGISTER_RESPONSE_MAX && read_register (&reader, response, &auth_url, &known)
       && known;
  if (auth_url != NULL && auth_url[0] != '\0')
    response->auth_url = hn_secret_text_new_take (auth_url);
  else
    g_free (auth_url);
  if (!ok)
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                           "The server's answer to the registration makes no sense");
      return NULL;
    }

  if (response->error != NULL && response->error[0] == '\0')
    g_clear_pointer (&response->error, g_free);
  if (response->error == NULL && response->auth_url != NULL
      && !is_web_address (hn_secret_text_reveal (response->auth_url)))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                           "The server wants somebody to log in at an address that is none");
      return NULL;
    }
  if (response->login_name == NULL)
    response->login_name = g_strdup ("");
  if (response->display_name == NULL)
    response->display_name = g_strdup ("");
  clean_text (&response->login_name);
  clean_text (&response->display_name);
  clean_text (&response->error);
  return g_steal_pointer (&response);
}

/**
 * hn_control_codec_parse_key:
 * @text: the body of GET /key, not necessarily terminated
 * @len: its length
 * @key: (out): the server's Noise key
 * @error: return location; HN_ERROR_NOT_A_SERVER
 *
 * tailscale: tailcfg/tailcfg.go, OverTLSPublicKeyResponse.
 *
 * Returns: whether a key was there
 */
gboolean
hn_control_codec_parse_key (const char *text, gsize len, HnMachinePublic *key, GError **error)
{
  char value[HN_KEY_TEXT_MAX] = "";
  HnMachinePublic found = { 0 };
  gboolean is_object;
  HnJsonReader reader;
  char name[32];

  hn_json_reader_init (&reader, text, len);
  is_object = hn_json_reader_begin_object (&reader);
  while (is_object && hn_json_reader_next_member (&reader, name, sizeof name))
    {
      if (!g_str_equal (name, "publicKey"))
        hn_json_reader_skip (&reader);
      else if (!hn_json_reader_string (&reader, value, sizeof value))
        value[0] = '\0';
    }

  if (is_object && hn_json_reader_ok (&reader) && hn_json_reader_at_end (&reader)
      && hn_machine_public_parse (value, &found) && !hn_machine_public_is_zero (&found))
    {
      *key = found;
      return TRUE;
    }
  g_set_error_literal (
      error, HN_ERROR, HN_ERROR_NOT_A_SERVER,
      is_object || len == 0 || len == 2 * HN_KEY_SIZE
          ? "The server has no key for this protocol; it is too old, or no coordination server"
          : "This is no coordination server: its page /key is something else");
  return FALSE;
}
