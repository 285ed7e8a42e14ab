/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-map-codec.h"

#include <string.h>
#include <zstd.h>

#include "base/hn-error.h"
#include "control/hn-map-parser.h"
#include "control/hn-map-splitter.h"

#define MAX_NODE (1024 * 1024)
#define MAX_MEMBER (16 * 1024 * 1024)
#define MAX_FLAGS HN_MAP_MAX_PEERS
#define MAX_SLEEP_S 300
/* The first byte of a zstd frame's magic number, with which no JSON begins. */
#define ZSTD_FIRST_BYTE 0x28
/* Servers compress with windows up to the size of the map; what a header claims is only reserved,
 * memory is used as far as it is filled. */
#define ZSTD_MAX_WINDOW_LOG 26
#define OUTPUT_SIZE (128 * 1024)
/* A decompressor larger than this is not kept for the next frame. */
#define KEPT_DECOMPRESSOR (512 * 1024)

typedef struct _Member Member;

struct _HnMapDecoder
{
  HnMapUpdateFunc func;
  gpointer user;

  /* the frame */
  guint8 header[4];
  guint header_len;
  gsize body_len;
  gsize body_left; /* 0 while the header is read */
  gboolean compressed;
  gboolean zstd_ended;
  gsize json_len;  /* of this frame, so far */
  ZSTD_DCtx *zstd; /* nullable */
  char *output;    /* OUTPUT_SIZE bytes while a compressed frame is read */

  /* its content */
  HnMapSplitter *splitter;
  HnMapParser parser;
  const Member *member; /* the one at hand; NULL: not one of ours */
  gboolean syntax_error;

  gboolean broken;
  gboolean in_callback;
  gboolean freed; /* from within the callback */
};

/* What to do with a member of the response. */
struct _Member
{
  const char *name;
  HnMapMemberKind kind;
  gsize limit;            /* of the value or of each element */
  gboolean split_numbers; /* parts check their numbers on their own */
  void (*read) (HnMapDecoder *self, HnJsonReader *reader); /* a value, or an element of a list */
  void (*reset) (HnMapDecoder *self); /* before a list, and for null instead of one */
};

/* Elements of a list, made on demand; NULL in the update means that no list came. */
static GPtrArray *
ensure_list (GPtrArray **list, GDestroyNotify free_func)
{
  if (*list == NULL)
    *list = g_ptr_array_new_with_free_func (free_func);
  return *list;
}

static void
read_peer_into (HnMapDecoder *self, HnJsonReader *reader, GPtrArray **list)
{
  HnMapParser *parser = &self->parser;
  HnMapRemarks before;
  HnNode *node;

  ensure_list (list, (GDestroyNotify) hn_node_unref);
  if ((*list)->len >= HN_MAP_MAX_PEERS)
    {
      hn_map_parser_remark (parser, HN_MAP_REMARK_CUT, "there are more than %d peers",
                            HN_MAP_MAX_PEERS);
      hn_json_reader_skip (reader);
      return;
    }
  hn_map_parser_save_remarks (parser, &before);
  node = hn_map_read_node (parser, reader, FALSE);
  if (node != NULL && hn_node_get_size (node) > HN_NETMAP_MAX_BYTES - parser->node_bytes)
    {
      hn_map_parser_remark (parser, HN_MAP_REMARK_CUT, "the peers take more than %d bytes",
                            HN_NETMAP_MAX_BYTES);
      hn_node_unref (node);
    }
  else if (node != NULL)
    {
      if (hn_json_reader_ok (reader))
        hn_map_parser_blame (parser, &before, hn_node_get (node)->id);
      parser->node_bytes += hn_node_get_size (node);
      g_ptr_array_add (*list, node);
    }
  else if (hn_json_reader_ok (reader))
    hn_map_parser_remark (parser, HN_MAP_REMARK_PEER, "a peer is no object");
}

static void
read_peer (HnMapDecoder *self, HnJsonReader *reader)
{
  read_peer_into (self, reader, &self->parser.update->peers);
}

