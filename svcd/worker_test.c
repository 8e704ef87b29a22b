/* SPDX-License-Identifier: Apache-2.0 */
/* Its child is this program: main() says what it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "svcd/worker.h"

#undef WORKER_MS
#define WORKER_MS (hurry ? 20 : 20000)
static bool hurry;

#include "svcd/worker.c" /* NOLINT(bugprone-suspicious-include): with less patience */

#define GIVE_UP_MS 30000
#define HANGS "/hangs/www" /* bundles */
#define ENDS "/ends/www"

static struct loop loop;
static struct loop_source guard;
static struct grpc *connection;
static struct service s;

static void enter(struct service *service, enum life l) {
    (void)service;
    (void)l;
}

static void stop_probe(struct service *service) {
    (void)service;
}

static void set_timer(struct service *service, enum service_timer t, uint64_t ms) {
    (void)service;
    (void)t;
    (void)ms;
}

static const struct service_ops fake = {
    .enter = enter, .stop_probe = stop_probe, .now_ms = clock_ms, .set_timer = set_timer};

static void changed(struct service *service, void *data) {
    (void)service;
    (void)data;
    loop_stop(&loop);
}

static void gave_up(struct loop_source *src, void *data) {
    (void)src;
    (void)data;
    fail_msg("nothing came within %d ms", GIVE_UP_MS);
}

/* In the kernel, in a call to a device that hangs, no signal reaches the child. */
static bool unkillable;

int kill(pid_t pid, int signo) {
    return unkillable ? 0 : (int)syscall(SYS_kill, pid, signo);
}

static int begin(void **state) {
    struct err e = {0};
    (void)state;
    log_set_fd(-1);
    unkillable = false;
    if (loop_init(&loop) < 0 || service_init(&s, "/ends", "www", &loop, &connection, changed, NULL, &e) < 0)
        return -1;
    s.ops = &fake;
    return loop_set_timer(&loop, &guard, GIVE_UP_MS, gave_up, NULL);
}

static int finish(void **state) {
    (void)state;
    service_fini(&s);
    loop_remove(&loop, &guard);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

static void start(const char *bundle, bool in_hurry) {
    struct err e = {0};

    hurry = in_hurry;
    free(s.bundle);
    s.bundle = strdup(bundle);
    s.life = LIFE_PREPARE;
    s.record = (struct life_record){.wanted = true};
    assert_int_equal(worker_start(&s, WORKER_PREPARE, &e), 0);
}

/* Until the service is somewhere else. */
static void prepare(const char *bundle, bool in_hurry) {
    start(bundle, in_hurry);
    while (s.life == LIFE_PREPARE)
        assert_int_equal(loop_run(&loop), 0);
}

static void its_end_leads_on(void **state) {
    (void)state;
    prepare(ENDS, false);
    assert_int_equal(s.life, LIFE_CREATE);
    assert_null(s.worker);
}

static void one_that_hangs_has_failed_in_its_time(void **state) {
    (void)state;
    unkillable = true;
    prepare(HANGS, true);
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_non_null(strstr(s.error, "it took longer than"));
    pid_t pid = s.worker->pid;
    prepare(ENDS, true); /* no other beside it */
    assert_int_equal(s.life, LIFE_BACKOFF);
    assert_non_null(strstr(s.error, "an earlier attempt hangs"));
    assert_int_equal(s.worker->pid, pid);
    unkillable = false;
    worker_stop(&s);
    prepare(ENDS, false); /* begins behind its end */
    assert_int_equal(s.life, LIFE_CREATE);
    assert_null(s.worker);
}

static void nobody_waits_for_the_end_of_one_that_is_stopped(void **state) {
    (void)state;
    unkillable = true;
    start(HANGS, false);
    worker_stop(&s);
    assert_non_null(s.worker);
    worker_fini(&s); /* it ends with this program */
    assert_null(s.worker);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(int argc, char **argv) {
    bool is_child = argc == 5 && !strcmp(argv[0], WORKER_NAME);
    const struct CMUnitTest tests[] = {
        T(its_end_leads_on),
        T(one_that_hangs_has_failed_in_its_time),
        T(nobody_waits_for_the_end_of_one_that_is_stopped),
    };

    while (is_child && !strcmp(argv[2], HANGS))
        (void)pause();
    return is_child ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
