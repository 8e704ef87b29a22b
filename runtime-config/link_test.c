/* SPDX-License-Identifier: Apache-2.0 */
/* The messages byte by byte, and the kernel's answers played by the other end of a socket pair. */
#include "runtime-config/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cmocka.h>

#include "lib/loop.h"

#define HEAD(len, type, flags) len, 0, 0, 0, type, 0, (flags)&0xff, (flags) >> 8, 0, 0, 0, 0, 0, 0, 0, 0
#define INFO(index) 0, 0, 0, 0, index, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define ATTR(len, type) len, 0, type, 0
#define NEST(len, type) len, 0, type, 0x80
#define CREATE (NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
#define PLAIN (NLM_F_REQUEST | NLM_F_ACK)
#define PID 0x0102
#define PID_BYTES 2, 1, 0, 0

static void same(const union link_msg *m, const unsigned char *want, size_t len) {
    assert_int_equal(m->head.nlmsg_len, len);
    assert_memory_equal(m->bytes, want, len);
}

static int create(union link_msg *m, const char *name, const char *kind, uint32_t pid) {
    const struct link_plan plan = {.name = name, .kind = kind, .pid = pid};

    return link_msg_create(m, &plan);
}

static void a_link_of_some_kind(void **state) {
    static const unsigned char there[] = {HEAD(68, RTM_NEWLINK, CREATE),
                                          INFO(0),
                                          ATTR(8, IFLA_IFNAME),
                                          'w',
                                          'g',
                                          '0',
                                          0,
                                          ATTR(8, IFLA_NET_NS_PID),
                                          PID_BYTES,
                                          NEST(20, IFLA_LINKINFO),
                                          ATTR(14, IFLA_INFO_KIND),
                                          'w',
                                          'i',
                                          'r',
                                          'e',
                                          'g',
                                          'u',
                                          'a',
                                          'r',
                                          'd',
                                          0,
                                          0,
                                          0};
    static const unsigned char here[] = {HEAD(56, RTM_NEWLINK, CREATE),
                                         INFO(0),
                                         ATTR(7, IFLA_IFNAME),
                                         'd',
                                         '0',
                                         0,
                                         0,
                                         NEST(16, IFLA_LINKINFO),
                                         ATTR(10, IFLA_INFO_KIND),
                                         'd',
                                         'u',
                                         'm',
                                         'm',
                                         'y',
                                         0,
                                         0,
                                         0};
    union link_msg m;
    (void)state;
    assert_int_equal(create(&m, "wg0", "wireguard", PID), 0);
    same(&m, there, sizeof(there));
    assert_int_equal(create(&m, "d0", "dummy", 0), 0);
    same(&m, here, sizeof(here));
}

static void a_link_with_a_parent_and_more(void **state) {
    static const unsigned char want[] = {HEAD(92, RTM_NEWLINK, CREATE),
                                         INFO(0),
                                         ATTR(8, IFLA_IFNAME),
                                         'x',
                                         '.',
                                         '5',
                                         0,
                                         ATTR(8, IFLA_NET_NS_PID),
                                         PID_BYTES,
                                         ATTR(8, IFLA_LINK),
                                         3,
                                         0,
                                         0,
                                         0,
                                         NEST(36, IFLA_LINKINFO),
                                         ATTR(9, IFLA_INFO_KIND),
                                         'v',
                                         'l',
                                         'a',
                                         'n',
                                         0,
                                         0,
                                         0,
                                         0,
                                         NEST(20, IFLA_INFO_DATA),
                                         ATTR(6, 1),
                                         0x34,
                                         0x12,
                                         0,
                                         0,
                                         ATTR(8, 2),
                                         0x78,
                                         0x56,
                                         0x34,
                                         0x12};
    const struct link_plan plan = {
        .name = "x.5", .kind = "vlan", .pid = PID, .parent = 3, .data = {{{1, 2, 0x1234}, {2, 4, 0x12345678}}, 2}};
    union link_msg m;
    (void)state;
    assert_int_equal(link_msg_create(&m, &plan), 0);
    same(&m, want, sizeof(want));
}

static void a_pair_whose_peer_is_the_containers(void **state) {
    static const unsigned char want[] = {HEAD(100, RTM_NEWLINK, CREATE),
                                         INFO(0),
                                         ATTR(7, IFLA_IFNAME),
                                         'v',
                                         '1',
                                         0,
                                         0,
                                         NEST(60, IFLA_LINKINFO),
                                         ATTR(9, IFLA_INFO_KIND),
                                         'v',
                                         'e',
                                         't',
                                         'h',
                                         0,
                                         0,
                                         0,
                                         0,
                                         NEST(44, IFLA_INFO_DATA),
                                         NEST(40, 1 /* VETH_INFO_PEER */),
                                         INFO(0),
                                         ATTR(9, IFLA_IFNAME),
                                         'e',
                                         't',
                                         'h',
                                         '0',
                                         0,
                                         0,
                                         0,
                                         0,
                                         ATTR(8, IFLA_NET_NS_PID),
                                         PID_BYTES};
    union link_msg m;
    (void)state;
    assert_int_equal(link_msg_veth(&m, "eth0", "v1", PID), 0);
    same(&m, want, sizeof(want));
}

static void a_move_and_an_end(void **state) {
    static const unsigned char move[] = {
        HEAD(52, RTM_SETLINK, PLAIN), INFO(0),  ATTR(9, IFLA_IFNAME), 'e', 't', 'h', '1', 0, 0, 0, 0,
        ATTR(8, IFLA_NET_NS_PID),     PID_BYTES};
    static const unsigned char end[] = {HEAD(32, RTM_DELLINK, PLAIN), INFO(7)};
    union link_msg m;
    (void)state;
    assert_int_equal(link_msg_move(&m, "eth1", PID), 0);
    same(&m, move, sizeof(move));
    assert_int_equal(link_msg_delete(&m, 7), 0);
    same(&m, end, sizeof(end));
}

