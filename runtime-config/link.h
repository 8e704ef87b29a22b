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
#define LINK_DATA_MAX 2

/* One request; the union aligns it. */
union link_msg {
    struct nlmsghdr head;
    char bytes[LINK_MSG_MAX];
};

/* What a kind of link has to be told: attributes of IFLA_INFO_DATA, of 2 or 4 bytes. */
struct link_datum {
    uint16_t attr;
    uint8_t bytes;
    uint32_t value;
};

struct link_data {
    struct link_datum v[LINK_DATA_MAX];
    size_t len;
};

struct link_plan {
    const char *name, *kind;
    uint32_t pid;    /* made in its network namespace; 0: in ours */
    uint32_t parent; /* index, in our namespace, of the link that it lies on; 0: none */
    struct link_data data;
};

int link_msg_create(union link_msg *m, const struct link_plan *plan);

/* A veth pair: `peer` in our namespace, `name` in that of pid. In one step: neither is seen where it does not belong.
 */
int link_msg_veth(union link_msg *m, const char *name, const char *peer, uint32_t pid);

/* The link of that name moves from our namespace to that of pid. */
int link_msg_move(union link_msg *m, const char *name, uint32_t pid);

/* The link with that index moves in the same way, and is called `name` from then on. */
int link_msg_move_as(union link_msg *m, unsigned index, const char *name, uint32_t pid);

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
