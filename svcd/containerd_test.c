/* SPDX-License-Identifier: Apache-2.0 */
/* The end of containerd, with another program in its place. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "svcd/containerd.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

static struct loop loop;
static struct containerd c;
static int ready, lost, ended;

static void on_ready(void *data) {
    (void)data;
    ready++;
}

static void on_lost(void *data) {
    (void)data;
    lost++;
}

static void on_ended(void *data) {
    (void)data;
    ended++;
    loop_stop(&loop);
}

static int begin(void **state) {
    static const char *const stubborn[] = {"/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done", NULL};
    struct spawn sp = SPAWN_INIT;
    int out[2];
    char byte;
    (void)state;
    ready = lost = ended = 0;
    log_set_fd(-1);
    if (loop_init(&loop) < 0 || pipe(out) < 0)
        return -1;
    containerd_init(&c, &loop, on_ready, on_lost, on_ended, NULL);
    sp.argv = stubborn;
    sp.stdout_fd = out[1];
    sp.setsid = true;
    int r = spawn(&sp, &c.pid, &c.pidfd, NULL);
    (void)close(out[1]);
    if (!r && read(out[0], &byte, 1) != 1) /* it does not heed SIGTERM from here on */
        r = -1;
    (void)close(out[0]);
    c.wanted = true;
    return r < 0 ? r : watch(&c);
}

static int finish(void **state) {
    (void)state;
    if (c.pid > 0) {
        signal_process(&c, SIGKILL);
        (void)waitpid(c.pid, NULL, 0);
        loop_remove(&loop, &c.death);
        (void)close(c.pidfd);
    }
    loop_remove(&loop, &c.timer);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

static void what_does_not_stop_is_killed(void **state) {
    (void)state;
    containerd_stop(&c);
    assert_int_equal(ended, 0);
    assert_ptr_equal(c.timer.cb.timer_fn, on_stop_timer);
    on_stop_timer(&c.timer, &c); /* the time is over */
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(ended, 1);
    assert_int_equal(c.pid, 0);
    assert_int_equal(c.pidfd, -1);
    assert_false(loop_has(&c.timer)); /* it is not started again */
}

/* The answer to the first call may come, or fail, after the stop: the deadline of the stop must stay. */
static void an_answer_after_the_stop_changes_nothing(void **state) {
    const struct grpc_result fails = {.status = -ETIMEDOUT, .error = "no answer in time"};
    const struct grpc_result serves = {.status = GRPC_OK, .error = ""};
    (void)state;
    containerd_stop(&c);
    on_pong(&c, &fails);
    assert_ptr_equal(c.timer.cb.timer_fn, on_stop_timer);
    on_pong(&c, &serves);
    assert_int_equal(ready, 0);
    assert_false(c.ready);
}

static void an_unexpected_end_is_followed_by_a_start(void **state) {
    (void)state;
    c.ready = true;
    signal_process(&c, SIGKILL);
    on_death(&c.death, EPOLLIN, &c); /* waits for the killed one */
    assert_int_equal(lost, 1);
    assert_int_equal(ended, 0);
    assert_int_equal(c.pid, 0);
    assert_ptr_equal(c.timer.cb.timer_fn, on_restart_timer);
    assert_int_equal(c.delay_ms, DELAY_MIN_MS);
}

static void used_processor_time_is_seen(void **state) {
    const uint64_t before = processor_used_ns(getpid());
    (void)state;
    while (processor_used_ns(getpid()) == before && clock() < 60 * CLOCKS_PER_SEC)
        continue;
    assert_true(processor_used_ns(getpid()) > before);
    assert_int_equal(processor_used_ns(0), 0);
}

/* One that is frozen takes connections and answers nothing. */
static void one_without_a_sign_of_life_is_killed(void **state) {
    const struct grpc_result silent = {.status = -ETIMEDOUT, .error = "no answer in time"};
    const struct grpc_result answers = {.status = GRPC_OK, .error = ""};
    (void)state;
    c.ready = c.doubted = true;
    on_sign(&c, &answers);
    assert_false(c.doubted);
    assert_int_equal(kill(c.pid, 0), 0);
    c.doubted = true;
    c.doubted_ms = clock_ms() - 10000;
    c.used_ns = processor_used_ns(c.pid) - 1; /* it uses next to nothing */
    on_sign(&c, &silent);
    on_death(&c.death, EPOLLIN, &c);
    assert_int_equal(lost, 1);
    assert_ptr_equal(c.timer.cb.timer_fn, on_restart_timer);
    assert_string_equal(containerd_trouble(&c), "containerd gives no sign of life for 10 s");
}

static void one_that_does_not_serve_is_named_and_then_killed(void **state) {
    (void)state;
    c.started_ms = clock_ms();
    on_slow(&c.slow, &c);
    assert_true(loop_has(&c.slow));
    assert_int_equal(kill(c.pid, 0), 0);
    assert_non_null(strstr(containerd_trouble(&c), "does not serve"));
    c.started_ms = clock_ms() - CONTAINERD_START_MS;
    on_slow(&c.slow, &c);
    on_death(&c.death, EPOLLIN, &c);
    assert_ptr_equal(c.timer.cb.timer_fn, on_restart_timer);
    assert_false(loop_has(&c.slow));
}

/* It may take the next connection, and never answer there. */
static void one_that_breaks_the_connection_has_to_serve_again(void **state) {
    (void)state;
    c.ready = true;
    on_connection_lost(&c);
    assert_int_equal(lost, 1);
    assert_true(loop_has(&c.slow));
    loop_remove(&loop, &c.slow);
    on_connection_lost(&c); /* it is being waited for already */
    assert_false(loop_has(&c.slow));
}

static void what_is_the_matter_is_known(void **state) {
    (void)state;
    assert_string_equal(containerd_trouble(&c), "containerd is starting");
    c.ready = true;
    assert_string_equal(containerd_trouble(&c), "");
    c.ready = c.wanted = false;
    assert_string_equal(containerd_trouble(&c), "containerd was not started yet");
    c.wanted = true;
}

static void the_pause_grows_to_its_bound(void **state) {
    unsigned last = 0;
    (void)state;
    for (int i = 0; i < 12; i++) {
        start_later(&c);
        assert_true(c.delay_ms >= last);
        last = c.delay_ms;
    }
    assert_int_equal(last, DELAY_MAX_MS);
}

/* --- its socket --- */

static int open_descriptors(void) {
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* containerd makes its folder if it is not there, binds, and sets the mode of the socket when it listens. */
static int serve_in(const char *dir) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)mkdir(dir, 0711);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" SOCKET_NAME, dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(chmod(addr.sun_path, 0660), 0);
    return fd;
}

