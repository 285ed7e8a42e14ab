/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of headnetctl share: exit codes, the chosen tailnet, waiting for a change, and
 * output for people and for programs.
 */
#pragma once

#include "hn-client.h"

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
  HnClient *client; /* owned, NULL before hn_cli_connect() */
  char *tailnet;    /* --tailnet, nullable */
  gboolean json;
  gboolean news; /* the service said something since a wait last looked */
} HnCli;

/* The most that --ca takes, in bytes. */
#define HN_CLI_CA_MAX (256 * 1024)
/* For calls that may ask a person for a password first, in milliseconds. */
#define HN_CLI_CALL_TIMEOUT_MS 300000

typedef struct
{
  const char *name;
  const char *arguments; /* as the usage line shows them */
  const char *summary;   /* one line, untranslated */
  HnExit (*run) (HnCli *cli, int argc, char **argv);
} HnVerb;

/* One table a file, ended by a NULL name. */
extern const HnVerb hn_connection_verbs[];
extern const HnVerb hn_login_verbs[];
extern const HnVerb hn_show_verbs[];
extern const HnVerb hn_settings_verbs[];
extern const HnVerb hn_live_verbs[];

/* Parses the options of a verb and what all verbs have (--tailnet, --json, --help). @entries may be
 * NULL. FALSE after a usage error, which is printed. Leaves the other arguments in @argv from 1, all
 * of them UTF-8. */
gboolean hn_cli_parse (HnCli *cli, const HnVerb *verb, const GOptionEntry *entries, int *argc,
                       char ***argv);
/* Reaches the bus, and with @start also starts a service that does not run; for verbs that a person
 * wants to have an effect. Without, an absent service is no error. Complains when it fails. */
HnExit hn_cli_connect (HnCli *cli, gboolean start);
/* The verb of that name. */
const HnVerb *hn_cli_find_verb (const char *name);
/* The verb that somebody who typed @name may have meant, or NULL. */
const HnVerb *hn_cli_suggest_verb (const char *name);
/* Prints "headnetctl: MESSAGE" to stderr, cleaned. */
void hn_cli_complain (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* Prints the error and says which exit code it means. */
HnExit hn_cli_fail (const GError *error);
/* Complains about wrong arguments. */
HnExit hn_cli_usage (const HnVerb *verb, const char *message);
/* Complains that the service is absent, for verbs that only look. */
HnExit hn_cli_no_service (void);

/* The path of the chosen tailnet, or of the only one; NULL with the exit code in @code, complained.
 */
char *hn_cli_pick (HnCli *cli, HnExit *code);
/* The tailnet called so (name or id), NULL when there is none. */
char *hn_cli_find_tailnet (HnCli *cli, const char *name);
/* Its State, "" when there is no such tailnet. (transfer full) */
char *hn_cli_get_state (HnCli *cli, const char *path);
gboolean hn_cli_state_is (HnCli *cli, const char *path, const char *wanted);
/* What status of a state the exit code tells: 0, 3 or 4. */
HnExit hn_cli_code_of_state (const char *state);
/* Calls a method that answers nothing, and complains when it fails. */
HnExit hn_cli_call (HnCli *cli, const char *path, const char *method, GVariant *parameters);
/* Calls SetPreferences with one string. */
HnExit hn_cli_set_string (HnCli *cli, const char *path, const char *key, const char *value);
/* Adds a tailnet; all but @server may be NULL. Its path once the service shows it, or NULL with the
 * exit code in @code, complained. */
char *hn_cli_add_tailnet (HnCli *cli, const char *server, const char *name, const char *ca_file,
                          const char *host_name, HnExit *code);
/* The tailnets of that server; an address is the same with or without a final slash. (transfer full)
 * (element-type utf8) */
GPtrArray *hn_cli_find_by_server (HnCli *cli, const char *server);

/* Whether a sign-in waits for a person. */
gboolean hn_cli_login_is_pending (HnCli *cli, const char *path);
/* Login, at most @timeout_ms long, with a pre-auth key or NULL. A key that the server refuses is
 * HN_EXIT_NEEDS_LOGIN. */
HnExit hn_cli_login (HnCli *cli, const char *path, const char *key, gboolean accept_server_key,
                     int timeout_ms);
/* Shows where to sign in. */
HnExit hn_cli_show_login_url (HnCli *cli, const char *path);
/* A pre-auth key out of a file, "-" for standard input; NULL with the exit code, complained. Ends
 * with hn_cli_wipe(). */
char *hn_cli_read_key (const char *file, HnExit *code);
void hn_cli_wipe (char **secret);

/* Runs the main loop until @done says so. @timeout_s 0: for ever. FALSE on timeout, and when the bus
 * went away. Whenever the service says something, @done is asked again; it is never asked without
 * that, but for the first time. */
gboolean hn_cli_wait (HnCli *cli, gboolean (*done) (HnCli *cli, gpointer data), gpointer data,
                      guint timeout_s);

/* Reads a file, or standard input for "-", and strips white space at its ends; at most @max bytes.
 * The caller wipes it where it is a secret. */
char *hn_cli_read_file (const char *path, gsize max, GError **error);

/* A D-Bus value as one line of JSON on stdout. */
void hn_cli_print_json (GVariant *value);
/* Prints clean text and fills up to so many columns. */
void hn_cli_print_padded (const char *text, int columns);
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
/* Text from others on one line of a terminal: control characters, and those that change the
 * direction of writing or can not be seen, become "?". (transfer full) */
char *hn_clean (const char *text);
/* The sentence that explains the state: the health item that the reason names. (transfer full),
 * "" when all is well. */
char *hn_cli_explain_state (HnCli *cli, const char *path);
/* A QR code of half blocks for a terminal; nothing when it does not fit, or the terminal has no such
 * characters. */
void hn_cli_print_qr (const char *text);
