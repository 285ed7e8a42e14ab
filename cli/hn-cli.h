/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of headnetctl share: exit codes, the chosen tailnet, waiting for a change, and
 * output for people and for programs.
 */
#pragma once

#include "headnet-client-private.h"

/* The exit codes that scripts rely on. */
typedef enum
{
  HN_EXIT_DONE = 0,
  HN_EXIT_FAILED = 1,
  HN_EXIT_USAGE = 2,
  HN_EXIT_NOT_CONNECTED = 3,
  HN_EXIT_NEEDS_LOGIN = 4,
  HN_EXIT_NOT_AUTHORIZED = 5,
  HN_EXIT_NOT_FOUND = 6,
  HN_EXIT_TIMEOUT = 7,
  HN_EXIT_NO_SERVICE = 8,
} HnExit;

typedef struct
{
  HeadnetClient *client; /* owned */
  char *tailnet;         /* --tailnet, nullable */
  gboolean json;
} HnCli;

typedef struct
{
  const char *name;
  const char *arguments; /* as the usage line shows them */
  const char *summary;   /* one line, untranslated */
  HnExit (*run) (HnCli *cli, int argc, char **argv);
} HnVerb;

/* One table a file, ended by a NULL name. */
extern const HnVerb hn_connection_verbs[];
extern const HnVerb hn_show_verbs[];
extern const HnVerb hn_settings_verbs[];
extern const HnVerb hn_live_verbs[];

/* Parses the options of a verb and what all verbs have (--tailnet, --json, --help). @entries may be
 * NULL. FALSE after a usage error, which is printed. Leaves the other arguments in @argv from 1. */
gboolean hn_cli_parse (HnCli *cli, const HnVerb *verb, const GOptionEntry *entries, int *argc,
                       char ***argv);
/* The verb of that name. */
const HnVerb *hn_cli_find_verb (const char *name);
/* Prints "headnetctl: MESSAGE" to stderr. */
void hn_cli_complain (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* Prints the error and says which exit code it means. */
HnExit hn_cli_fail (const GError *error);
/* Complains about wrong arguments. */
HnExit hn_cli_usage (const HnVerb *verb, const char *message);

/* The path of the chosen tailnet, or of the only one; NULL with the exit code in @code, complained.
 */
char *hn_cli_pick (HnCli *cli, HnExit *code);
/* The tailnet called so (name or id), NULL when there is none. */
char *hn_cli_find_tailnet (HnCli *cli, const char *name);

/* Runs the main loop until @done says so. @timeout_s 0: for ever. FALSE on timeout. Whenever the
 * service says something, @done is asked again. */
gboolean hn_cli_wait (HnCli *cli, gboolean (*done) (HnCli *cli, gpointer data), gpointer data,
                      guint timeout_s);

/* Reads a file, or standard input for "-", and strips white space at its ends; at most @max bytes.
 * The caller wipes it where it is a secret. */
char *hn_cli_read_file (const char *path, gsize max, GError **error);

/* A D-Bus value as one line of JSON on stdout. */
void hn_cli_print_json (GVariant *value);
/* Look-ups in an a{sv}; "" , 0 or FALSE when absent. */
const char *hn_dict_string (GVariant *dict, const char *key);
gint64 hn_dict_int (GVariant *dict, const char *key);
gboolean hn_dict_boolean (GVariant *dict, const char *key);
/* The strings of an array, joined. (transfer full) */
char *hn_dict_join (GVariant *dict, const char *key, const char *separator);
/* "3 minutes ago", "in 2 days", "never" for 0. (transfer full) */
char *hn_format_time (gint64 seconds);
/* "12.3 ms". (transfer full) */
char *hn_format_latency (gint64 microseconds);
/* Text from others on a terminal: control characters become "?". (transfer full) */
char *hn_clean (const char *text);
/* The sentence that explains the state: the health item that the reason names. (transfer full),
 * "" when all is well. */
char *hn_cli_explain_state (HnCli *cli, const char *path);
/* A QR code of half blocks for a terminal; nothing when it does not fit. */
void hn_cli_print_qr (const char *text);
