/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "tools/output/cpio.h"
#include "tools/output/kernel_initrd.h"

static ssize_t read_once(void *ctx, void *data, size_t len, struct err *e) {
    const char **text = ctx;
    size_t n = strnlen(*text, len);

    (void)e;
    memcpy(data, *text, n);
    *text += n;
    return (ssize_t)n;
}

static int add(struct output *o, struct entry entry, const char *text, struct err *e) {
    static const struct origin origin = {.source = "s", .location = "l"};
    const struct entry_content content = {.read = read_once, .ctx = &text};

    return output_add(o, &entry, text ? &content : NULL, &origin, e);
}

static int build(const char *base, enum compression how, struct err *e) {
    AUTO_OUTPUT struct output *o = NULL;

    assert_int_equal(mkdir_p("build/test", 0755, e), 0);
    assert_int_equal(output_kernel_initrd_new(base, how, false, &o, e), 0);
    int r = add(o, (struct entry){.type = ENTRY_FILE, .path = "boot/kernel", .size = 3}, "krn", e);
    if (!r)
        r = add(o, (struct entry){.type = ENTRY_FILE, .path = "boot/cmdline", .size = 2}, "ro", e);
    if (!r)
        r = add(o, (struct entry){.type = ENTRY_DIR, .path = "d", .mode = 01777, .mtime = 1}, NULL, e);
    if (!r)
        r = add(
            o, (struct entry){.type = ENTRY_FILE, .path = "f", .mode = 0644, .uid = 1, .gid = 2, .size = 5, .nlink = 2},
            "hello", e);
    if (!r)
        r = add(o, (struct entry){.type = ENTRY_HARDLINK, .path = "h", .link = "f", .mode = 0644}, NULL, e);
    if (!r)
        r = add(o, (struct entry){.type = ENTRY_CHAR, .path = "c", .mode = 0600, .dev_major = 5, .dev_minor = 1}, NULL,
                e);
    if (!r)
        r = add(o, (struct entry){.type = ENTRY_SYMLINK, .path = "l", .link = "d/x", .mode = 0777}, NULL, e);
    return r ? r : output_complete(o, e);
}

#define ZERO8 "00000000"
/* clang-format off */
static const char expected[] =
    "070701" "00000001" "000043FF" ZERO8 ZERO8 "00000002" "00000001" ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 "00000002" ZERO8 "d\0"
    "070701" "00000002" "000081A4" "00000001" "00000002" "00000002" ZERO8 "00000005" ZERO8 ZERO8 ZERO8 ZERO8 "00000002"
    ZERO8 "f\0" "hello\0\0\0"
    "070701" "00000002" "000081A4" "00000001" "00000002" "00000002" ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 "00000002" ZERO8
    "h\0"
    "070701" "00000004" "00002180" ZERO8 ZERO8 "00000001" ZERO8 ZERO8 ZERO8 ZERO8 "00000005" "00000001" "00000002" ZERO8
    "c\0"
    "070701" "00000005" "0000A1FF" ZERO8 ZERO8 "00000001" ZERO8 "00000003" ZERO8 ZERO8 ZERO8 ZERO8 "00000002" ZERO8
    "l\0" "d/x\0"
    "070701" ZERO8 ZERO8 ZERO8 ZERO8 "00000001" ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 "0000000B" ZERO8 "TRAILER!!!\0\0\0\0";

/* clang-format on */
static void test_bytes_of_an_initrd(void **state) {
    AUTO_BUF struct buf initrd = BUF_INIT, kernel = BUF_INIT, cmdline = BUF_INIT;
    struct err e = {0};

    (void)state;
    assert_int_equal(build("build/test/cpio", COMPRESS_NONE, &e), 0);
    assert_int_equal(read_file("build/test/cpio-initrd.img", 1 << 20, &initrd, &e), 0);
    assert_int_equal(initrd.len, (sizeof(expected) - 1 + 511) / 512 * 512);
    assert_memory_equal(initrd.data, expected, sizeof(expected) - 1);
    for (size_t i = sizeof(expected) - 1; i < initrd.len; i++)
        assert_int_equal(initrd.data[i], 0);
    assert_int_equal(read_file("build/test/cpio-kernel", 100, &kernel, &e), 0);
    assert_string_equal(kernel.data, "krn");
    assert_int_equal(read_file("build/test/cpio-cmdline", 100, &cmdline, &e), 0);
    assert_string_equal(cmdline.data, "ro");
}

static void test_the_same_twice_and_padded(void **state) {
    static const enum compression ways[] = {COMPRESS_ZSTD, COMPRESS_GZIP, COMPRESS_XZ};
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        AUTO_BUF struct buf a = BUF_INIT, b = BUF_INIT;
        assert_int_equal(build("build/test/cpio-a", ways[i], &e), 0);
        assert_int_equal(build("build/test/cpio-b", ways[i], &e), 0);
        assert_int_equal(read_file("build/test/cpio-a-initrd.img", 1 << 20, &a, &e), 0);
        assert_int_equal(read_file("build/test/cpio-b-initrd.img", 1 << 20, &b, &e), 0);
        assert_int_equal(a.len, b.len);
        assert_int_equal(a.len % 4, 0);
        assert_memory_equal(a.data, b.data, a.len);
    }
}

static void test_failure_leaves_the_old_file(void **state) {
    AUTO_BUF struct buf old = BUF_INIT;
    struct err e = {0};
    struct output *o = NULL;

    (void)state;
    assert_int_equal(mkdir_p("build/test", 0755, &e), 0);
    assert_int_equal(write_file_atomic("build/test/cpio-old-kernel", "old", 3, 0644, false, &e), 0);
    assert_int_equal(output_kernel_initrd_new("build/test/cpio-old", COMPRESS_ZSTD, false, &o, &e), 0);
    assert_int_equal(add(o, (struct entry){.type = ENTRY_FILE, .path = "boot/kernel", .size = 3}, "new", &e), 0);
    /* shorter than announced */
    assert_int_equal(add(o, (struct entry){.type = ENTRY_FILE, .path = "f", .size = 9}, "short", &e), -EBADMSG);
    output_free(o);
    assert_int_equal(read_file("build/test/cpio-old-kernel", 100, &old, &e), 0);
    assert_string_equal(old.data, "old");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_an_initrd),
        cmocka_unit_test(test_the_same_twice_and_padded),
        cmocka_unit_test(test_failure_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
