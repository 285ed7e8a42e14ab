/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine values to dictionaries. */
#include "bus/hn-variants.h"

static GVariant *
text (const char *value)
{
  if (value == NULL)
    return g_variant_new_string ("");
  if (g_utf8_validate (value, -1, NULL))
    return g_variant_new_string (value);
  return g_variant_new_take_string (g_utf8_make_valid (value, -1));
}

static void
add (GVariantBuilder *builder, const char *key, GVariant *value)
{
  g_variant_builder_add (builder, "{sv}", key, value);
}

static void
add_known_text (GVariantBuilder *builder, const char *key, const char *value)
{
  if (value != NULL && *value != '\0')
    add (builder, key, text (value));
}

static void
add_texts (GVariantBuilder *builder, const char *key, const char *const *values)
{
  GVariantBuilder array;

  g_variant_builder_init (&array, G_VARIANT_TYPE_STRING_ARRAY);
  for (gsize i = 0; values != NULL && values[i] != NULL; i++)
    g_variant_builder_add_value (&array, text (values[i]));
  add (builder, key, g_variant_builder_end (&array));
}

GVariant *
hn_variants_format_user (gint64 id, const char *login, const char *display)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (id != 0)
    add (&builder, "Id", g_variant_new_int64 (id));
  add_known_text (&builder, "LoginName", login);
  add_known_text (&builder, "DisplayName", display);
  return g_variant_builder_end (&builder);
}

static gboolean
is_own_address (const HnNodeFields *node, const HnPrefix *prefix)
{
  for (gsize i = 0; i < node->n_addresses; i++)
    if (hn_ip_equal (&node->addresses[i].ip, &prefix->ip))
      return TRUE;
  return FALSE;
}

static void
write_networks (HnDictionaryWriter *writer, const HnNodeFields *node)
{
  gboolean exit_node = FALSE;
  char buf[HN_IP_TEXT_MAX];

  hn_dictionary_writer_begin_texts (writer, "Addresses");
  for (gsize i = 0; i < node->n_addresses; i++)
    hn_dictionary_writer_append_text (writer, hn_ip_format (&node->addresses[i].ip, buf));
  hn_dictionary_writer_end_texts (writer);

  /* What is routed to it beyond its own addresses. A default route is an offer to be an exit node,
   * not a network. */
  hn_dictionary_writer_begin_texts (writer, "Routes");
  for (gsize i = 0; i < node->n_allowed_ips; i++)
    {
      const HnPrefix *prefix = &node->allowed_ips[i];

      if (prefix->bits == 0)
        exit_node = TRUE;
      else if (!hn_prefix_is_single (prefix) || !is_own_address (node, prefix))
        hn_dictionary_writer_append_text (writer, hn_prefix_format (prefix, buf));
    }
  hn_dictionary_writer_end_texts (writer);
  hn_dictionary_writer_add_boolean (writer, "ExitNodeOption", exit_node);
}

static void
write_known_text (HnDictionaryWriter *writer, const char *key, const char *value)
{
  if (value != NULL && *value != '\0')
    hn_dictionary_writer_add_text (writer, key, value);
}

static void
write_user (HnDictionaryWriter *writer, gint64 id, const HnPeerView *peer)
{
  if (id == 0 && peer->user_login[0] == '\0' && peer->user_display[0] == '\0')
    return;
  hn_dictionary_writer_begin_dictionary (writer, "User");
  if (id != 0)
    hn_dictionary_writer_add_int64 (writer, "Id", id);
  write_known_text (writer, "LoginName", peer->user_login);
  write_known_text (writer, "DisplayName", peer->user_display);
  hn_dictionary_writer_end_dictionary (writer);
}

static void
write_path (HnDictionaryWriter *writer, const HnPeerView *peer)
{
  hn_dictionary_writer_add_text (writer, "Path", peer->path);
  write_known_text (writer, "Endpoint", peer->endpoint);
  write_known_text (writer, "Relay", peer->relay_code);
}

static void
write_counters (HnDictionaryWriter *writer, const HnPeerCounters *counters)
{
  if (counters->latency_us > 0)
    hn_dictionary_writer_add_uint64 (writer, "Latency", (guint64) counters->latency_us);
  hn_dictionary_writer_add_int64 (writer, "LastHandshake", counters->last_handshake);
  hn_dictionary_writer_add_uint64 (writer, "RxBytes", counters->rx_bytes);
  hn_dictionary_writer_add_uint64 (writer, "TxBytes", counters->tx_bytes);
}

void
hn_variants_write_peer (HnDictionaryWriter *writer, const HnPeerView *peer,
                        const HnPeerCounters *counters)
{
  const HnNodeFields *node = hn_node_get (peer->node);

  hn_dictionary_writer_begin (writer);
  hn_dictionary_writer_add_text (writer, "Id", node->stable_id);
  hn_dictionary_writer_add_text (writer, "Name", node->name);
  write_known_text (writer, "HostName", node->host_name);
  write_networks (writer, node);
  write_user (writer, node->user_id, peer);
  write_known_text (writer, "Os", node->os);
  hn_dictionary_writer_begin_texts (writer, "Tags");
  for (gsize i = 0; node->tags != NULL && node->tags[i] != NULL; i++)
    hn_dictionary_writer_append_text (writer, node->tags[i]);
  hn_dictionary_writer_end_texts (writer);
  if (node->online != HN_ONLINE_UNKNOWN)
    hn_dictionary_writer_add_boolean (writer, "Online", node->online == HN_ONLINE_YES);
  if (node->last_seen != 0)
    hn_dictionary_writer_add_int64 (writer, "LastSeen", node->last_seen);
  hn_dictionary_writer_add_int64 (writer, "KeyExpiry", node->key_expiry);
  hn_dictionary_writer_add_boolean (writer, "Expired", peer->expired);
  write_path (writer, peer);
  if (counters != NULL)
    write_counters (writer, counters);
  hn_dictionary_writer_end (writer);
}