static void
reset_peers (HnMapDecoder *self)
{
  g_clear_pointer (&self->parser.update->peers, g_ptr_array_unref);
}

static void
read_peer_changed (HnMapDecoder *self, HnJsonReader *reader)
{
  read_peer_into (self, reader, &self->parser.update->peers_changed);
}

static void
reset_peers_changed (HnMapDecoder *self)
{
  g_clear_pointer (&self->parser.update->peers_changed, g_ptr_array_unref);
}

static void
read_peer_removed (HnMapDecoder *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->parser.update;
  gint64 id;

  if (update->peers_removed == NULL)
    update->peers_removed = g_array_new (FALSE, FALSE, sizeof (gint64));
  if (!hn_json_reader_int64 (reader, &id) || update->peers_removed->len >= MAX_FLAGS)
    hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PEER, "a removed peer has no number");
  else
    g_array_append_val (update->peers_removed, id);
}

static void
reset_peers_removed (HnMapDecoder *self)
{
  g_clear_pointer (&self->parser.update->peers_removed, g_array_unref);
}

static void
read_patch (HnMapDecoder *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->parser.update;
  HnPeerPatch patch = { 0 };
  HnMapRemarks before;

  if (update->patches == NULL)
    {
      update->patches = g_array_new (FALSE, FALSE, sizeof (HnPeerPatch));
      g_array_set_clear_func (update->patches, (GDestroyNotify) hn_peer_patch_clear);
    }
  hn_map_parser_save_remarks (&self->parser, &before);
  if (update->patches->len < MAX_FLAGS && hn_map_read_patch (&self->parser, reader, &patch))
    {
      if (hn_json_reader_ok (reader))
        hn_map_parser_blame (&self->parser, &before, patch.id);
      g_array_append_val (update->patches, patch);
      return;
    }
  hn_peer_patch_clear (&patch);
  if (hn_json_reader_ok (reader))
    {
      hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PEER, "a change is no object");
      if (update->patches->len >= MAX_FLAGS)
        hn_json_reader_skip (reader);
    }
}

static void
reset_patches (HnMapDecoder *self)
{
  g_clear_pointer (&self->parser.update->patches, g_array_unref);
}

static void
read_user (HnMapDecoder *self, HnJsonReader *reader)
{
  GPtrArray *users = ensure_list (&self->parser.update->users, (GDestroyNotify) hn_user_free);
  HnUser *user = hn_map_read_user (reader);

  if (user != NULL && users->len < HN_NETMAP_MAX_USERS)
    {
      g_ptr_array_add (users, user);
      return;
    }
  hn_user_free (user);
  if (hn_json_reader_ok (reader))
    hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PART, "a user has no number");
}

static void
reset_users (HnMapDecoder *self)
{
  g_clear_pointer (&self->parser.update->users, g_ptr_array_unref);
}

/* { "id": true }, ids as decimal texts. */
static void
read_flags (HnMapDecoder *self, HnJsonReader *reader, GArray **flags)
{
  char text[32];

  g_clear_pointer (flags, g_array_unref);
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  *flags = g_array_new (FALSE, FALSE, sizeof (HnPeerFlag));
  while (hn_json_reader_next_member (reader, text, sizeof text))
    {
      HnPeerFlag flag;

      if (!hn_json_reader_boolean (reader, &flag.value) || (*flags)->len >= MAX_FLAGS
          || !g_ascii_string_to_signed (text, 10, 1, G_MAXINT64, &flag.id, NULL))
        hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PEER, "a flag is for no peer");
      else
        g_array_append_val (*flags, flag);
    }
}

static void
read_peer_seen (HnMapDecoder *self, HnJsonReader *reader)
{
  read_flags (self, reader, &self->parser.update->peer_seen);
}

static void
read_online (HnMapDecoder *self, HnJsonReader *reader)
{
  read_flags (self, reader, &self->parser.update->online);
}

