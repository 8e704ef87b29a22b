/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 and its workers read from /proc, and what they write to consoles. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/console.h"
#include "init/holders.h"
#include "init/unmount.h"
#include "lib/auto.h"

static void a_process_may_have_any_name(void **state) {
    struct holder h;
    (void)state;
    assert_true(holder_parse("12 (a) b) (c) D 1 12 12 0 -1 4194304 100 0", &h));
    assert_int_equal(h.pid, 12);
    assert_string_equal(h.name, "a) b) (c");
    assert_int_equal(h.state, 'D');
    assert_false(holder_is_kernel_thread(&h));
    assert_true(holder_parse("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0", &h));
    assert_true(holder_is_kernel_thread(&h));
}

static void what_is_no_stat_line_is_refused(void **state) {
    struct holder h;
    (void)state;
    for (const char *const *bad = (const char *const[]){"", "x (a) S 1", "5", "5 (a", "5 (a)", "5 (a) S 1 2", NULL};
         *bad; bad++)
        assert_false(holder_parse(*bad, &h));
}

static void mount_points_are_unescaped(void **state) {
    char line[] = "/dev/vda1 /mnt/a\\040b\\134c ext4 rw,relatime 0 0";
    char cut[] = "tmpfs /run";
    char *where, *type;
    (void)state;
    assert_true(mount_parse(line, &where, &type));
    assert_string_equal(where, "/mnt/a b\\c");
    assert_string_equal(type, "ext4");
    assert_false(mount_parse(cut, &where, &type));
}

static void a_console_that_takes_nothing_is_told_what_it_missed(void **state) {
    int fds[2];
    char out[70000];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct console c = {.fd = fds[1]};
    for (int i = 0; i < 10000; i++)
        console_write(&c, "a line of text\n", 15);
    assert_true(c.lost > 0);
    unsigned long lost = c.lost;
    while (read(fds[0], out, sizeof(out)) > 0)
        ;
    console_write(&c, "again\n", 6);
    ssize_t n = read(fds[0], out, sizeof(out) - 1);
    assert_true(n > 0);
    out[n] = '\0';
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "init: %lu lines lost: this console took none\nagain\n", lost);
    assert_string_equal(out, expected);
    assert_int_equal(c.lost, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* A terminal whose other end is closed answers EIO, as one does that was hung up. */
static void a_console_that_was_hung_up_is_opened_anew(void **state) {
    struct console c = {.path = "/tmp/console_test.XXXXXX"};
    char out[64];
    (void)state;
    AUTO_CLOSE int file = mkstemp(c.path);
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(file >= 0 && master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    c.fd = open(ptsname(master), O_WRONLY | O_NOCTTY | O_NONBLOCK);
    assert_true(c.fd >= 0);
    (void)close(master);
    console_write(&c, "a line\n", 7);
    assert_int_equal(c.lost, 0);
    assert_int_equal(read(file, out, sizeof(out)), 7);
    /* Gone for good: lines are counted, and it is tried again. */
    (void)close(c.fd);
    c.fd = -1;
    assert_int_equal(unlink(c.path), 0);
    console_write(&c, "lost\n", 5);
    assert_int_equal(c.lost, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_may_have_any_name),
        cmocka_unit_test(what_is_no_stat_line_is_refused),
        cmocka_unit_test(mount_points_are_unescaped),
        cmocka_unit_test(a_console_that_takes_nothing_is_told_what_it_missed),
        cmocka_unit_test(a_console_that_was_hung_up_is_opened_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
