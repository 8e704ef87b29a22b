/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "lib/log.h"

#define MAX 8

static struct service s[MAX];
static size_t len;
static char said[2048];

static void hear(const char *line, size_t n) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)n, line);
}

static void add(const char *name, const char *const *after, size_t n) {
    struct service *it = &s[len++];

    *it = (struct service){.settled = false};
    (void)snprintf(it->name, sizeof(it->name), "%s", name);
    policy_init(&it->policy);
    it->policy.after = (struct strings){(const char **)(uintptr_t)after, n};
}

#define ADD(name, ...)                                                                                                 \
    do {                                                                                                               \
        static const char *const list[] = {__VA_ARGS__};                                                               \
        add(name, list, ARRAY_SIZE(list));                                                                             \
    } while (0)

static int begin(void **state) {
    (void)state;
    len = 0;
    said[0] = '\0';
    log_set_sink(hear);
    return 0;
}

static int finish(void **state) {
    (void)state;
    for (size_t i = 0; i < len; i++) {
        free(s[i].after);
        free(s[i].before);
    }
    log_set_sink(NULL);
    return 0;
}

static void runs(struct service *it) {
    it->life = LIFE_RUNNING;
    it->settled = true;
}

static void a_chain_starts_from_its_head_and_stops_from_its_end(void **state) {
    (void)state;
    ADD("web", "app");
    ADD("app", "db", "cache", "db");
    add("db", NULL, 0);
    add("cache", NULL, 0);
    assert_int_equal(order_resolve(s, len), 0);
    assert_string_equal(said, "");
    assert_int_equal(s[1].after_len, 2); /* db is there once */
    assert_true(order_may_start(&s[2]) && order_may_start(&s[3]));
    assert_false(order_may_start(&s[1]) || order_may_start(&s[0]));
    runs(&s[2]);
    assert_false(order_may_start(&s[1]));
    runs(&s[3]);
    assert_true(order_may_start(&s[1]));
    runs(&s[1]);
    runs(&s[0]);
    assert_true(order_may_stop(&s[0]));
    assert_false(order_may_stop(&s[1]) || order_may_stop(&s[2]) || order_may_stop(&s[3]));
    s[0].life = LIFE_DOWN;
    assert_true(order_may_stop(&s[1]));
    assert_false(order_may_stop(&s[2]));
    s[1].life = LIFE_FAILED;
    assert_true(order_may_stop(&s[2]) && order_may_stop(&s[3]));
}

static void ready_counts_and_not_running(void **state) {
    (void)state;
    ADD("web", "db");
    add("db", NULL, 0);
    assert_int_equal(order_resolve(s, len), 0);
    runs(&s[1]);
    s[1].health.now = HEALTH_STARTING;
    assert_false(order_may_start(&s[0]));
    s[1].health.now = HEALTH_READY;
    assert_true(order_may_start(&s[0]));
}

static void who_does_not_come_up_is_not_waited_for(void **state) {
    static const enum life results[] = {LIFE_DOWN, LIFE_FAILED, LIFE_BACKOFF};
    (void)state;
    ADD("web", "db");
    add("db", NULL, 0);
    assert_int_equal(order_resolve(s, len), 0);
    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        s[1].life = results[i];
        s[1].settled = false; /* it has not tried */
        assert_false(order_may_start(&s[0]));
        s[1].settled = true;
        assert_true(order_may_start(&s[0]));
        s[1].queued = true; /* it will be started in a moment */
        assert_int_equal(order_may_start(&s[0]), false);
        s[1].queued = false;
    }
}

static void an_unknown_name_is_said_and_nobody_waits_for_it(void **state) {
    (void)state;
    ADD("web", "nosuch");
    assert_int_equal(order_resolve(s, len), 0);
    assert_non_null(strstr(said, "service web: there is no service \"nosuch\" to start after"));
    assert_true(order_may_start(&s[0]));
}

static void a_circle_is_named_and_opened_and_the_rest_keeps_its_order(void **state) {
    (void)state;
    ADD("a", "b", "first");
    ADD("b", "c");
    ADD("c", "a");
    add("first", NULL, 0);
    ADD("behind", "a");
    assert_int_equal(order_resolve(s, len), 0);
    assert_non_null(strstr(said, "in a circle: a, b, c; they start"));
    assert_false(order_may_start(&s[0])); /* still behind first */
    assert_true(order_may_start(&s[1]) && order_may_start(&s[2]) && order_may_start(&s[3]));
    assert_false(order_may_start(&s[4]));
    runs(&s[3]);
    assert_true(order_may_start(&s[0]));
    runs(&s[0]);
    assert_true(order_may_start(&s[4]));
    s[4].life = LIFE_RUNNING;
    assert_false(order_may_stop(&s[0]));
    assert_true(order_may_stop(&s[1]) && order_may_stop(&s[2]));
}

static void who_waits_for_itself_does_not(void **state) {
    (void)state;
    ADD("narcissus", "narcissus");
    assert_int_equal(order_resolve(s, len), 0);
    assert_non_null(strstr(said, "circle: narcissus;"));
    assert_true(order_may_start(&s[0]));
}

static void a_stop_takes_as_long_as_the_longest_chain(void **state) {
    const uint64_t kill_ms = life_deadline_ms(LIFE_KILLING);
    (void)state;
    add("alone", NULL, 0);
    ADD("web", "db");
    add("db", NULL, 0);
    s[0].policy.stop_timeout_ms = 12000;
    s[1].policy.stop_timeout_ms = 1000;
    s[2].policy.stop_timeout_ms = 20000;
    assert_int_equal(order_resolve(s, len), 0);
    assert_int_equal(order_stop_ms(s, len), 21000 + 2 * kill_ms);
    assert_int_equal(order_stop_ms(s, 1), 12000 + kill_ms);
    assert_int_equal(order_stop_ms(s, 0), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_chain_starts_from_its_head_and_stops_from_its_end),
        T(ready_counts_and_not_running),
        T(who_does_not_come_up_is_not_waited_for),
        T(an_unknown_name_is_said_and_nobody_waits_for_it),
        T(a_circle_is_named_and_opened_and_the_rest_keeps_its_order),
        T(who_waits_for_itself_does_not),
        T(a_stop_takes_as_long_as_the_longest_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
