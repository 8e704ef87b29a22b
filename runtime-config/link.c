/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/link.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "lib/loop.h"

#define REPLY_MAX 4096

static struct nlmsghdr *begin(union link_msg *m, uint16_t type, uint16_t flags) {
    memset(m, 0, sizeof(*m));
    struct nlmsghdr *h = mnl_nlmsg_put_header(m->bytes);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    return h;
}

static bool put_text(struct nlmsghdr *h, uint16_t type, const char *text) {
    return mnl_attr_put_strz_check(h, LINK_MSG_MAX, type, text);
}

static bool put_pid(struct nlmsghdr *h, uint32_t pid) {
    return pid == 0 || mnl_attr_put_u32_check(h, LINK_MSG_MAX, IFLA_NET_NS_PID, pid);
}

static bool put_data(struct nlmsghdr *h, const struct link_data *data) {
    if (data->len == 0)
        return true;
    struct nlattr *nest = mnl_attr_nest_start_check(h, LINK_MSG_MAX, IFLA_INFO_DATA);
    bool ok = nest != NULL;
    for (size_t i = 0; i < data->len && ok; i++)
        ok = data->v[i].bytes == 2
                 ? mnl_attr_put_u16_check(h, LINK_MSG_MAX, data->v[i].attr, (uint16_t)data->v[i].value)
                 : mnl_attr_put_u32_check(h, LINK_MSG_MAX, data->v[i].attr, data->v[i].value);
    if (ok)
        mnl_attr_nest_end(h, nest);
    return ok;
}

int link_msg_create(union link_msg *m, const struct link_plan *plan) {
    struct nlmsghdr *h = begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);

    if (!put_text(h, IFLA_IFNAME, plan->name) || !put_pid(h, plan->pid))
        return -EMSGSIZE;
    if (plan->parent && !mnl_attr_put_u32_check(h, LINK_MSG_MAX, IFLA_LINK, plan->parent))
        return -EMSGSIZE;
    struct nlattr *info = mnl_attr_nest_start_check(h, LINK_MSG_MAX, IFLA_LINKINFO);
    if (!info || !put_text(h, IFLA_INFO_KIND, plan->kind) || !put_data(h, &plan->data))
        return -EMSGSIZE;
    mnl_attr_nest_end(h, info);
    return 0;
}

/* The end that stays is the link that is asked for, the container's is its peer: so the kernel makes each in place. */
int link_msg_veth(union link_msg *m, const char *name, const char *peer, uint32_t pid) {
    struct nlmsghdr *h = begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);

    if (!put_text(h, IFLA_IFNAME, peer))
        return -EMSGSIZE;
    struct nlattr *info = mnl_attr_nest_start_check(h, LINK_MSG_MAX, IFLA_LINKINFO);
    if (!info || !put_text(h, IFLA_INFO_KIND, "veth"))
        return -EMSGSIZE;
    struct nlattr *data = mnl_attr_nest_start_check(h, LINK_MSG_MAX, IFLA_INFO_DATA);
    struct nlattr *end = data ? mnl_attr_nest_start_check(h, LINK_MSG_MAX, VETH_INFO_PEER) : NULL;
    if (!end || h->nlmsg_len + sizeof(struct ifinfomsg) > LINK_MSG_MAX)
        return -EMSGSIZE;
    (void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
    if (!put_text(h, IFLA_IFNAME, name) || !put_pid(h, pid))
        return -EMSGSIZE;
    mnl_attr_nest_end(h, end);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    return 0;
}

/* The kernel looks for the index, or without one for the name; what it has found by the index gets the name. */
int link_msg_move_as(union link_msg *m, unsigned index, const char *name, uint32_t pid) {
    struct nlmsghdr *h = begin(m, RTM_SETLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

    info->ifi_index = (int)index;
    return put_text(h, IFLA_IFNAME, name) && put_pid(h, pid) ? 0 : -EMSGSIZE;
}

int link_msg_move(union link_msg *m, const char *name, uint32_t pid) {
    return link_msg_move_as(m, 0, name, pid);
}

int link_msg_delete(union link_msg *m, unsigned index) {
    struct nlmsghdr *h = begin(m, RTM_DELLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

    info->ifi_index = (int)index;
    return 0;
}

int link_open(struct err *e) {
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const int on = 1;
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    /* Connected to the kernel, it hears nobody else. */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return err_errno(e, -errno, "could not open a netlink socket");
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)); /* an old kernel's errors are without words */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return steal_fd(&fd);
}

static int find_words(const struct nlattr *a, void *words) {
    if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
        *(const char **)words = mnl_attr_get_str(a);
    return MNL_CB_OK;
}

/* The kernel's words are attributes behind the error, and behind the request if that is quoted in full. */
static const char *words_of(const struct nlmsghdr *h, const struct nlmsgerr *error) {
    size_t offset = sizeof(*error);
    const char *words = NULL;

    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
        if (error->msg.nlmsg_len < NLMSG_HDRLEN || error->msg.nlmsg_len > h->nlmsg_len)
            return NULL;
        offset += error->msg.nlmsg_len - NLMSG_HDRLEN;
    }
    if (mnl_nlmsg_get_payload_len(h) < offset)
        return NULL;
    (void)mnl_attr_parse(h, (unsigned)offset, find_words, &words);
    return words;
}

/* 1: an answer to something else, or none at all. */
static int read_answer(const char *reply, size_t size, uint32_t seq, struct err *e) {
    const struct nlmsghdr *h = (const void *)reply;
    int left = (int)size;

    for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(h);
        if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq != seq || mnl_nlmsg_get_payload_len(h) < sizeof(*error))
            continue;
        if (error->error == 0)
            return 0;
        const char *words = words_of(h, error);
        if (words)
            return err_set(e, error->error, "%s (%s)", words, strerror(-error->error));
        return err_set(e, error->error, "%s", strerror(-error->error));
    }
    return 1;
}

static int wait_readable(int fd, uint64_t until_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t now = clock_ms();
    int n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

int link_talk(int fd, union link_msg *m, unsigned deadline_ms, struct err *e) {
    _Alignas(struct nlmsghdr) char reply[REPLY_MAX];
    uint64_t until = clock_ms() + deadline_ms;
    static uint32_t last_seq;
    ssize_t n;
    int r = 1;

    m->head.nlmsg_seq = ++last_seq;
    do
        n = send(fd, m->bytes, m->head.nlmsg_len, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(e, -errno, "%s", strerror(errno));
    while (r == 1) {
        r = wait_readable(fd, until);
        if (r < 0)
            return err_set(e, r, "%s", r == -ETIMEDOUT ? "the kernel does not answer" : strerror(-r));
        n = recv(fd, reply, sizeof(reply), 0);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_set(e, -errno, "%s", strerror(errno));
        if (n == 0)
            return err_set(e, -ECONNRESET, "%s", strerror(ECONNRESET));
        r = n < 0 ? 1 : read_answer(reply, (size_t)n, m->head.nlmsg_seq, e);
    }
    return r;
}
