/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/auto.h"

#include <cmocka.h>

struct fixture {
    struct loop loop;
    struct loop_source a, b, timer, signals;
    int pipe_a[2], pipe_b[2];
    char order[16];
    unsigned calls;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f || loop_init(&f->loop) || pipe2(f->pipe_a, O_CLOEXEC) || pipe2(f->pipe_b, O_CLOEXEC))
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    loop_remove(&f->loop, &f->a);
    loop_remove(&f->loop, &f->b);
    loop_remove(&f->loop, &f->timer);
    loop_remove(&f->loop, &f->signals);
    loop_fini(&f->loop);
    for (int i = 0; i < 2; i++) {
        (void)close(f->pipe_a[i]);
        (void)close(f->pipe_b[i]);
    }
    free(f);
    return 0;
}

static void note(struct fixture *f, char c) {
    f->order[f->calls++] = c;
}

static void stop_timer(struct loop_source *s, void *data) {
    struct fixture *f = data;
    (void)s;
    note(f, 't');
    loop_stop(&f->loop);
}

static void read_a(struct loop_source *s, uint32_t events, void *data) {
    struct fixture *f = data;
    char c;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(s->fd, &c, 1), 1);
    note(f, 'a');
    loop_stop(&f->loop);
}

static void a_readable_descriptor_is_reported(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_fd(&f->loop, &f->a, f->pipe_a[0], EPOLLIN, read_a, f), 0);
    assert_int_equal(loop_add_fd(&f->loop, &f->a, f->pipe_b[0], EPOLLIN, read_a, f), -EEXIST);
    assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_string_equal(f->order, "a");
}

static void remove_both(struct loop_source *s, uint32_t events, void *data) {
    struct fixture *f = data;
    (void)s;
    (void)events;
    note(f, 'r');
    loop_remove(&f->loop, &f->a);
    loop_remove(&f->loop, &f->b);
    assert_int_equal(loop_set_timer(&f->loop, &f->timer, 0, stop_timer, f), 0);
}

static void a_removed_source_gets_no_event_of_the_same_batch(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_fd(&f->loop, &f->a, f->pipe_a[0], EPOLLIN, remove_both, f), 0);
    assert_int_equal(loop_add_fd(&f->loop, &f->b, f->pipe_b[0], EPOLLIN, remove_both, f), 0);
    assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
    assert_int_equal(write(f->pipe_b[1], "x", 1), 1);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_string_equal(f->order, "rt");
    assert_false(loop_has(&f->a));
    assert_false(loop_has(&f->b));
}

struct pair {
    struct loop *loop;
    struct loop_source *stop;
    struct fixture *fixture;
    struct loop_source *v[2];
};

static void free_both(struct loop_source *s, uint32_t events, void *data) {
    const struct pair *p = data;
    (void)s;
    (void)events;
    for (int i = 0; i < 2; i++) {
        loop_remove(p->loop, p->v[i]);
        free(p->v[i]);
    }
    assert_int_equal(loop_set_timer(p->loop, p->stop, 0, stop_timer, p->fixture), 0);
}

/* The sanitizer sees it if the loop looks at the one whose event was still to come. */
static void a_callback_may_free_any_source(void **state) {
    struct fixture *f = *state;
    struct pair p = {
        &f->loop, &f->timer, f, {calloc(1, sizeof(struct loop_source)), calloc(1, sizeof(struct loop_source))}};
    assert_true(p.v[0] && p.v[1]);
    assert_int_equal(loop_add_fd(&f->loop, p.v[0], f->pipe_a[0], EPOLLIN, free_both, &p), 0);
    assert_int_equal(loop_add_fd(&f->loop, p.v[1], f->pipe_b[0], EPOLLIN, free_both, &p), 0);
    assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
    assert_int_equal(write(f->pipe_b[1], "x", 1), 1);
    assert_int_equal(loop_run(&f->loop), 0);
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct fixture *f = data;
    (void)s;
    note(f, info->ssi_signo == SIGUSR1 ? '1' : '2');
}

static void signals_come_before_descriptors(void **state) {
    struct fixture *f = *state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    assert_int_equal(loop_add_fd(&f->loop, &f->a, f->pipe_a[0], EPOLLIN, read_a, f), 0);
    assert_int_equal(loop_add_signals(&f->loop, &f->signals, &set, on_signal, f), 0);
    assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_string_equal(f->order, "12a");
}

static void again(struct loop_source *s, void *data) {
    struct fixture *f = data;
    note(f, 'x');
    assert_false(loop_has(s));
    assert_int_equal(loop_set_timer(&f->loop, s, 1, stop_timer, f), 0);
}

static void a_timer_is_one_shot_and_may_be_set_again_from_its_callback(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_set_timer(&f->loop, &f->timer, 0, again, f), 0);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_string_equal(f->order, "xt");
    assert_false(loop_has(&f->timer));
}

static void rearm_other(struct loop_source *s, uint32_t events, void *data) {
    struct fixture *f = data;
    (void)events;
    note(f, 'a');
    loop_remove(&f->loop, s);
    assert_int_equal(loop_set_timer(&f->loop, &f->timer, 20, stop_timer, f), 0);
}

static void setting_a_timer_again_forgets_the_expiry_that_is_pending(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_fd(&f->loop, &f->a, f->pipe_a[0], EPOLLIN, rearm_other, f), 0);
    assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
    assert_int_equal(loop_set_timer(&f->loop, &f->timer, 0, again, f), 0);
    assert_int_equal(usleep(2000), 0);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_true(!strcmp(f->order, "at") || !strcmp(f->order, "xat") || !strcmp(f->order, "xtat"));
}

static void the_clock_goes_forward(void **state) {
    (void)state;
    uint64_t before = clock_ns();
    assert_true(clock_ns() >= before);
    assert_true(clock_ms() >= before / 1000000u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_readable_descriptor_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_source_gets_no_event_of_the_same_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_may_free_any_source, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_come_before_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_is_one_shot_and_may_be_set_again_from_its_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(setting_a_timer_again_forgets_the_expiry_that_is_pending, setup, teardown),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