static void
read_keep_alive (HnMapDecoder *self, HnJsonReader *reader)
{
  gboolean value = FALSE;

  hn_json_reader_boolean (reader, &value);
  self->parser.update->keep_alive = value;
}

static void
read_own_node (HnMapDecoder *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->parser.update;
  HnMapRemarks before;

  g_clear_pointer (&update->node, hn_node_unref);
  if (hn_map_read_null (reader))
    return;
  hn_map_parser_save_remarks (&self->parser, &before);
  update->node = hn_map_read_node (&self->parser, reader, TRUE);
  if (update->node != NULL)
    hn_map_parser_blame (&self->parser, &before, hn_node_get (update->node)->id);
  if (update->node == NULL && hn_json_reader_ok (reader))
    hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PART, "Node is no object");
}

static void
read_derp_map (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_derp_map (&self->parser, reader);
}

static void
read_dns (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_dns (&self->parser, reader);
}

static void
read_domain (HnMapDecoder *self, HnJsonReader *reader)
{
  g_clear_pointer (&self->parser.update->domain, g_free);
  if (!hn_map_read_null (reader))
    self->parser.update->domain = hn_map_dup_text (reader, HN_MAP_TEXT_SIZE - 1);
}

static void
read_packet_filter (HnMapDecoder *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->parser.update;

  g_clear_pointer (&update->packet_filter, hn_filter_rules_unref);
  if (!hn_map_read_null (reader))
    update->packet_filter = hn_map_read_rules (&self->parser, reader);
}

static void
read_packet_filters (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_packet_filters (&self->parser, reader);
}

static void
read_health (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_health (&self->parser, reader);
}

static void
read_messages (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_messages (&self->parser, reader);
}

static void
read_ping (HnMapDecoder *self, HnJsonReader *reader)
{
  hn_map_read_ping (&self->parser, reader);
}

static void
read_ssh_policy (HnMapDecoder *self, HnJsonReader *reader)
{
  self->parser.update->has_ssh_policy = hn_json_reader_peek (reader) == HN_JSON_OBJECT;
  hn_json_reader_skip (reader);
}

static void
read_control_time (HnMapDecoder *self, HnJsonReader *reader)
{
  gint64 time = 0;

  self->parser.update->control_time = hn_map_read_time (reader, &time) ? time : 0;
}

static void
read_tka (HnMapDecoder *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->parser.update;
  gboolean disabled = FALSE;
  char name[16];

  update->has_tka = update->tka_enabled = FALSE;
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "Disabled") == 0)
        hn_json_reader_boolean (reader, &disabled);
      else
        hn_json_reader_skip (reader);
    }
  update->has_tka = TRUE;
  update->tka_enabled = !disabled;
}

static void
read_pop_browser_url (HnMapDecoder *self, HnJsonReader *reader)
{
  g_autofree char *url = NULL;

  g_clear_pointer (&self->parser.update->pop_browser_url, g_free);
  if (hn_map_read_null (reader))
    return;
  url = hn_map_dup_text (reader, HN_MAP_URL_SIZE);
  if (url != NULL && hn_map_is_web_address (url))
    self->parser.update->pop_browser_url = g_steal_pointer (&url);
}

static void
read_debug (HnMapDecoder *self, HnJsonReader *reader)
{
  double seconds = 0;
  char name[32];

  self->parser.update->sleep_seconds = 0;
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "SleepSeconds") == 0)
        hn_json_reader_double (reader, &seconds);
      else
        hn_json_reader_skip (reader);
    }
  if (seconds > 0)
    self->parser.update->sleep_seconds = MAX (1, (gint64) MIN (seconds, MAX_SLEEP_S));
}