void
hn_variants_write_peer_stats (HnDictionaryWriter *writer, const HnPeerView *peer,
                              const HnPeerCounters *counters)
{
  hn_dictionary_writer_begin (writer);
  hn_dictionary_writer_add_text (writer, "Id", hn_node_get (peer->node)->stable_id);
  write_path (writer, peer);
  write_counters (writer, counters);
  hn_dictionary_writer_end (writer);
}

GVariant *
hn_variants_format_home_relay (const HnStatus *status)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (status->relay_id > 0)
    {
      add (&builder, "Id", g_variant_new_uint32 ((guint32) status->relay_id));
      add_known_text (&builder, "Code", status->relay_code);
      add_known_text (&builder, "Name", status->relay_name);
      if (status->relay_latency_us > 0)
        add (&builder, "Latency", g_variant_new_uint64 ((guint64) status->relay_latency_us));
    }
  return g_variant_builder_end (&builder);
}

GVariant *
hn_variants_format_health (const GPtrArray *items)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; items != NULL && i < items->len; i++)
    {
      const HnHealthItem *item = g_ptr_array_index (items, i);
      GVariantBuilder builder;

      g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
      add (&builder, "Id", text (item->id));
      add (&builder, "Severity", text (hn_severity_to_string (item->severity)));
      add (&builder, "Title", text (item->title));
      add (&builder, "Text", text (item->text));
      add_known_text (&builder, "Action", item->action);
      add (&builder, "Since", g_variant_new_int64 (item->since));
      g_variant_builder_add_value (&list, g_variant_builder_end (&builder));
    }
  return g_variant_builder_end (&list);
}

GVariant *
hn_variants_format_preferences (const HnPreferences *preferences)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "Name", text (preferences->name));
  add (&builder, "HostName", text (preferences->host_name));
  add (&builder, "Mtu", g_variant_new_uint32 (preferences->mtu));
  add (&builder, "Port", g_variant_new_uint16 ((guint16) preferences->port));
  add (&builder, "ShieldsUp", g_variant_new_boolean (preferences->shields_up));
  add (&builder, "AutoConnect", g_variant_new_boolean (preferences->auto_connect));
  return g_variant_builder_end (&builder);
}

GVariant *
hn_variants_format_network_config (const HnNetworkConfig *config)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "Interface", text (config->interface));
  add (&builder, "Mtu", g_variant_new_uint32 (config->mtu));
  add_texts (&builder, "Addresses", (const char *const *) config->addresses);
  add_texts (&builder, "DnsServers", (const char *const *) config->dns_servers);
  add_texts (&builder, "DnsDomains", (const char *const *) config->dns_domains);
  add_texts (&builder, "SearchDomains", (const char *const *) config->search_domains);
  return g_variant_builder_end (&builder);
}

GVariant *
hn_variants_format_ping (const HnPingResult *result)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "Path", text (result->path));
  add_known_text (&builder, "Endpoint", result->endpoint);
  add_known_text (&builder, "Relay", result->relay_code);
  add (&builder, "Latency", g_variant_new_uint64 ((guint64) MAX (result->latency_us, 0)));
  add (&builder, "Kind", text (result->kind));
  return g_variant_builder_end (&builder);
}

GVariant *
hn_variants_format_netcheck (const HnNetcheckResult *result)
{
  GVariantBuilder builder;
  GVariantBuilder relays;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "Udp", g_variant_new_boolean (result->udp));
  add_known_text (&builder, "Ipv4", result->ipv4);
  add_known_text (&builder, "Ipv6", result->ipv6);
  if (result->mapping_varies >= 0)
    add (&builder, "MappingVaries", g_variant_new_boolean (result->mapping_varies > 0));
  add (&builder, "CaptivePortal", g_variant_new_boolean (result->captive_portal));
  if (result->port_mapping != NULL)
    add_known_text (&builder, "PortMapping", result->port_mapping);
  g_variant_builder_init (&relays, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < result->n_relays; i++)
    {
      const HnRelayView *relay = &result->relays[i];
      GVariantBuilder entry;

      g_variant_builder_init (&entry, G_VARIANT_TYPE_VARDICT);
      add (&entry, "Id", g_variant_new_uint32 ((guint32) relay->id));
      add_known_text (&entry, "Code", relay->code);
      add_known_text (&entry, "Name", relay->name);
      if (relay->latency_us > 0)
        add (&entry, "Latency", g_variant_new_uint64 ((guint64) relay->latency_us));
      g_variant_builder_add_value (&relays, g_variant_builder_end (&entry));
    }
  add (&builder, "Relays", g_variant_builder_end (&relays));
  add (&builder, "Time", g_variant_new_int64 (result->time));
  return g_variant_builder_end (&builder);
}

GVariant *
hn_variants_format_check_steps (const GPtrArray *steps)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < steps->len; i++)
    {
      const HnCheckStep *step = g_ptr_array_index (steps, i);
      GVariantBuilder builder;

      g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
      add (&builder, "Step", text (step->step));
      add (&builder, "Ok", g_variant_new_boolean (step->ok));
      add (&builder, "Text", text (step->text));
      add (&builder, "Latency", g_variant_new_uint64 ((guint64) MAX (step->latency_us, 0)));
      g_variant_builder_add_value (&list, g_variant_builder_end (&builder));
    }
  return g_variant_builder_end (&list);
}