static void socket_is_gone(int fd) {
    struct grpc *g = c.grpc;
    char path[128];

    c.grpc = NULL;
    grpc_close(g);
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/" SOCKET_NAME, c.socket_dir);
    (void)unlink(path);
}

static void stop_turn(struct loop_source *src, void *data) {
    (void)src;
    (void)data;
    loop_stop(&loop);
}

/* Lets the loop do what there is to do: shorter than the pause before svcd looks by itself. */
static void turn(void) {
    struct loop_source timer = LOOP_SOURCE_INIT;

    assert_int_equal(loop_set_timer(&loop, &timer, 20, stop_turn, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
    loop.stopped = false;
}

static char folder[64];

/* It waits for the socket of a containerd that is starting. */
static void waits_for_its_socket(void) {
    char parent[] = "/tmp/containerd_test.XXXXXX";

    assert_non_null(mkdtemp(parent));
    (void)snprintf(folder, sizeof(folder), "%s/containerd", parent);
    c.socket_dir = folder;
    begin_connecting(&c);
    turn();
    assert_null(c.grpc);
    assert_false(loop_has(&c.timer)); /* it is told, and does not look again and again */
}

static void folder_is_done_with(void) {
    loop_remove(&loop, &c.slow);
    loop_remove(&loop, &c.socket_seen);
    (void)close(c.inotify_fd);
    c.inotify_fd = -1;
    assert_int_equal(rmdir(folder), 0);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(rmdir(folder), 0);
}

static void a_socket_is_seen_when_it_comes(void **state) {
    (void)state;
    waits_for_its_socket();
    int fd = serve_in(folder);
    turn();
    assert_non_null(c.grpc);
    socket_is_gone(fd);
    folder_is_done_with();
}

static void a_folder_that_is_removed_and_made_anew_is_watched(void **state) {
    (void)state;
    waits_for_its_socket();
    int before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rmdir(folder), 0);
        turn();
        int fd = serve_in(folder);
        turn();
        assert_non_null(c.grpc);
        socket_is_gone(fd);
        turn();
    }
    assert_int_equal(open_descriptors(), before);
    assert_false(loop_has(&c.timer));
    folder_is_done_with();
}

/* All of it is over when svcd comes to it. */
static void a_folder_that_was_replaced_with_its_socket_is_watched(void **state) {
    char old[80];
    (void)state;
    waits_for_its_socket();
    assert_int_equal(rmdir(folder), 0);
    int fd = serve_in(folder);
    turn();
    assert_non_null(c.grpc);
    socket_is_gone(fd);
    turn();
    (void)snprintf(old, sizeof(old), "%s.old", folder);
    assert_int_equal(rename(folder, old), 0);
    turn();
    fd = serve_in(folder);
    turn();
    assert_non_null(c.grpc);
    socket_is_gone(fd);
    assert_int_equal(rmdir(old), 0);
    folder_is_done_with();
}

/* While nobody waited for a socket: the next containerd's is seen. */
static void the_next_containerd_is_seen_in_a_new_folder(void **state) {
    (void)state;
    waits_for_its_socket();
    loop_remove(&loop, &c.socket_seen); /* what it is told is not heard */
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(loop_add_fd(&loop, &c.socket_seen, c.inotify_fd, EPOLLIN, on_socket_seen, &c), 0);
    begin_connecting(&c);
    int fd = serve_in(folder);
    turn();
    assert_non_null(c.grpc);
    socket_is_gone(fd);
    folder_is_done_with();
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_does_not_stop_is_killed),
        T(an_answer_after_the_stop_changes_nothing),
        T(an_unexpected_end_is_followed_by_a_start),
        cmocka_unit_test(used_processor_time_is_seen),
        T(one_without_a_sign_of_life_is_killed),
        T(one_that_does_not_serve_is_named_and_then_killed),
        T(one_that_breaks_the_connection_has_to_serve_again),
        T(what_is_the_matter_is_known),
        T(the_pause_grows_to_its_bound),
        T(a_socket_is_seen_when_it_comes),
        T(a_folder_that_is_removed_and_made_anew_is_watched),
        T(a_folder_that_was_replaced_with_its_socket_is_watched),
        T(the_next_containerd_is_seen_in_a_new_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
