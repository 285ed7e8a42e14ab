/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of rights. */
#include "bus/hn-permissions.h"

#include "base/hn-error.h"

#define MANAGER "org.headnet.Headnet1.Manager"
#define TAILNET "org.headnet.Headnet1.Tailnet"

static const struct
{
  const char *interface_name;
  const char *method_name;
  HnRight right;
} methods[] = {
  { MANAGER, "AddTailnet", HN_RIGHT_ENROL },
  { MANAGER, "RemoveTailnet", HN_RIGHT_ENROL },
  /* Makes root dial any address and read what it says. */
  { MANAGER, "CheckServer", HN_RIGHT_ENROL },
  { TAILNET, "Connect", HN_RIGHT_CONNECT },
  { TAILNET, "Disconnect", HN_RIGHT_CONNECT },
  { TAILNET, "Login", HN_RIGHT_ENROL },
  /* Whoever holds the address can bind the machine to an account. */
  { TAILNET, "GetLoginUrl", HN_RIGHT_ENROL },
  { TAILNET, "Logout", HN_RIGHT_ENROL },
  /* The least that any key needs; the keys below say the rest. */
  { TAILNET, "SetPreferences", HN_RIGHT_PREFERENCES },
  /* Open on purpose: names and addresses of peers are no secret from this machine's users, who
   * can reach the peers anyway. */
  { TAILNET, "GetPeers", HN_RIGHT_OPEN },
  { TAILNET, "GetPeer", HN_RIGHT_OPEN },
  { TAILNET, "MonitorPeers", HN_RIGHT_OPEN },
  { TAILNET, "StopMonitor", HN_RIGHT_OPEN },
  { TAILNET, "Ping", HN_RIGHT_CONNECT },
  { TAILNET, "Netcheck", HN_RIGHT_CONNECT },
  { TAILNET, "GetNetworkConfig", HN_RIGHT_OPEN },
};

static const struct
{
  const char *key;
  HnRight right;
} preferences[] = {
  { "AcceptDns", HN_RIGHT_PREFERENCES },
  { "AcceptRoutes", HN_RIGHT_PREFERENCES },
  { "ExitNode", HN_RIGHT_PREFERENCES },
  { "AllowLanAccess", HN_RIGHT_PREFERENCES },
  { "AdvertiseExitNode", HN_RIGHT_ENROL },
  { "AdvertiseRoutes", HN_RIGHT_ENROL },
  { "AutoConnect", HN_RIGHT_ENROL },
  { "HostName", HN_RIGHT_ENROL },
  { "Mode", HN_RIGHT_ENROL },
  { "Mtu", HN_RIGHT_ENROL },
  { "Name", HN_RIGHT_ENROL },
  { "Port", HN_RIGHT_ENROL },
  { "ShieldsUp", HN_RIGHT_ENROL },
};

gboolean
hn_permissions_get_preference_right (const char *key, HnRight *right)
{
  for (gsize i = 0; i < G_N_ELEMENTS (preferences); i++)
    if (g_str_equal (preferences[i].key, key))
      {
        *right = preferences[i].right;
        return TRUE;
      }
  return FALSE;
}

/* Raises @right to what the strictest key needs. */
static gboolean
add_keys (GVariant *parameters, HnRight *right, GError **error)
{
  g_autoptr (GVariant) dictionary = NULL;
  g_autoptr (GVariant) value = NULL;
  GVariantIter iter;
  const char *key;

  if (parameters == NULL || !g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(a{sv})")))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                           "Preferences must be a dictionary");
      return FALSE;
    }

  dictionary = g_variant_get_child_value (parameters, 0);
  if (g_variant_n_children (dictionary) > G_N_ELEMENTS (preferences))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                           "There are not that many preferences");
      return FALSE;
    }
  g_variant_iter_init (&iter, dictionary);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      HnRight of_key;

      if (!hn_permissions_get_preference_right (key, &of_key))
        {
          g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                       "There is no preference named “%.64s”", key);
          return FALSE;
        }
      *right = MAX (*right, of_key);
    }
  return TRUE;
}

gboolean
hn_permissions_get_right (const char *interface_name, const char *method_name, GVariant *parameters,
                          HnRight *right, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    if (g_str_equal (methods[i].interface_name, interface_name)
        && g_str_equal (methods[i].method_name, method_name))
      {
        *right = methods[i].right;
        if (g_str_equal (method_name, "SetPreferences"))
          return add_keys (parameters, right, error);
        return TRUE;
      }

  g_set_error (error, HN_ERROR, HN_ERROR_NOT_AUTHORIZED, "Nobody may call %s.%s", interface_name,
               method_name);
  return FALSE;
}

const char *
hn_permissions_get_action (HnRight right)
{
  switch (right)
    {
    case HN_RIGHT_OPEN:
      return NULL;
    case HN_RIGHT_CONNECT:
      return "org.headnet.Headnet1.connect";
    case HN_RIGHT_PREFERENCES:
      return "org.headnet.Headnet1.preferences";
    case HN_RIGHT_ENROL:
      return "org.headnet.Headnet1.enrol";
    }
  g_return_val_if_reached ("org.headnet.Headnet1.enrol");
}