static void what_does_not_fit_is_refused(void **state) {
    char name[LINK_MSG_MAX];
    struct link_plan plan = {.name = "eth0", .parent = 1, .data = {{{1, 2, 1}, {2, 4, 2}}, 2}};
    union link_msg m;
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(create(&m, name, "dummy", 1), -EMSGSIZE);
    assert_int_equal(create(&m, "a", name, 1), -EMSGSIZE);
    assert_int_equal(link_msg_veth(&m, name, "a", 1), -EMSGSIZE);
    assert_int_equal(link_msg_veth(&m, "a", name, 1), -EMSGSIZE);
    assert_int_equal(link_msg_move(&m, name, 1), -EMSGSIZE);
    /* Wherever the end falls. */
    for (size_t len = 400; len < sizeof(name) - 1; len++) {
        name[len] = '\0';
        (void)link_msg_veth(&m, "eth0", name, 1);
        plan.kind = name;
        (void)link_msg_create(&m, &plan);
        name[len] = 'x';
    }
}

/* --- answers --- */

static int ours, kernels;

static int begin(void **state) {
    int pair[2];
    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    ours = pair[0];
    kernels = pair[1];
    return 0;
}

static int finish(void **state) {
    (void)state;
    return close(ours) < 0 || close(kernels) < 0 ? -1 : 0;
}

/* link_talk() numbers its messages one after another. */
static uint32_t next_seq(void) {
    static uint32_t seq;

    return ++seq;
}

static void answer(uint32_t seq, int error, bool quoted, const char *words) {
    union link_msg m = {0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(m.bytes);
    struct nlmsgerr *e = mnl_nlmsg_put_extra_header(h, sizeof(*e));

    h->nlmsg_type = NLMSG_ERROR;
    h->nlmsg_seq = seq;
    h->nlmsg_flags = (uint16_t)(quoted ? 0 : NLM_F_CAPPED);
    e->error = error;
    e->msg.nlmsg_len = NLMSG_HDRLEN + 24;
    if (quoted)
        (void)mnl_nlmsg_put_extra_header(h, 24);
    if (words) {
        h->nlmsg_flags |= NLM_F_ACK_TLVS;
        mnl_attr_put_u32(h, NLMSGERR_ATTR_OFFS, 16);
        mnl_attr_put_strz(h, NLMSGERR_ATTR_MSG, words);
    }
    assert_int_equal(send(kernels, m.bytes, h->nlmsg_len, 0), (ssize_t)h->nlmsg_len);
}

static int talk(unsigned deadline_ms, struct err *e) {
    union link_msg m;

    assert_int_equal(link_msg_move(&m, "eth0", 1), 0);
    return link_talk(ours, &m, deadline_ms, e);
}

static void yes_is_yes(void **state) {
    struct err e = {0};
    (void)state;
    uint32_t seq = next_seq();
    answer(seq - 1, -EPERM, false, "of an earlier request"); /* passed over */
    answer(seq, 0, false, NULL);
    assert_int_equal(talk(1000, &e), 0);
    assert_string_equal(e.msg, "");
}

static void no_is_told_in_the_kernels_words(void **state) {
    struct err e = {0};
    (void)state;
    answer(next_seq(), -EEXIST, false, NULL);
    assert_int_equal(talk(1000, &e), -EEXIST);
    assert_string_equal(e.msg, "File exists");
    answer(next_seq(), -EINVAL, false, "Not today");
    assert_int_equal(talk(1000, &e), -EINVAL);
    assert_string_equal(e.msg, "Not today (Invalid argument)");
    answer(next_seq(), -EINVAL, true, "Behind the quote");
    assert_int_equal(talk(1000, &e), -EINVAL);
    assert_string_equal(e.msg, "Behind the quote (Invalid argument)");
}

static void an_answer_that_lies_about_its_length_has_no_words(void **state) {
    union link_msg m = {0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(m.bytes);
    struct nlmsgerr *n = mnl_nlmsg_put_extra_header(h, sizeof(*n));
    struct err e = {0};
    (void)state;
    h->nlmsg_type = NLMSG_ERROR;
    h->nlmsg_seq = next_seq();
    h->nlmsg_flags = NLM_F_ACK_TLVS;
    n->error = -EPERM;
    n->msg.nlmsg_len = 4000;
    assert_int_equal(send(kernels, m.bytes, h->nlmsg_len, 0), (ssize_t)h->nlmsg_len);
    assert_int_equal(talk(1000, &e), -EPERM);
    assert_string_equal(e.msg, "Operation not permitted");
}

static void silence_ends(void **state) {
    struct err e = {0};
    (void)state;
    (void)next_seq();
    uint64_t start = clock_ms();
    assert_int_equal(talk(50, &e), -ETIMEDOUT);
    assert_in_range(clock_ms() - start, 50, 2000);
    assert_string_equal(e.msg, "the kernel does not answer");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_of_some_kind),
        cmocka_unit_test(a_link_with_a_parent_and_more),
        cmocka_unit_test(a_pair_whose_peer_is_the_containers),
        cmocka_unit_test(a_move_and_an_end),
        cmocka_unit_test(what_does_not_fit_is_refused),
        T(yes_is_yes),
        T(no_is_told_in_the_kernels_words),
        T(an_answer_that_lies_about_its_length_has_no_words),
        T(silence_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