/* tailscale: tailcfg/tailcfg.go, MapResponse; those of no use here are left out. */
static const Member members[] = {
  { "Peers", HN_MAP_MEMBER_LIST, MAX_NODE, FALSE, read_peer, reset_peers },
  { "PeersChanged", HN_MAP_MEMBER_LIST, MAX_NODE, FALSE, read_peer_changed, reset_peers_changed },
  { "PeersRemoved", HN_MAP_MEMBER_LIST, 64, FALSE, read_peer_removed, reset_peers_removed },
  { "PeersChangedPatch", HN_MAP_MEMBER_LIST, MAX_NODE, FALSE, read_patch, reset_patches },
  { "UserProfiles", HN_MAP_MEMBER_LIST, MAX_NODE, FALSE, read_user, reset_users },
  { "PeerSeenChange", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, FALSE, read_peer_seen, NULL },
  { "OnlineChange", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, FALSE, read_online, NULL },
  { "KeepAlive", HN_MAP_MEMBER_WHOLE, 64, FALSE, read_keep_alive, NULL },
  { "Node", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_own_node, NULL },
  { "DERPMap", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, FALSE, read_derp_map, NULL },
  { "DNSConfig", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, FALSE, read_dns, NULL },
  { "Domain", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_domain, NULL },
  { "PacketFilter", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, TRUE, read_packet_filter, NULL },
  { "PacketFilters", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, TRUE, read_packet_filters, NULL },
  { "Health", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_health, NULL },
  { "DisplayMessages", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_messages, NULL },
  { "PingRequest", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_ping, NULL },
  { "SSHPolicy", HN_MAP_MEMBER_WHOLE, MAX_MEMBER, FALSE, read_ssh_policy, NULL },
  { "ControlTime", HN_MAP_MEMBER_WHOLE, 256, FALSE, read_control_time, NULL },
  { "TKAInfo", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_tka, NULL },
  { "PopBrowserURL", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_pop_browser_url, NULL },
  { "Debug", HN_MAP_MEMBER_WHOLE, MAX_NODE, FALSE, read_debug, NULL },
};

static HnMapMemberKind
on_begin_member (const char *name, gsize *limit, gpointer user)
{
  HnMapDecoder *self = user;

  self->member = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (members) && self->member == NULL; i++)
    if (strcmp (name, members[i].name) == 0)
      self->member = &members[i];
  *limit = self->member != NULL ? self->member->limit : MAX_MEMBER;
  return self->member != NULL ? self->member->kind : HN_MAP_MEMBER_WHOLE;
}

/* Wrong syntax breaks the frame; a number out of range costs only the piece it is in. */
static gboolean
check_syntax (HnMapDecoder *self, const char *text, gsize len)
{
  HnJsonReader reader;

  hn_json_reader_init (&reader, text, len);
  if (!hn_json_reader_skip (&reader) || !hn_json_reader_at_end (&reader))
    self->syntax_error = TRUE;
  return !self->syntax_error;
}

static void
on_value (const char *text, gsize len, gpointer user)
{
  HnMapDecoder *self = user;
  const Member *member = self->member;
  HnJsonReader reader;

  if (!check_syntax (self, text, len) || member == NULL)
    return;
  hn_json_reader_init (&reader, text, len);
  if (member->kind == HN_MAP_MEMBER_LIST)
    {
      member->reset (self);
      if (hn_map_read_null (&reader))
        return;
    }
  else if (member->split_numbers || hn_json_check (text, len, NULL))
    {
      member->read (self, &reader);
      if (hn_json_reader_ok (&reader))
        return;
    }
  hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PART, "%s can not be understood",
                        member->name);
}

static void
on_begin_list (gpointer user)
{
  HnMapDecoder *self = user;

  self->member->reset (self);
}

static void
on_element (const char *text, gsize len, gpointer user)
{
  HnMapDecoder *self = user;
  HnJsonReader reader;

  hn_json_reader_init (&reader, text, len);
  self->member->read (self, &reader);
  if (hn_json_reader_ok (&reader) && hn_json_reader_at_end (&reader))
    return;
  if (check_syntax (self, text, len))
    hn_map_parser_remark (&self->parser, HN_MAP_REMARK_PEER, "a number in it is out of range");
}

