/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/temp.h"
#include "tools/output/fat.h"
#include "tools/output/format.h"
#include "tools/output/loader.h"
#include "tools/output/parts.h"

static const struct format_order amd64 = {.base = "x", .arch = "amd64"};

static void a_missing_program_is_named_with_its_package(void **state) {
    struct err e = {0};
    const struct need none = {"keelson-no-such-program", "no-such-package"};

    (void)state;
    assert_int_equal(need_check(&none, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "keelson-no-such-program"));
    assert_non_null(strstr(e.msg, "no-such-package"));
    const struct need file = {"/nowhere/stub.efi", "some-package"};
    assert_int_equal(need_check(&file, &e), -ENOENT);
    const struct need shell = {"sh", "dash"};
    assert_int_equal(need_check(&shell, &e), 0);
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    assert_int_equal(format_check("iso", &amd64, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "Debian package xorriso"));
    assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
}

static void what_cannot_be_made_is_refused_before_it_is_begun(void **state) {
    const struct format_order arm64 = {.base = "x", .arch = "arm64"};
    const struct format_order to_stdout = {.base = "x", .path = "-", .arch = "amd64"};
    struct output *out = NULL;
    struct err e = {0};

    (void)state;
    assert_int_equal(format_open("floppy", &amd64, &out, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "floppy"));
    assert_int_equal(format_open("raw-bios", &arm64, &out, &e), -EINVAL);
    assert_int_equal(format_open("uki", &to_stdout, &out, &e), -EINVAL);
    assert_int_equal(format_open("kernel+initrd", &to_stdout, &out, &e), -EINVAL);
    assert_null(out);
}

/* The tests of formats ask for a name that there is not, and try all that the answer has. */
static void a_name_that_is_none_is_answered_with_all_there_are(void **state) {
    AUTO_FREE char *endless = calloc(1, 70000);
    struct format_list all = {0}, none = {0};
    struct err e = {0};

    (void)state;
    assert_int_equal(format_check("?", &amd64, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "\"?\": there are kernel+initrd, tar, "));
    assert_int_equal(format_list_add(&none, "tar,floppy,docker", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "\"floppy\": there are kernel+initrd, "));
    for (size_t i = 0; format_name(i); i++) {
        assert_non_null(strstr(e.msg, format_name(i)));
        assert_int_equal(format_list_add(&all, format_name(i), &e), 0);
        assert_int_equal(all.len, i + 1);
    }
    memset(endless, 'x', 69999);
    assert_int_equal(format_list_add(&none, endless, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "kernel+iso"));
}

static void ids_come_from_the_content(void **state) {
    struct parts *p = calloc(1, sizeof(*p));
    char one[37], two[37];

    (void)state;
    assert_non_null(p);
    p->id[0] = 0xab;
    parts_uuid(p, 0, one);
    parts_uuid(p, 1, two);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), 36);
    assert_int_equal(one[14], '4');
    assert_int_equal(parts_serial(p), 0xab000000);
    free(p);
}

static void programs_say_why_they_fail(void **state) {
    const char *const argv[] = {"sh", "-c", "cat; echo first >&2; echo second >&2; exit 3", NULL};
    const char *const good[] = {"sh", "-c", "test \"$(cat)\" = hello && test $SOURCE_DATE_EPOCH = 1492533000", NULL};
    struct err e = {0};

    (void)state;
    assert_int_equal(program_run(argv, NULL, &e), -EIO);
    assert_string_equal(e.msg, "sh exited with status 3: second");
    assert_int_equal(program_run(good, "hello", &e), 0);
}

static void what_a_program_prints_is_read_while_it_runs(void **state) {
    const char *const argv[] = {"sh", "-c", "cat; echo why >&2; exit 2", NULL};
    const char *const endless[] = {"sh", "-c", "while :; do echo more; done", NULL};
    AUTO_PROGRAM struct program p = PROGRAM_NONE;
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    char path[PATH_MAX + 16], line[16];
    struct err e = {0};

    (void)state;
    assert_int_equal(temp_dir_make(&dir, NULL, "format_test.", NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/in", dir.path);
    assert_int_equal(write_file_atomic(path, "one\ntwo\n", 8, 0644, false, NULL), 0);
    AUTO_CLOSE int in = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(program_open(&p, argv, in, &e), 0);
    assert_string_equal(fgets(line, sizeof(line), p.out), "one\n");
    assert_int_equal(program_close(&p, &e), -EIO);
    assert_string_equal(e.msg, "sh exited with status 2: why");
    assert_int_equal(program_open(&p, endless, in, &e), 0);
    assert_string_equal(fgets(line, sizeof(line), p.out), "more\n");
    program_free(&p);
}

static void a_loaders_configuration_has_the_command_line(void **state) {
    AUTO_BUF struct buf config = BUF_INIT;
    struct parts *p = calloc(1, sizeof(*p));
    char other[] = "DEFAULT linux\n# APPEND x\n";

    (void)state;
    assert_non_null(p);
    (void)snprintf(p->cmdline, sizeof(p->cmdline), "console=ttyS0 APPEND root=x");
    assert_int_equal(syslinux_config(p, "/kernel", "/initrd.img", &config, NULL), 0);
    assert_string_equal(syslinux_cmdline(config.data), p->cmdline);
    assert_null(syslinux_cmdline(other));
    free(p);
}

static void kernel_problems_are_told(void **state) {
    struct parts *p = calloc(1, sizeof(*p));
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    unsigned char kernel[1024] = {0};
    char base[PATH_MAX], path[PATH_MAX + 16], text[CMDLINE_MAX + 2];
    struct err e = {0};

    (void)state;
    assert_non_null(p);
    assert_int_equal(temp_dir_make(&dir, NULL, "format-test.", NULL), 0);
    assert_true(snprintf(base, sizeof(base), "%s/a", dir.path) < (int)sizeof(base));
    assert_int_equal(parts_load(p, dir.path, base, "amd64", &e), -ENOENT);
    assert_non_null(strstr(e.msg, "no kernel"));
    memcpy(kernel + 0x202, "HdrS", 4);
    (void)snprintf(path, sizeof(path), "%s-kernel", base);
    assert_int_equal(write_file_atomic(path, kernel, sizeof(kernel), 0644, false, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s-initrd.img", base);
    assert_int_equal(write_file_atomic(path, "x", 1, 0644, false, NULL), 0);
    assert_int_equal(parts_load(p, dir.path, base, "arm64", &e), -EINVAL);
    assert_non_null(strstr(e.msg, "it is for amd64"));
    memset(text, 'a', sizeof(text));
    (void)snprintf(path, sizeof(path), "%s-cmdline", base);
    assert_int_equal(write_file_atomic(path, text, CMDLINE_MAX + 1, 0644, false, NULL), 0);
    assert_int_equal(parts_load(p, dir.path, base, "amd64", &e), -E2BIG);
    assert_int_equal(write_file_atomic(path, text, CMDLINE_MAX, 0644, false, NULL), 0);
    assert_int_equal(parts_load(p, dir.path, base, "amd64", &e), 0);
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_program_is_named_with_its_package),
        cmocka_unit_test(what_cannot_be_made_is_refused_before_it_is_begun),
        cmocka_unit_test(a_name_that_is_none_is_answered_with_all_there_are),
        cmocka_unit_test(ids_come_from_the_content),
        cmocka_unit_test(programs_say_why_they_fail),
        cmocka_unit_test(what_a_program_prints_is_read_while_it_runs),
        cmocka_unit_test(a_loaders_configuration_has_the_command_line),
        cmocka_unit_test(kernel_problems_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
