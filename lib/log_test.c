/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int fds[2];

static int setup(void **state) {
    (void)state;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return -1;
    log_set_fd(fds[1]);
    log_init("prog", LOG_LEVEL_INFO);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    log_set_fd(STDERR_FILENO);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return 0;
}

static const char *said(void) {
    static char out[4096];
    ssize_t n = read(fds[0], out, sizeof(out) - 1);
    out[n < 0 ? 0 : n] = '\0';
    return out;
}

static void one_line_with_program_and_level(void **state) {
    (void)state;
    log_error("could not open %s: %s", "/x", "why");
    assert_string_equal(said(), "prog: could not open /x: why\n");
    log_warning("w");
    assert_string_equal(said(), "prog: warning: w\n");
    log_info("i");
    assert_string_equal(said(), "prog: info: i\n");
}

static void above_the_level_is_silent(void **state) {
    (void)state;
    log_debug("d");
    assert_string_equal(said(), "");
    assert_false(log_shows(LOG_LEVEL_DEBUG));
    assert_true(log_shows(LOG_LEVEL_INFO));
}

static void errno_is_kept(void **state) {
    (void)state;
    errno = ENOTDIR;
    log_error("x");
    assert_int_equal(errno, ENOTDIR);
    assert_string_equal(said(), "prog: x\n");
}

static void long_lines_are_cut_and_end_in_a_newline(void **state) {
    char text[3000];
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("%s", text);
    const char *out = said();
    assert_true(strlen(out) <= 1024);
    assert_int_equal(out[strlen(out) - 1], '\n');
}

static void control_bytes_do_not_reach_the_terminal(void **state) {
    (void)state;
    log_error("name \x1b[2J\nfake: line \xc2\x9b"
              "2J \xc3\xa9");
    assert_string_equal(said(), "prog: name ?[2J?fake: line ??2J \xc3\xa9\n");
}

static void a_full_descriptor_drops_and_counts(void **state) {
    (void)state;
    unsigned long before = log_dropped();
    for (int i = 0; i < 20000; i++)
        log_error("filling the pipe with lines until it is full");
    assert_true(log_dropped() > before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line_with_program_and_level, setup, teardown),
        cmocka_unit_test_setup_teardown(above_the_level_is_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(errno_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_are_cut_and_end_in_a_newline, setup, teardown),
        cmocka_unit_test_setup_teardown(control_bytes_do_not_reach_the_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_descriptor_drops_and_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
