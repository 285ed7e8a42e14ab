/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-hostinfo.h"

#include <string.h>
#include <sys/utsname.h>

#define LABEL_MAX 63

/* Names of processor architectures as the other side knows them, by the kernel's. */
static const struct
{
  const char *machine;
  const char *go_arch;
} architectures[] = {
  { "x86_64", "amd64" },    { "aarch64", "arm64" }, { "armv8l", "arm" },
  { "armv7l", "arm" },      { "armv6l", "arm" },    { "i686", "386" },
  { "i586", "386" },        { "i386", "386" },      { "riscv64", "riscv64" },
  { "ppc64le", "ppc64le" }, { "s390x", "s390x" },   { "loongarch64", "loong64" },
  { "mips64", "mips64" },   { "ppc64", "ppc64" },
};

static const char *
go_arch_of (const char *machine)
{
  for (gsize i = 0; i < G_N_ELEMENTS (architectures); i++)
    if (g_str_equal (machine, architectures[i].machine))
      return architectures[i].go_arch;
  return machine;
}

/* The first label, in lower case, of characters that every server takes. */
static char *
sanitize_host_name (const char *name)
{
  g_autoptr (GString) label = g_string_new (NULL);

  for (const char *p = name; *p != '\0' && *p != '.' && label->len < LABEL_MAX; p++)
    {
      if (g_ascii_isalnum (*p))
        g_string_append_c (label, g_ascii_tolower (*p));
      else if (label->len > 0 && label->str[label->len - 1] != '-')
        g_string_append_c (label, '-');
    }
  while (label->len > 0 && label->str[label->len - 1] == '-')
    g_string_truncate (label, label->len - 1);
  if (label->len == 0)
    g_string_assign (label, "headnet");
  return g_string_free (g_steal_pointer (&label), FALSE);
}

static char *
dup_os_info (const char *key)
{
  char *value = g_get_os_info (key);

  return value != NULL ? value : g_strdup ("");
}

/**
 * hn_hostinfo_new:
 * @host_name: (nullable): the user's choice; NULL or "" for the machine's own name
 *
 * Reads uname and os-release. The host name is cut to its first label and cleaned.
 *
 * Returns: (transfer full): the information, without routes, tags and network findings
 */
HnHostinfo *
hn_hostinfo_new (const char *host_name)
{
  HnHostinfo *self = g_new0 (HnHostinfo, 1);
  struct utsname names = { 0 };

  if (uname (&names) != 0)
    names = (struct utsname){ 0 };
  /* Not g_get_host_name(): it remembers the name of the process's start. */
  if (host_name == NULL || host_name[0] == '\0')
    host_name = names.nodename;
  self->host_name = sanitize_host_name (host_name);
  self->os_version = g_strdup (names.release);
  self->machine = g_strdup (names.machine);
  self->go_arch = g_strdup (go_arch_of (names.machine));
  self->distro = dup_os_info (G_OS_INFO_KEY_ID);
  self->distro_version = dup_os_info (G_OS_INFO_KEY_VERSION_ID);
  self->distro_code_name = dup_os_info (G_OS_INFO_KEY_VERSION_CODENAME);
  return self;
}

HnHostinfo *
hn_hostinfo_copy (const HnHostinfo *self)
{
  HnHostinfo *copy = g_new (HnHostinfo, 1);

  *copy = *self;
  copy->host_name = g_strdup (self->host_name);
  copy->os_version = g_strdup (self->os_version);
  copy->distro = g_strdup (self->distro);
  copy->distro_version = g_strdup (self->distro_version);
  copy->distro_code_name = g_strdup (self->distro_code_name);
  copy->machine = g_strdup (self->machine);
  copy->go_arch = g_strdup (self->go_arch);
  copy->routable_ips
      = g_memdup2 (self->routable_ips, self->n_routable_ips * sizeof *self->routable_ips);
  copy->request_tags = g_strdupv (self->request_tags);
  copy->endpoints = g_memdup2 (self->endpoints, self->n_endpoints * sizeof *self->endpoints);
  return copy;
}

void
hn_hostinfo_free (HnHostinfo *self)
{
  if (self == NULL)
    return;
  g_free (self->host_name);
  g_free (self->os_version);
  g_free (self->distro);
  g_free (self->distro_version);
  g_free (self->distro_code_name);
  g_free (self->machine);
  g_free (self->go_arch);
  g_free (self->routable_ips);
  g_strfreev (self->request_tags);
  g_free (self->endpoints);
  g_free (self);
}

static gboolean
same_lists (char *const *a, char *const *b)
{
  static char *const none[] = { NULL };

  return g_strv_equal ((const char *const *) (a != NULL ? a : none),
                       (const char *const *) (b != NULL ? b : none));
}

gboolean
hn_hostinfo_equal (const HnHostinfo *a, const HnHostinfo *b)
{
  if (g_strcmp0 (a->host_name, b->host_name) != 0 || g_strcmp0 (a->os_version, b->os_version) != 0
      || g_strcmp0 (a->distro, b->distro) != 0
      || g_strcmp0 (a->distro_version, b->distro_version) != 0
      || g_strcmp0 (a->distro_code_name, b->distro_code_name) != 0
      || g_strcmp0 (a->machine, b->machine) != 0 || g_strcmp0 (a->go_arch, b->go_arch) != 0
      || !a->shields_up != !b->shields_up || !a->userspace != !b->userspace
      || !same_lists (a->request_tags, b->request_tags) || !a->has_net_info != !b->has_net_info
      || a->preferred_derp != b->preferred_derp || a->working_udp != b->working_udp
      || a->working_ipv6 != b->working_ipv6 || a->os_has_ipv6 != b->os_has_ipv6
      || a->mapping_varies != b->mapping_varies || a->n_routable_ips != b->n_routable_ips
      || a->n_endpoints != b->n_endpoints || !hn_disco_public_equal (&a->disco, &b->disco))
    return FALSE;
  for (gsize i = 0; i < a->n_routable_ips; i++)
    if (!hn_prefix_equal (&a->routable_ips[i], &b->routable_ips[i]))
      return FALSE;
  for (gsize i = 0; i < a->n_endpoints; i++)
    if (!hn_endpoint_equal (&a->endpoints[i].endpoint, &b->endpoints[i].endpoint)
        || a->endpoints[i].type != b->endpoints[i].type)
      return FALSE;
  return TRUE;
}
