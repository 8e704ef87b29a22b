/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of the table, with what it needs, what it does not have, and the ends of its numbers. */
#include "runtime-config/link_kind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_link.h>

#include <cmocka.h>

#define NO_ID LINK_NO_ID

static const struct {
    const char *kind;
    struct link_words words;
    struct link_data want;
} good[] = {
    {"dummy", {false, NO_ID, NULL}, {.len = 0}},
    {"some-kind", {true, NO_ID, NULL}, {.len = 0}},
    {"macvlan", {true, NO_ID, NULL}, {.len = 0}},
    {"macvlan", {true, NO_ID, "private"}, {{{IFLA_MACVLAN_MODE, 4, 1}}, 1}},
    {"macvlan", {true, NO_ID, "vepa"}, {{{IFLA_MACVLAN_MODE, 4, 2}}, 1}},
    {"macvlan", {true, NO_ID, "bridge"}, {{{IFLA_MACVLAN_MODE, 4, 4}}, 1}},
    {"macvtap", {true, NO_ID, "passthru"}, {{{IFLA_MACVLAN_MODE, 4, 8}}, 1}},
    {"ipvlan", {true, NO_ID, "l2"}, {{{IFLA_IPVLAN_MODE, 2, 0}}, 1}},
    {"ipvlan", {true, NO_ID, "l3"}, {{{IFLA_IPVLAN_MODE, 2, 1}}, 1}},
    {"ipvtap", {true, NO_ID, "l3s"}, {{{IFLA_IPVLAN_MODE, 2, 2}}, 1}},
    {"vlan", {true, 1, NULL}, {{{IFLA_VLAN_ID, 2, 1}}, 1}},
    {"vlan", {true, 4094, NULL}, {{{IFLA_VLAN_ID, 2, 4094}}, 1}},
    {"vxlan", {false, 0xffffff, NULL}, {{{IFLA_VXLAN_ID, 4, 0xffffff}}, 1}},
    {"vxlan", {true, 1, NULL}, {{{IFLA_VXLAN_ID, 4, 1}}, 1}},
    {"vrf", {false, 10, NULL}, {{{IFLA_VRF_TABLE, 4, 10}}, 1}},
};

static const struct {
    const char *kind;
    struct link_words words;
    const char *error;
} bad[] = {
    {"macvlan", {false, NO_ID, NULL}, "$.x.parent is missing: a link of kind macvlan lies on another one"},
    {"ipvtap", {false, NO_ID, "l2"}, "$.x.parent is missing: a link of kind ipvtap lies on another one"},
    {"vlan", {false, 5, NULL}, "$.x.parent is missing: a link of kind vlan lies on another one"},
    {"vlan", {true, NO_ID, NULL}, "$.x.id is missing: a link of kind vlan has a number"},
    {"vxlan", {true, NO_ID, NULL}, "$.x.id is missing: a link of kind vxlan has a number"},
    {"vlan", {true, 0, NULL}, "$.x.id is not a number from 1 to 4094"},
    {"vlan", {true, 4095, NULL}, "$.x.id is not a number from 1 to 4094"},
    {"vlan", {true, -1, NULL}, "$.x.id is not a number from 1 to 4094"},
    {"vxlan", {false, 0x1000000, NULL}, "$.x.id is not a number from 1 to 16777215"},
    {"vrf", {false, (int64_t)1 << 32, NULL}, "$.x.id is not a number from 1 to 4294967294"},
    {"dummy", {false, 5, NULL}, "$.x.id: a link of kind dummy has no number"},
    {"macvlan", {true, 5, NULL}, "$.x.id: a link of kind macvlan has no number"},
    {"bridge", {false, NO_ID, "l2"}, "$.x.mode: a link of kind bridge has none"},
    {"vlan", {true, 5, "bridge"}, "$.x.mode: a link of kind vlan has none"},
    {"macvlan", {true, NO_ID, "l2"}, "$.x.mode is not private, vepa, bridge or passthru: \"l2\""},
    {"macvlan", {true, NO_ID, ""}, "$.x.mode is not private, vepa, bridge or passthru: \"\""},
    {"ipvlan", {true, NO_ID, "L2"}, "$.x.mode is not l2, l3 or l3s: \"L2\""},
};

static void what_a_kind_needs_becomes_attributes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct link_data got;
        struct err e = {0};
        if (link_kind_take(good[i].kind, &good[i].words, "$.x", &got, &e) < 0)
            fail_msg("%s: %s", good[i].kind, e.msg);
        assert_int_equal(got.len, good[i].want.len);
        for (size_t k = 0; k < got.len; k++) {
            assert_int_equal(got.v[k].attr, good[i].want.v[k].attr);
            assert_int_equal(got.v[k].bytes, good[i].want.v[k].bytes);
            assert_int_equal(got.v[k].value, good[i].want.v[k].value);
        }
    }
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct link_data got;
        struct err e = {0};
        assert_int_equal(link_kind_take(bad[i].kind, &bad[i].words, "$.x", &got, &e), -EINVAL);
        assert_string_equal(e.msg, bad[i].error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_kind_needs_becomes_attributes),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