static gsize
on_try_element (const char *text, gsize len, gpointer user)
{
  HnMapDecoder *self = user;
  HnMapRemarks before;
  HnJsonReader reader;

  hn_map_parser_save_remarks (&self->parser, &before);
  hn_json_reader_init (&reader, text, len);
  self->member->read (self, &reader);
  if (hn_json_reader_ok (&reader))
    return reader.pos;
  hn_map_parser_restore_remarks (&self->parser, &before);
  return 0;
}

static void
on_oversize (gpointer user)
{
  HnMapDecoder *self = user;

  hn_map_parser_remark (&self->parser, HN_MAP_REMARK_CUT, "a part of %s is too long",
                        self->member != NULL ? self->member->name : "the map");
}

static const HnMapSplitterFuncs splitter_funcs = {
  .begin_member = on_begin_member,
  .value = on_value,
  .begin_list = on_begin_list,
  .element = on_element,
  .try_element = on_try_element,
  .oversize = on_oversize,
};

/**
 * hn_map_decoder_new:
 * @func: gets each update; it may free the decoder
 * @user: for @func
 *
 * Returns: (transfer full): a decoder for one map stream
 */
HnMapDecoder *
hn_map_decoder_new (HnMapUpdateFunc func, gpointer user)
{
  HnMapDecoder *self = g_new0 (HnMapDecoder, 1);

  self->func = func;
  self->user = user;
  self->splitter = hn_map_splitter_new (&splitter_funcs, self);
  return self;
}

void
hn_map_decoder_free (HnMapDecoder *self)
{
  if (self == NULL)
    return;
  if (self->in_callback)
    {
      self->freed = TRUE;
      return;
    }
  ZSTD_freeDCtx (self->zstd);
  g_free (self->output);
  hn_map_splitter_free (self->splitter);
  hn_map_parser_clear (&self->parser);
  hn_map_update_free (self->parser.update);
  g_free (self);
}

gboolean
hn_map_decoder_is_idle (const HnMapDecoder *self)
{
  return self->body_left == 0 && self->header_len == 0;
}

static gboolean
fail (GError **error, const char *what)
{
  g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL, "The server's network map is broken: %s", what);
  return FALSE;
}

static gboolean
begin_frame (HnMapDecoder *self, GError **error)
{
  const guint8 *h = self->header;
  const guint32 len = h[0] | (guint32) h[1] << 8 | (guint32) h[2] << 16 | (guint32) h[3] << 24;

  if (len == 0)
    return fail (error, "an empty frame");
  if (len > HN_MAP_MAX_FRAME)
    return fail (error, "a frame is too long");
  self->header_len = 0;
  self->body_len = self->body_left = len;
  self->zstd_ended = FALSE;
  self->json_len = 0;
  self->syntax_error = FALSE;
  self->member = NULL;
  self->parser.update = hn_map_update_new ();
  hn_map_splitter_reset (self->splitter);
  return TRUE;
}

static gboolean
feed_json (HnMapDecoder *self, const char *text, gsize len, GError **error)
{
  self->json_len += len;
  if (self->json_len > HN_MAP_MAX_JSON)
    return fail (error, "it unpacks to too much");
  if (!hn_map_splitter_feed (self->splitter, text, len) || self->syntax_error)
    return fail (error, "it is not valid JSON, or nested too deeply");
  return TRUE;
}

static gboolean
begin_zstd (HnMapDecoder *self)
{
  if (self->zstd == NULL)
    self->zstd = ZSTD_createDCtx ();
  else
    ZSTD_DCtx_reset (self->zstd, ZSTD_reset_session_only);
  if (self->zstd == NULL
      || ZSTD_isError (
          ZSTD_DCtx_setParameter (self->zstd, ZSTD_d_windowLogMax, ZSTD_MAX_WINDOW_LOG)))
    return FALSE;
  self->output = g_malloc (OUTPUT_SIZE);
  return TRUE;
}

