/* SPDX-License-Identifier: Apache-2.0 */
/* What one svcd keeps, the next one knows. */
#include "svcd/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"

static char dir[32], path[64];
static struct loop loop;
static struct grpc *connection;
static struct service a, b;

static void changed(struct service *s, void *data) {
    (void)s;
    (void)data;
}

static int make(struct service *s) {
    struct err e = {0};

    return service_init(s, "/x", "www", &loop, &connection, changed, NULL, &e);
}

static int setup(void **state) {
    (void)state;
    log_set_fd(-1);
    (void)snprintf(dir, sizeof(dir), "/tmp/memory_test.XXXXXX");
    if (!mkdtemp(dir) || loop_init(&loop) < 0 || make(&a) < 0 || make(&b) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/www", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    service_fini(&a);
    service_fini(&b);
    loop_fini(&loop);
    (void)unlink(path);
    log_set_fd(2);
    return rmdir(dir);
}

static void a_running_one(struct service *s) {
    s->life = LIFE_RUNNING;
    s->record = (struct life_record){.wanted = true, .attempts = 3};
    s->alive = s->unfit = true;
    s->pid = 4711;
    s->started_ms = 123456;
    s->restarts = 7;
    s->exit_known = true;
    s->exit_status = 137;
    (void)snprintf(s->exit_reason, sizeof(s->exit_reason), "was killed: out of memory");
    (void)snprintf(s->error, sizeof(s->error), "it was killed: out of memory");
    s->cgroup = strdup("/services.linuxkit/www");
    s->oom_kills = 2;
}

static void all_of_it_is_known_again(void **state) {
    (void)state;
    a_running_one(&a);
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.life, LIFE_DETACHED); /* to be looked for */
    assert_true(b.record.wanted && b.alive && b.unfit && b.exit_known);
    assert_false(b.record.failed || b.restart || b.settled);
    assert_int_equal(b.record.attempts, 3);
    assert_int_equal(b.pid, 4711);
    assert_int_equal(b.started_ms, 123456);
    assert_int_equal(b.restarts, 7);
    assert_int_equal(b.exit_status, 137);
    assert_string_equal(b.exit_reason, "was killed: out of memory");
    assert_string_equal(b.error, "it was killed: out of memory");
    assert_string_equal(b.cgroup, "/services.linuxkit/www");
    assert_int_equal(b.oom_kills, 2);
}

static void one_that_was_not_ready_is_not_ready_yet(void **state) {
    (void)state;
    a_running_one(&a);
    b.policy.ready.kind = PROBE_TCP;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.health.now, HEALTH_NONE);
    a.health.now = HEALTH_STARTING;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.health.now, HEALTH_STARTING);
}

static void one_that_is_down_or_has_failed_is_that_again(void **state) {
    (void)state;
    a.life = LIFE_FAILED;
    (void)snprintf(a.error, sizeof(a.error), "bytes that are no text: \xff\xfe");
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.life, LIFE_FAILED);
    assert_true(b.record.failed && b.settled);
    assert_false(b.exit_known);
    assert_string_equal(b.error, "bytes that are no text: ??");
    a.life = LIFE_DOWN;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.life, LIFE_DOWN);
    a.queued = true; /* it is down, and will not stay so */
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.life, LIFE_DETACHED);
}

static void a_stop_that_is_under_way_is_not_forgotten(void **state) {
    (void)state;
    a_running_one(&a);
    a.life = LIFE_STOPPING;
    a.record.wanted = false;
    a.restart = true;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_true(!b.record.wanted && b.restart && b.alive);
}

static void one_that_comes_back_is_not_missed_until_then(void **state) {
    (void)state;
    a_running_one(&a);
    memory_keep_for_return(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_true(b.record.wanted);
    assert_false(b.alive);
}

static void a_pause_that_svcd_does_not_outlive_counts_as_a_restart(void **state) {
    (void)state;
    a_running_one(&a);
    a.life = LIFE_BACKOFF;
    a.again = true;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.restarts, 8);
    assert_int_equal(b.record.attempts, 3);
}

static void what_is_the_same_is_written_once(void **state) {
    struct stat first, second;
    (void)state;
    a_running_one(&a);
    memory_keep(dir, &a);
    assert_int_equal(stat(path, &first), 0);
    memory_keep(dir, &a);
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    a.restarts++;
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_int_equal(b.restarts, 8);
}

/* The longest that a service can hold is read again. */
static void the_longest_fits(void **state) {
    (void)state;
    a_running_one(&a);
    memset(a.error, 1, sizeof(a.error) - 1); /* six bytes each, in JSON */
    memset(a.exit_reason, 1, sizeof(a.exit_reason) - 1);
    memory_keep(dir, &a);
    assert_true(memory_take_over(dir, &b));
    assert_string_equal(a.error, b.error);
}

static void nonsense_is_not_heeded(void **state) {
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"state\":\"up\"}",
        "{\"state\":\"sideways\",\"wanted\":true,\"restart\":false,\"alive\":true,\"pid\":1,\"started_ms\":1,"
        "\"restarts\":0,\"attempts\":0,\"exit_status\":null,\"last_exit\":\"\",\"last_error\":\"\",\"cgroup\":\"\","
        "\"oom_kills\":0}",
        "{\"state\":\"up\",\"wanted\":true,\"restart\":false,\"alive\":true,\"pid\":-1,\"started_ms\":1,"
        "\"restarts\":0,\"attempts\":0,\"exit_status\":null,\"last_exit\":\"\",\"last_error\":\"\",\"cgroup\":\"\","
        "\"oom_kills\":0}",
    };
    (void)state;
    assert_false(memory_take_over(dir, &b)); /* there is no file */
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(write_file_atomic(path, texts[i], strlen(texts[i]), 0644, false, NULL), 0);
        assert_false(memory_take_over(dir, &b));
        assert_int_equal(b.life, LIFE_DOWN);
        assert_int_equal(b.pid, 0);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(all_of_it_is_known_again),
        T(one_that_was_not_ready_is_not_ready_yet),
        T(one_that_is_down_or_has_failed_is_that_again),
        T(a_stop_that_is_under_way_is_not_forgotten),
        T(one_that_comes_back_is_not_missed_until_then),
        T(a_pause_that_svcd_does_not_outlive_counts_as_a_restart),
        T(what_is_the_same_is_written_once),
        T(the_longest_fits),
        T(nonsense_is_not_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
