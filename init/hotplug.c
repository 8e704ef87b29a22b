/* SPDX-License-Identifier: Apache-2.0 */
#include "init/hotplug.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define UEVENT_MAX 8192
#define KERNEL_GROUP 1

bool uevent_wants_module(const char *msg, size_t len) {
    bool added = false, has_alias = false;

    for (size_t i = 0; i < len; i += strnlen(msg + i, len - i) + 1) {
        added |= len - i > 10 && !strncmp(msg + i, "ACTION=add", 11);
        has_alias |= len - i > 9 && !strncmp(msg + i, "MODALIAS=", 9);
    }
    return added && has_alias;
}

static void on_uevent(struct loop_source *s, uint32_t events, void *data) {
    struct hotplug *h = data;
    char msg[UEVENT_MAX];
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof(from);
    bool wanted = false;

    (void)events;
    for (;;) {
        ssize_t n = recvfrom(s->fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOBUFS) {
            wanted = true; /* some were lost: look at everything */
            continue;
        }
        if (n < 0)
            break;
        if (from.nl_pid == 0) /* from the kernel, not from a process */
            wanted |= uevent_wants_module(msg, (size_t)n);
    }
    if (wanted)
        h->fn(h->data);
}

int hotplug_start(struct hotplug *h, struct loop *l, hotplug_fn *fn, void *data) {
    const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};

    *h = (struct hotplug){.fn = fn, .data = data};
    h->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (h->fd < 0)
        return -errno;
    int r = bind(h->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
    if (!r)
        r = loop_add_fd(l, &h->source, h->fd, EPOLLIN, on_uevent, h);
    if (r < 0) {
        (void)close(h->fd);
        h->fd = -1;
    }
    return r;
}
