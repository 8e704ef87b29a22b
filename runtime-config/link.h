/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network interfaces by netlink: the messages (pure), and one request with one answer. The kernel does what it is
 * asked inside of send(2); only the wait for its answer has to be bounded, and is. One descriptor, close-on-exec.
 */
#ifndef RUNTIME_CONFIG_LINK_H
#define RUNTIME_CONFIG_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "lib/err.h"

#define LINK_MSG_MAX 512
#define LINK_NAME_MAX 15 /* the kernel's IFNAMSIZ without the end */
#define LINK_KIND_MAX 32 /* "wireguard", "bridge", ... */
#define LINK_DEADLINE_MS 5000

/* One request; the union aligns it. */
union link_msg {
    struct nlmsghdr head;
    char bytes[LINK_MSG_MAX];
};

/* A link of that kind, in the network namespace of pid; pid 0: in ours. */
int link_msg_create(union link_msg *m, const char *name, const char *kind, uint32_t pid);

/* A veth pair: `peer` in our namespace, `name` in that of pid. In one step: neither is seen where it does not belong.
 */
int link_msg_veth(union link_msg *m, const char *name, const char *peer, uint32_t pid);

/* The link of that name moves from our namespace to that of pid. */
int link_msg_move(union link_msg *m, const char *name, uint32_t pid);

/* The link with that index, of our namespace, and the other end of a veth with it. */
int link_msg_delete(union link_msg *m, unsigned index);

/* A socket to the kernel's rtnetlink, for the network namespace we are in. Returns a descriptor or a negative errno. */
int link_open(struct err *e);

/*
 * Sends the message and waits for the answer, at most deadline_ms (-ETIMEDOUT). On an error of the kernel *e has its
 * own words for it, if it gave any, and the error's.
 */
int link_talk(int fd, union link_msg *m, unsigned deadline_ms, struct err *e);

#endif
