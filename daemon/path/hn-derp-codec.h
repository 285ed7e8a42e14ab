/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames that a relay and its client exchange: an incremental parser with limits, builders, and
 * the token bucket that a relay may ask for. No I/O, no clock (tailscale: derp/derp.go).
 */
#pragma once

#include "crypto/hn-crypto.h"
#include "crypto/hn-keys.h"

#define HN_DERP_HEADER_SIZE 5
/* Header of a frame that carries a packet, with the other side's key. */
#define HN_DERP_PACKET_HEADER_SIZE (HN_DERP_HEADER_SIZE + HN_KEY_SIZE)
#define HN_DERP_MAX_PACKET 65536
#define HN_DERP_MAX_FRAME (1024 * 1024)
/* Longest payload that the parser hands over; longer ones are skipped as they come. */
#define HN_DERP_MAX_PAYLOAD (HN_KEY_SIZE + HN_DERP_MAX_PACKET)
#define HN_DERP_PING_SIZE 8
#define HN_DERP_CLIENT_INFO_SIZE                                                                   \
  (HN_DERP_HEADER_SIZE + HN_KEY_SIZE + HN_BOX_NONCE_SIZE + HN_BOX_OVERHEAD + 32)
#define HN_DERP_MAX_HEALTH 1024

typedef enum
{
  HN_DERP_FRAME_SERVER_KEY = 0x01,
  HN_DERP_FRAME_CLIENT_INFO = 0x02,
  HN_DERP_FRAME_SERVER_INFO = 0x03,
  HN_DERP_FRAME_SEND_PACKET = 0x04,
  HN_DERP_FRAME_RECV_PACKET = 0x05,
  HN_DERP_FRAME_KEEP_ALIVE = 0x06,
  HN_DERP_FRAME_NOTE_PREFERRED = 0x07,
  HN_DERP_FRAME_PEER_GONE = 0x08,
  HN_DERP_FRAME_PEER_PRESENT = 0x09,
  HN_DERP_FRAME_PING = 0x12,
  HN_DERP_FRAME_PONG = 0x13,
  HN_DERP_FRAME_HEALTH = 0x14,
  HN_DERP_FRAME_RESTARTING = 0x15,
} HnDerpFrameType;

typedef struct
{
  guint8 type;     /* HnDerpFrameType, or one that we do not know */
  guint8 *payload; /* inside the parsed buffer; its header is the five bytes in front */
  gsize len;
} HnDerpFrame;

typedef struct
{
  gsize skip;     /* bytes left of a frame that is not handed over */
  guint64 frames; /* headers seen: the relay is alive */
} HnDerpParser;

typedef enum
{
  HN_DERP_PARSE_MORE,      /* more bytes are needed */
  HN_DERP_PARSE_FRAME,     /* one frame is there */
  HN_DERP_PARSE_TOO_LARGE, /* over HN_DERP_MAX_FRAME: the stream is lost */
} HnDerpParseResult;

/*
 * hn_derp_parser_next:
 * @data: what was received and not consumed yet
 * @consumed: (out): how far to advance in any case
 * @frame: (out): valid while @data is, for HN_DERP_PARSE_FRAME
 *
 * Frames whose payload is longer than HN_DERP_MAX_PAYLOAD are skipped without being kept.
 */
HnDerpParseResult hn_derp_parser_next (HnDerpParser *self, guint8 *data, gsize len, gsize *consumed,
                                       HnDerpFrame *frame);

/* The fields of a frame; FALSE when it is too short or not what it should be. Bytes behind the known
 * ones belong to later versions and are ignored. */
gboolean hn_derp_parse_server_key (const HnDerpFrame *frame, HnNodePublic *key);
gboolean hn_derp_parse_packet (const HnDerpFrame *frame, HnNodePublic *source, guint8 **data,
                               gsize *len);
gboolean hn_derp_parse_peer_gone (const HnDerpFrame *frame, HnNodePublic *peer, guint8 *reason);
gboolean hn_derp_parse_restarting (const HnDerpFrame *frame, guint32 *reconnect_ms,
                                   guint32 *try_for_ms);
/* Returns: (transfer full): HN_DERP_MAX_HEALTH bytes of the text as one printable line; "" when the relay is well again. */
char *hn_derp_parse_health (const HnDerpFrame *frame);

typedef struct
{
  int version;
  gint64 bytes_per_second; /* 0: no limit */
  gint64 bytes_burst;
} HnDerpServerInfo;

/* @shared: the precomputed box key. HN_ERROR_PROTOCOL when the box does not open or holds no JSON. */
gboolean hn_derp_parse_server_info (const HnDerpFrame *frame, const guint8 shared[32],
                                    HnDerpServerInfo *info, GError **error);

/* Each writes a whole frame and returns its length. */
gsize hn_derp_build_client_info (guint8 out[HN_DERP_CLIENT_INFO_SIZE], const HnNodePublic *client,
                                 const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE]);
gsize hn_derp_build_note_preferred (guint8 out[HN_DERP_HEADER_SIZE + 1], gboolean preferred);
gsize hn_derp_build_ping (guint8 out[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE], HnDerpFrameType type,
                          const guint8 payload[HN_DERP_PING_SIZE]);
/* Only what stands in front of a packet of @len bytes to @peer. */
void hn_derp_build_packet_header (guint8 out[HN_DERP_PACKET_HEADER_SIZE], const HnNodePublic *peer,
                                  gsize len);

/* What a relay allows us to send: excess is dropped by us before the relay closes on us. */
typedef struct
{
  gint64 rate;   /* bytes a second; 0: no limit */
  gint64 burst;  /* bytes times 10^6, so that no fraction is lost between two calls */
  gint64 tokens; /* likewise */
  gint64 filled_us;
} HnDerpLimiter;

void hn_derp_limiter_init (HnDerpLimiter *self, gint64 rate, gint64 burst, gint64 now_us);
/* TRUE when @bytes may go, which are taken off then. */
gboolean hn_derp_limiter_take (HnDerpLimiter *self, gsize bytes, gint64 now_us);
