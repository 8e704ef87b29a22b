/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/little.h"
#include "lib/temp.h"
#include "tools/output/uki.h"

#define PE 0x80
#define OPTIONAL 0xf0
#define TABLE (PE + 24 + OPTIONAL)
#define STUB_LEN 0x600 /* headers, one section of 512 bytes at 0x400 that is at 0x1000 in memory */

static struct temp_dir dir;

static void in_dir(const char *name, char *path) {
    assert_true(snprintf(path, PATH_MAX, "%s/%s", dir.path, name) < PATH_MAX);
}

static void write_file(const char *name, const void *data, size_t len, char *path) {
    in_dir(name, path);
    assert_int_equal(write_file_atomic(path, data, len, 0644, false, NULL), 0);
}

static void make_stub(char *path, uint32_t header_len) {
    unsigned char stub[STUB_LEN] = {'M', 'Z'};

    little_put(stub + 0x3c, PE, 4);
    memcpy(stub + PE, "PE\0", 4);
    stub[PE + 6] = 1;
    little_put(stub + PE + 8, 0x12345678, 4); /* time */
    stub[PE + 20] = OPTIONAL;
    little_put(stub + PE + 24 + 32, 0x1000, 4);
    little_put(stub + PE + 24 + 36, 0x200, 4);
    little_put(stub + PE + 24 + 60, header_len, 4);
    memcpy(stub + TABLE, ".text", 5);
    little_put(stub + TABLE + 8, 0x123, 4);
    little_put(stub + TABLE + 12, 0x1000, 4);
    little_put(stub + TABLE + 16, 0x200, 4);
    little_put(stub + TABLE + 20, 0x400, 4);
    memset(stub + 0x400, 0x90, 0x200);
    write_file("stub", stub, sizeof(stub), path);
}

static void sections_follow_the_stub(void **state) {
    static struct parts p = {.arch = "amd64", .cmdline = "console=ttyS0"};
    char stub[PATH_MAX], out[PATH_MAX];
    AUTO_BUF struct buf made = BUF_INIT;

    (void)state;
    make_stub(stub, 0x400);
    write_file("kernel", "KERNEL", 6, p.kernel);
    write_file("initrd", "INITRD!", 7, p.initrd);
    in_dir("out.efi", out);
    assert_int_equal(uki_write(stub, &p, out, NULL), 0);
    assert_int_equal(read_file(out, 1 << 20, &made, NULL), 0);
    assert_int_equal(made.data[PE + 6], 5);
    assert_int_equal(little_get(made.data + PE + 8, 4), 0);
    const char *const names[] = {".osrel", ".cmdline", ".linux", ".initrd"};
    const char *const contents[] = {"NAME=", "console=ttyS0", "KERNEL", "INITRD!"};
    uint64_t last = 0x1123;
    for (size_t i = 0; i < 4; i++) {
        const char *h = made.data + TABLE + 40 * (i + 1);
        assert_memory_equal(h, names[i], strlen(names[i]));
        uint64_t size = little_get(h + 8, 4), address = little_get(h + 12, 4), raw = little_get(h + 16, 4),
                 at = little_get(h + 20, 4);
        assert_true(address >= last && address % 0x1000 == 0 && at % 0x200 == 0 && raw >= size && raw % 0x200 == 0);
        assert_true(at + raw <= made.len);
        assert_memory_equal(made.data + at, contents[i], strlen(contents[i]));
        last = address + size;
    }
    assert_true(little_get(made.data + PE + 24 + 56, 4) >= last);
}

static void a_stub_without_room_is_refused(void **state) {
    static struct parts p = {.arch = "amd64"};
    char stub[PATH_MAX], out[PATH_MAX];
    struct err e = {0};

    (void)state;
    write_file("kernel", "KERNEL", 6, p.kernel);
    write_file("initrd", "INITRD!", 7, p.initrd);
    in_dir("none.efi", out);
    make_stub(stub, TABLE + 2 * 40);
    assert_int_equal(uki_write(stub, &p, out, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "no room"));
    write_file("stub", "MZ", 2, stub);
    assert_int_equal(uki_write(stub, &p, out, &e), -EINVAL);
    assert_int_not_equal(access(out, F_OK), 0);
}

static int setup(void **state) {
    (void)state;
    return temp_dir_make(&dir, NULL, "uki-test.", NULL);
}

static int teardown(void **state) {
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_follow_the_stub),
        cmocka_unit_test(a_stub_without_room_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