static gboolean
feed_zstd (HnMapDecoder *self, const guint8 *data, gsize len, GError **error)
{
  ZSTD_inBuffer in = { data, len, 0 };
  gboolean more = TRUE;

  while (in.pos < in.size || more)
    {
      ZSTD_outBuffer out = { self->output, OUTPUT_SIZE, 0 };
      gsize left;

      if (self->zstd_ended)
        return in.pos == in.size || fail (error, "there is more behind the packed text");
      left = ZSTD_decompressStream (self->zstd, &out, &in);
      if (ZSTD_isError (left))
        return fail (error, "it can not be unpacked");
      self->zstd_ended = left == 0;
      /* A full buffer may mean that more waits inside. */
      more = out.pos == out.size;
      if (out.pos > 0 && !feed_json (self, self->output, out.pos, error))
        return FALSE;
    }
  return TRUE;
}

/* With KeepAlive nothing else counts but what is for the moment. */
static void
drop_map (HnMapUpdate **update)
{
  HnMapUpdate *kept = hn_map_update_new ();
  HnMapUpdate *from = *update;

  kept->keep_alive = TRUE;
  kept->control_time = from->control_time;
  kept->pop_browser_url = g_steal_pointer (&from->pop_browser_url);
  kept->ping_url = g_steal_pointer (&from->ping_url);
  kept->ping_is_noise = from->ping_is_noise;
  kept->ping_types = g_steal_pointer (&from->ping_types);
  kept->ping_payload = g_steal_pointer (&from->ping_payload);
  kept->ping_payload_len = from->ping_payload_len;
  hn_map_update_free (from);
  *update = kept;
}

static gboolean
end_frame (HnMapDecoder *self, GError **error)
{
  HnMapUpdate *update;

  if (self->compressed && !self->zstd_ended)
    return fail (error, "the packed text is cut off");
  if (!hn_map_splitter_is_complete (self->splitter))
    return fail (error, "the text is cut off");

  /* What a large map needed is not kept. */
  g_clear_pointer (&self->output, g_free);
  if (self->zstd != NULL && ZSTD_sizeof_DCtx (self->zstd) > KEPT_DECOMPRESSOR)
    {
      ZSTD_freeDCtx (self->zstd);
      self->zstd = NULL;
    }
  hn_map_splitter_reset (self->splitter);
  hn_map_parser_finish (&self->parser);
  update = g_steal_pointer (&self->parser.update);
  update->size = self->json_len;
  if (update->keep_alive)
    drop_map (&update);

  self->in_callback = TRUE;
  self->func (update, self->user);
  self->in_callback = FALSE;
  return TRUE;
}

/**
 * hn_map_decoder_feed:
 * @self: a decoder
 * @data: the next bytes of the body
 * @len: how many
 * @error: return location; HN_ERROR_PROTOCOL
 *
 * Calls the function for each frame that is complete.
 *
 * Returns: FALSE when the stream is broken: it is of no further use
 */
gboolean
hn_map_decoder_feed (HnMapDecoder *self, const guint8 *data, gsize len, GError **error)
{
  if (self->broken)
    return fail (error, "it broke before");
  /* Until the end of this function proves otherwise. */
  self->broken = TRUE;
  while (len > 0)
    {
      gsize n;
      gboolean ok;

      if (self->body_left == 0)
        {
          self->header[self->header_len++] = *data++;
          len--;
          if (self->header_len == sizeof self->header && !begin_frame (self, error))
            return FALSE;
          continue;
        }

      if (self->body_left == self->body_len)
        {
          self->compressed = data[0] == ZSTD_FIRST_BYTE;
          if (self->compressed && !begin_zstd (self))
            return fail (error, "it can not be unpacked");
        }
      n = MIN (len, self->body_left);
      self->body_left -= n;
      ok = self->compressed ? feed_zstd (self, data, n, error)
                            : feed_json (self, (const char *) data, n, error);
      if (!ok)
        return FALSE;
      data += n;
      len -= n;
      if (self->body_left == 0 && !end_frame (self, error))
        return FALSE;
      if (self->freed)
        {
          hn_map_decoder_free (self);
          return TRUE;
        }
    }
  self->broken = FALSE;
  return TRUE;
}
