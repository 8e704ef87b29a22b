/* SPDX-License-Identifier: Apache-2.0 */
/* Who is started when: containerd comes and goes, svcd is started again, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svcd/svcd.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

static char dir[] = "/tmp/svcd_test.XXXXXX";
static struct svcd d;

static void fake_enter(struct service *s, enum life l) {
    if (l == LIFE_PREPARE)
        service_event(s, LIFE_EV_OK);
}

static const struct service_ops fake = {fake_enter};

/* A svcd that has just been started, with containerd on its way. */
static void fresh_with(const char *const *names, size_t len) {
    struct err e = {0};

    d = (struct svcd){.down_dir = dir};
    assert_int_equal(loop_init(&d.loop), 0);
    containerd_init(&d.containerd, &d.loop, on_containerd_ready, on_containerd_lost, on_containerd_ended, &d);
    d.containerd.wanted = true; /* it is not started here */
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        d.control.clients[i].fd = -1;
    d.services = calloc(len, sizeof(*d.services));
    assert_non_null(d.services);
    for (size_t i = 0; i < len; i++) {
        struct service *s = &d.services[i];
        assert_int_equal(service_init(s, "/x", names[i], &d.loop, &d.containerd.grpc, on_service_changed, &d, &e), 0);
        s->ops = &fake;
    }
    d.services_len = len;
}

static void fresh(void) {
    fresh_with((const char *const[]){"oneshot", "www"}, 2);
}

static void gone(void) {
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    loop_fini(&d.loop);
}

static void comes_up(struct service *s) {
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        service_event(s, LIFE_EV_OK);
    assert_int_equal(s->life, LIFE_RUNNING);
}

static void ends(struct service *s, uint32_t status) {
    service_exited(s, status);
    service_event(s, LIFE_EV_OK);
    service_event(s, LIFE_EV_OK);
}

/* system-init is asked for, containerd answers, both run, the one-shot has done its work. */
static void boot(void) {
    fresh();
    svcd_system_init(&d);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
    on_containerd_ready(&d);
    comes_up(&d.services[0]);
    comes_up(&d.services[1]);
    ends(&d.services[0], 0);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    return 0;
}

static int finish(void **state) {
    AUTO_NAMES struct names names = {0};
    (void)state;
    gone();
    log_set_fd(2);
    if (list_dir(dir, &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        if (!path || unlink(path) < 0)
            return -1;
    }
    return 0;
}

static void nothing_starts_unasked(void **state) {
    (void)state;
    fresh();
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
}

static void only_so_many_start_at_once_and_all_do_in_the_end(void **state) {
    static char numbers[200][8];
    const char *names[ARRAY_SIZE(numbers)];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "s%03zu", i);
        names[i] = numbers[i];
    }
    fresh_with(names, ARRAY_SIZE(names));
    svcd_system_init(&d);
    d.containerd.ready = true;
    on_containerd_ready(&d);
    assert_true(starts_max() < ARRAY_SIZE(names));
    for (size_t i = 0; i < d.services_len; i++) {
        size_t left = d.services_len - i;
        assert_int_equal(on_their_way(&d), left < starts_max() ? left : starts_max());
        comes_up(&d.services[i]);
    }
    assert_int_equal(on_their_way(&d), 0);
}

static void a_containerd_that_comes_back_starts_nothing_that_is_down(void **state) {
    (void)state;
    boot();
    on_containerd_lost(&d);
    assert_int_equal(d.services[1].life, LIFE_DETACHED);
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
}

/* svcd was killed: a one-shot that is done is not run once more, what was stopped stays so, the rest is adopted. */
static void the_next_svcd_starts_nothing_that_was_down(void **state) {
    (void)state;
    boot();
    gone();
    fresh();
    svcd_system_init(&d);
    d.resumes = true;
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_true(d.services[0].settled);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    svcd_system_init(&d); /* who asks by name gets it */
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_ADOPT);
}

static void what_was_started_again_is_not_remembered_as_down(void **state) {
    (void)state;
    boot();
    service_start(&d.services[0]);
    gone();
    fresh();
    svcd_system_init(&d);
    d.resumes = true;
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_ADOPT);
}

static void the_end_waits_for_the_services_then_for_containerd(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    stop(&d);
    assert_int_equal(d.services[1].life, LIFE_STOPPING);
    assert_true(d.containerd.wanted);
    ends(&d.services[1], 143);
    assert_false(d.containerd.wanted); /* told to stop */
    assert_true(d.loop.stopped);       /* and there is no process to wait for */
}

/* Told to end while the machine goes on, svcd is started again, and what ran comes back. */
static void what_the_end_of_svcd_took_down_comes_back(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    stop(&d);
    ends(&d.services[1], 143);
    gone();
    fresh();
    svcd_system_init(&d);
    d.resumes = true;
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
}

static void without_containerd_nothing_is_waited_for(void **state) {
    (void)state;
    boot();
    on_containerd_lost(&d);
    stop(&d);
    assert_true(d.loop.stopped);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(nothing_starts_unasked),
        T(only_so_many_start_at_once_and_all_do_in_the_end),
        T(a_containerd_that_comes_back_starts_nothing_that_is_down),
        T(the_next_svcd_starts_nothing_that_was_down),
        T(what_was_started_again_is_not_remembered_as_down),
        T(the_end_waits_for_the_services_then_for_containerd),
        T(what_the_end_of_svcd_took_down_comes_back),
        T(without_containerd_nothing_is_waited_for),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
