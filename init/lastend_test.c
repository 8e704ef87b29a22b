/* SPDX-License-Identifier: Apache-2.0 */
#include "init/lastend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"

static char root[] = "/tmp/lastend_test.XXXXXX", said[512];
static const char *const folders[] = {
    "/sys/class/watchdog/watchdog0", "/sys/class/watchdog", "/sys/class", "/sys/fs/pstore", "/sys/fs", "/sys"};
static const char *const files[] = {"/sys/class/watchdog/watchdog0/bootstatus", "/sys/fs/pstore/dmesg-a",
                                    "/sys/fs/pstore/dmesg-b"};

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static const char *path_of(const char *name) {
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    return path;
}

static void expect_after(size_t file, const char *text, const char *want) {
    assert_int_equal(write_file_atomic(path_of(files[file]), text, strlen(text), 0644, false, NULL), 0);
    said[0] = '\0';
    log_set_sink(hear);
    lastend_report(root);
    log_set_sink(NULL);
    assert_string_equal(said, want);
}

static void what_the_platform_kept_is_said(void **state) {
    (void)state;
    said[0] = '\0';
    lastend_report("/nonexistent");
    assert_string_equal(said, "");
    expect_after(0, "0\n", "");
    expect_after(0, "1\n", ""); /* WDIOF_OVERHEAT: no reset */
    expect_after(0, "33\n", "keelson: the last reset was the watchdog's\n");
    expect_after(0, "\n", "");
    expect_after(1, "x", "keelson: the last kernel left 1 record of its end in /sys/fs/pstore: dmesg-a\n");
    expect_after(2, "x", "keelson: the last kernel left 2 records of its end in /sys/fs/pstore: dmesg-a, ...\n");
}

/* The panic, and the last that the boot record of that boot has said. */
static void how_the_last_boot_ended_is_told_in_one_line(void **state) {
    char out[256];
    (void)state;
    assert_int_equal(write_file_atomic(path_of(files[0]), "0\n", 2, 0644, false, NULL), 0);
    static const char dmesg[] =
        "Panic#1 Part1\n<6>[   8.1] keelson: booting for 5.0 s\n<6>[   9.1] keelson: up after 9.1 s, "
        "ok\n<0>[  20.0] Kernel panic - not syncing: sysrq triggered crash\n";
    assert_int_equal(write_file_atomic(path_of(files[1]), dmesg, sizeof(dmesg) - 1, 0644, false, NULL), 0);
    lastend_describe(root, out, sizeof(out));
    assert_string_equal(out, "Kernel panic - not syncing: sysrq triggered crash; up after 9.1 s, ok");
    assert_int_equal(write_file_atomic(path_of(files[0]), "32\n", 3, 0644, false, NULL), 0);
    lastend_describe(root, out, sizeof(out));
    assert_string_equal(out,
                        "the watchdog's reset; Kernel panic - not syncing: sysrq triggered crash; up after 9.1 s, ok");
    assert_int_equal(unlink(path_of(files[1])), 0);
    lastend_describe(root, out, sizeof(out));
    assert_string_equal(out, "the watchdog's reset");
    lastend_describe("/nonexistent", out, sizeof(out));
    assert_string_equal(out, "");
}

static int make(void **state) {
    (void)state;
    return mkdtemp(root) && mkdir_p(path_of(folders[0]), 0755, NULL) == 0 ? mkdir_p(path_of(folders[3]), 0755, NULL)
                                                                          : -1;
}

static int remove_all(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        (void)unlink(path_of(files[i]));
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (rmdir(path_of(folders[i])) < 0)
            return -1;
    return rmdir(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_platform_kept_is_said),
                                       cmocka_unit_test(how_the_last_boot_ended_is_told_in_one_line)};
    return cmocka_run_group_tests(tests, make, remove_all);
}
