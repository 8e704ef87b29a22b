/* SPDX-License-Identifier: Apache-2.0 */
/* When it is said that the machine is up, and what of failures is noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/timeline.h"
#include "svcd/svcd.h"

static char dir[] = "/tmp/up_test.XXXXXX";
static char *file, *timeline;
static struct svcd d;
static struct service services[2];

static int setup(void **state) {
    (void)state;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    if (!mkdtemp(dir))
        return -1;
    file = path_join(dir, "up");
    timeline = path_join(dir, "boot.json");
    d = (struct svcd){.services = services, .services_len = 2};
    for (size_t i = 0; i < 2; i++)
        services[i] = (struct service){.name = {(char)('a' + (int)i)}, .life = LIFE_ADOPT, .health.now = HEALTH_NONE};
    up_init(&d.up, &d, file, timeline);
    return loop_init(&d.loop);
}

static int teardown(void **state) {
    (void)state;
    loop_remove(&d.loop, &d.up.timer);
    loop_fini(&d.loop);
    (void)unlink(file);
    (void)unlink(timeline);
    free(file);
    free(timeline);
    return rmdir(dir);
}

static bool is_up(void) {
    return access(file, F_OK) == 0;
}

static void becomes(struct service *s, enum life life, uint64_t age_ms) {
    s->life = life;
    s->entered_ns = clock_ns() - age_ms * 1000000;
    up_changed(&d.up, s);
}

static void fails(struct service *s, enum life life) {
    s->record.failed = true;
    (void)snprintf(s->error, sizeof(s->error), "it exited with status 1");
    becomes(s, life, 0);
}

/* Stages of that name in the timeline, and whether the last of them is ok. */
static unsigned stages(const char *name, bool *ok) {
    AUTO_JSON json_t *doc = NULL;
    unsigned n = 0;
    size_t i;
    const json_t *s;

    if (json_load_path(timeline, TIMELINE_MAX_BYTES, &doc, NULL) < 0)
        return 0;
    json_array_foreach(json_object_get(doc, "stages"), i, s) {
        if (strcmp(json_string_value(json_object_get(s, "stage")), name) != 0)
            continue;
        n++;
        *ok = json_is_true(json_object_get(s, "ok"));
    }
    return n;
}

/* The names that the last stage says it waited for. */
static char *after_of(const char *name) {
    AUTO_JSON json_t *doc = NULL;
    char *names = NULL;
    size_t i;
    const json_t *s;

    assert_int_equal(json_load_path(timeline, TIMELINE_MAX_BYTES, &doc, NULL), 0);
    json_array_foreach(json_object_get(doc, "stages"), i, s) {
        if (strcmp(json_string_value(json_object_get(s, "stage")), name) == 0) {
            free(names);
            names = json_dumps(json_object_get(s, "after"), JSON_COMPACT);
        }
    }
    return names;
}

static void it_waits_for_every_service(void **state) {
    (void)state;
    bool ok = false;
    becomes(&services[0], LIFE_RUNNING, 5000);
    becomes(&services[1], LIFE_RUNNING, 5000);
    assert_false(is_up()); /* nobody has asked yet: more may come */
    services[1].life = LIFE_START;
    up_begin(&d.up);
    assert_false(is_up());
    becomes(&services[1], LIFE_RUNNING, 5000);
    assert_true(is_up());
    assert_int_equal(stages("services", &ok), 1);
    assert_true(ok);
}

static void who_is_not_ready_is_waited_for(void **state) {
    (void)state;
    services[0].health.now = HEALTH_STARTING;
    up_begin(&d.up);
    becomes(&services[1], LIFE_RUNNING, 5000);
    becomes(&services[0], LIFE_RUNNING, 5000);
    assert_false(is_up());
    services[0].health.now = HEALTH_READY;
    up_changed(&d.up, &services[0]);
    assert_true(is_up());
}

static void who_has_a_health_check_is_waited_for_until_it_tells(void **state) {
    (void)state;
    services[0].policy.health.kind = PROBE_EXEC;
    services[0].health.now = HEALTH_READY;
    up_begin(&d.up);
    becomes(&services[1], LIFE_RUNNING, 5000);
    becomes(&services[0], LIFE_RUNNING, 5000);
    assert_false(is_up()); /* nobody has looked yet */
    services[0].health.now = HEALTH_FAILING;
    up_changed(&d.up, &services[0]);
    assert_false(is_up());
    services[0].health.now = HEALTH_HEALTHY;
    up_changed(&d.up, &services[0]);
    assert_true(is_up());
}

