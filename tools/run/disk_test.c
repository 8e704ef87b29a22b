/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "tools/run/disk.h"

static char folder[] = "/tmp/keelson-disk-XXXXXX";

static struct run_disk disk(const char *name) {
    struct run_disk d = {0};
    (void)snprintf(d.path, sizeof(d.path), "%s/%s", folder, name);
    return d;
}

static void write_disk(const struct run_disk *d, const char *data, size_t len) {
    assert_int_equal(write_file_atomic(d->path, data, len, 0600, false, NULL), 0);
}

static void a_files_first_bytes_say_what_it_is(void **state) {
    (void)state;
    struct run_disk d = disk("q");
    write_disk(&d, "QFI\xfb....", 8);
    assert_int_equal(disk_prepare(&d, false, NULL), 0);
    assert_string_equal(d.format, "qcow2");
    struct run_disk raw = disk("r");
    write_disk(&raw, "QF", 2);
    assert_int_equal(disk_prepare(&raw, false, NULL), 0);
    assert_string_equal(raw.format, "raw");
}

static void what_was_asked_for_wins(void **state) {
    (void)state;
    struct run_disk d = disk("q");
    memcpy(d.format, "raw", sizeof("raw"));
    assert_int_equal(disk_prepare(&d, false, NULL), 0);
    assert_string_equal(d.format, "raw");
}

static void a_missing_file_needs_a_size(void **state) {
    (void)state;
    struct err e = {0};
    struct run_disk d = disk("none");
    assert_int_equal(disk_prepare(&d, false, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "none: no such file, and no size="));
}

static void a_dry_run_makes_no_file(void **state) {
    (void)state;
    struct run_disk d = disk("none");
    d.size_mib = 1;
    assert_int_equal(disk_prepare(&d, true, NULL), 0);
    assert_string_equal(d.format, "qcow2");
    assert_int_equal(access(d.path, F_OK), -1);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    struct run_disk q = disk("q"), r = disk("r");
    return unlink(q.path) == 0 && unlink(r.path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_files_first_bytes_say_what_it_is),
        cmocka_unit_test(what_was_asked_for_wins),
        cmocka_unit_test(a_missing_file_needs_a_size),
        cmocka_unit_test(a_dry_run_makes_no_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
