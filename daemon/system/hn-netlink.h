/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rtnetlink socket for requests: dumps, single queries, and batches of changes, of which only the
 * last message asks for an acknowledgement, so that thousands of routes cost few system calls. The
 * kernel answers while it takes a request; nothing here waits for the network.
 */
#pragma once

#include <gio/gio.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

typedef struct _HnNetlink HnNetlink;

/* One message of an answer; @message is valid during the call only. */
typedef void (*HnNetlinkVisit) (struct nlmsghdr *message, gpointer user);

/*
 * hn_netlink_new:
 * @error: return location for an error
 *
 * Opens a socket in the current network name space.
 */
HnNetlink *hn_netlink_new (GError **error);
void hn_netlink_free (HnNetlink *self);

/* The port id that the kernel puts into notifications of our own changes. */
guint32 hn_netlink_get_port (HnNetlink *self);
/* How many changes were sent so far; queries and dumps do not count. */
guint64 hn_netlink_get_n_changes (HnNetlink *self);

/*
 * hn_netlink_dump:
 * @message: (transfer full): a request; NLM_F_DUMP is added
 * @visit: called for each object, once the whole dump was consistent
 * @error: return location for an error
 */
gboolean hn_netlink_dump (HnNetlink *self, struct nl_msg *message, HnNetlinkVisit visit,
                          gpointer user, GError **error);

/*
 * hn_netlink_query:
 * @message: (transfer full): a request with a single object as its answer
 *
 * Returns: 0, or a negative errno of the kernel's
 */
int hn_netlink_query (HnNetlink *self, struct nl_msg *message, HnNetlinkVisit visit, gpointer user);

/*
 * hn_netlink_queue:
 * @message: (transfer full): a change
 * @tolerated: an errno that counts as success, such as EEXIST; 0 none
 * @what: static text for the error, such as "add a route"
 *
 * Puts a change into the batch; a full batch is sent at once.
 */
void hn_netlink_queue (HnNetlink *self, struct nl_msg *message, int tolerated, const char *what);

/*
 * hn_netlink_flush:
 * @error: return location for an error
 *
 * Sends what is queued and reads the answers.
 *
 * Returns: FALSE if any change since the last flush failed; the first failure is told
 */
gboolean hn_netlink_flush (HnNetlink *self, GError **error);

/* Fills @error from an errno value: no permission, device gone, or plainly failed. */
void hn_netlink_set_error (GError **error, int code, const char *what);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetlink, hn_netlink_free)