static void one_that_runs_on_unhealthy_has_failed(void **state) {
    (void)state;
    bool ok = true;
    services[0].policy.health.kind = PROBE_EXEC;
    services[0].health.now = HEALTH_UNHEALTHY;
    (void)snprintf(services[0].health_error, sizeof(services[0].health_error), "no answer");
    up_begin(&d.up);
    becomes(&services[1], LIFE_RUNNING, 5000);
    becomes(&services[0], LIFE_RUNNING, 0);
    assert_true(is_up());
    assert_int_equal(stages("services/a", &ok), 1);
    assert_false(ok);
}

static void what_has_just_started_may_still_fall_over(void **state) {
    (void)state;
    up_begin(&d.up);
    becomes(&services[0], LIFE_RUNNING, 5000);
    becomes(&services[1], LIFE_RUNNING, 0);
    assert_false(is_up());
    assert_true(loop_has(&d.up.timer));
    services[1].entered_ns = clock_ns() - 2000 * UINT64_C(1000000);
    up_changed(&d.up, &services[1]);
    assert_true(is_up());
}

static void one_that_fails_for_good_or_is_done_is_waited_for_no_more(void **state) {
    (void)state;
    bool ok = true;
    up_begin(&d.up);
    becomes(&services[0], LIFE_DOWN, 0);
    fails(&services[1], LIFE_FAILED);
    assert_true(is_up());
    assert_int_equal(stages("services/b", &ok), 1);
    assert_false(ok);
}

static void one_that_ends_again_and_again_is_waited_for_three_times(void **state) {
    (void)state;
    bool ok = true;
    up_begin(&d.up);
    becomes(&services[0], LIFE_RUNNING, 5000);
    for (unsigned i = 1; i <= UP_FAULTS_MAX; i++) {
        assert_false(is_up());
        fails(&services[1], LIFE_BACKOFF);
        up_changed(&d.up, &services[1]); /* told twice: one end */
    }
    assert_true(is_up());
    fails(&services[1], LIFE_BACKOFF);
    assert_int_equal(stages("services/b", &ok), UP_FAULTS_MAX);
    assert_false(ok);
}

static void who_has_recovered_is_told_so(void **state) {
    (void)state;
    bool ok = false;
    up_begin(&d.up);
    becomes(&services[0], LIFE_RUNNING, 5000);
    fails(&services[1], LIFE_BACKOFF);
    services[1].record.failed = false;
    becomes(&services[1], LIFE_RUNNING, 5000);
    assert_true(is_up());
    assert_int_equal(stages("services/b", &ok), 2);
    assert_true(ok);
}

static void without_containerd_it_does_not_wait_for_ever(void **state) {
    (void)state;
    d.start_due = true;
    d.containerd.start_faults = UP_FAULTS_MAX - 1;
    up_begin(&d.up);
    assert_false(is_up());
    d.containerd.start_faults++;
    up_changed(&d.up, &services[0]);
    assert_true(is_up());
}

static void a_stage_tells_whom_the_service_waited_for(void **state) {
    struct service *before[] = {&services[1]};
    (void)state;
    fails(&services[0], LIFE_BACKOFF);
    AUTO_FREE char *alone = after_of("services/a");
    assert_string_equal(alone, "[\"containerd\"]");
    services[0].after = before;
    services[0].after_len = 1;
    fails(&services[0], LIFE_BACKOFF);
    AUTO_FREE char *behind = after_of("services/a");
    assert_string_equal(behind, "[\"services/b\"]");
}

static void it_is_said_once(void **state) {
    (void)state;
    becomes(&services[0], LIFE_DOWN, 0);
    becomes(&services[1], LIFE_DOWN, 0);
    up_begin(&d.up);
    assert_true(is_up());
    up_init(&d.up, &d, file, timeline); /* a svcd that was started again */
    up_begin(&d.up);
    bool ok;
    assert_int_equal(stages("services", &ok), 1);
}

#define UP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        UP_TEST(it_waits_for_every_service),
        UP_TEST(who_is_not_ready_is_waited_for),
        UP_TEST(who_has_a_health_check_is_waited_for_until_it_tells),
        UP_TEST(one_that_runs_on_unhealthy_has_failed),
        UP_TEST(what_has_just_started_may_still_fall_over),
        UP_TEST(one_that_fails_for_good_or_is_done_is_waited_for_no_more),
        UP_TEST(one_that_ends_again_and_again_is_waited_for_three_times),
        UP_TEST(who_has_recovered_is_told_so),
        UP_TEST(without_containerd_it_does_not_wait_for_ever),
        UP_TEST(a_stage_tells_whom_the_service_waited_for),
        UP_TEST(it_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
