/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fdstore.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"

static struct loop loop;
static struct fdstore store;

static int setup(void **state) {
    (void)state;
    return loop_init(&loop) < 0 ? -1 : fdstore_init(&store, &loop);
}

static int teardown(void **state) {
    (void)state;
    fdstore_fini(&store, &loop);
    loop_fini(&loop);
    return 0;
}

static int pipe_end(int *other) {
    int p[2];

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    *other = p[0];
    return p[1];
}

/* What a daemon's next life prints; it may use $FD_1 for what has key 1, and so on. */
static void assert_prints(const char *script, const char *want) {
    struct spawn s = SPAWN_INIT;
    char full[1024], out[256] = "";
    int status, r;

    (void)snprintf(full, sizeof(full),
                   "IFS=,; for f in $KEELSON_FDS; do eval FD_${f%%%%:*}=${f#*:}; done; unset IFS; %s", script);
    int w = pipe_end(&r);
    s.argv = (const char *const[]){"/bin/bash", "-c", full, NULL};
    s.stdout_fd = w;
    fdstore_prepare(&store, &s);
    assert_int_equal(spawn_wait(&s, 10000, &status, NULL), 0);
    assert_int_equal(close(w), 0);
    assert_true(read_full(r, out, sizeof(out) - 1) >= 0);
    assert_int_equal(close(r), 0);
    assert_string_equal(out, want);
}

static void a_descriptor_outlives_who_gave_it(void **state) {
    int r, w = pipe_end(&r);

    (void)state;
    assert_int_equal(write_full(w, "kept\n", 5), 0);
    assert_int_equal(fdstore_add(store.theirs, 1, r), 0);
    assert_int_equal(close(r) | close(w), 0);
    assert_prints("cat <&$FD_1; echo $((KEELSON_FDSTORE > 2))", "kept\n1\n");
}

static void a_key_is_replaced_and_removed(void **state) {
    int r, w = pipe_end(&r), r2, w2 = pipe_end(&r2);

    (void)state;
    assert_int_equal(fdstore_add(store.theirs, 1, w), 0);
    assert_int_equal(fdstore_add(store.theirs, 1, w2), 0);
    assert_int_equal(fdstore_add(store.theirs, 70000, w), 0);
    assert_int_equal(close(w) | close(w2), 0);
    assert_prints("echo new >&$FD_1; echo ${FD_70000:+there}", "there\n");
    assert_int_equal(fdstore_remove(store.theirs, 1), 0);
    assert_int_equal(fdstore_remove(store.theirs, 70000), 0);
    assert_int_equal(fdstore_remove(store.theirs, 5), 0);
    assert_prints("echo ${FD_1}${FD_70000}none", "none\n");
    char text[16] = "";
    assert_int_equal(read_full(r, text, sizeof(text)), 0); /* the end: nobody has it any more */
    assert_int_equal(read_full(r2, text, sizeof(text)), 4);
    assert_int_equal(close(r) | close(r2), 0);
}

static void the_loop_takes_messages(void **state) {
    int r, w = pipe_end(&r);

    (void)state;
    assert_int_equal(fdstore_add(store.theirs, 9, w), 0);
    assert_int_equal(close(w), 0);
    store.source.cb.fd_fn(&store.source, EPOLLIN, store.source.data);
    assert_int_equal(store.len, 1);
    assert_int_equal(store.kept[0].key, 9);
    assert_int_equal(close(r), 0);
}

static void there_is_a_bound(void **state) {
    AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    log_set_fd(-1);
    for (uint32_t key = 0; key < FDSTORE_MAX + 3; key++) {
        assert_int_equal(fdstore_add(store.theirs, key, fd), 0);
        store.source.cb.fd_fn(&store.source, EPOLLIN, store.source.data);
    }
    log_set_fd(2);
    assert_int_equal(store.len, FDSTORE_MAX);
}

static void nonsense_is_not_kept(void **state) {
    const struct fdstore_msg without_fd = {FDSTORE_ADD, 1}, unknown = {77, 1};

    (void)state;
    assert_int_equal(write(store.theirs, &without_fd, sizeof(without_fd)), sizeof(without_fd));
    assert_int_equal(write(store.theirs, &unknown, sizeof(unknown)), sizeof(unknown));
    assert_int_equal(write(store.theirs, "abc", 3), 3);
    assert_prints("echo $KEELSON_FDS", "\n");
    assert_int_equal(store.len, 0);
}

static unsigned found;

static void on_fd(void *data, uint32_t key, int fd) {
    (void)data;
    assert_int_equal(key, 3);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    found++;
}

static void the_next_life_reads_its_list(void **state) {
    AUTO_CLOSE int fd = open("/dev/null", O_RDONLY);
    char list[64];

    (void)state;
    assert_int_equal(fdstore_socket(), -1);
    (void)snprintf(list, sizeof(list), "3:%d,4:999999,junk", fd);
    assert_int_equal(setenv("KEELSON_FDS", list, 1), 0);
    fdstore_each(on_fd, NULL);
    assert_int_equal(unsetenv("KEELSON_FDS"), 0);
    fdstore_each(on_fd, NULL);
    assert_int_equal(found, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_descriptor_outlives_who_gave_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_replaced_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_loop_takes_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_life_reads_its_list, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
