/* SPDX-License-Identifier: Apache-2.0 */
/* Below a folder of the working directory. CI runs this as root; another user may set names below user. only. */
#include "svcd/attributes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "lib/attributes.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define TOP "build/test/attributes"
#define CAPABILITY "\x01\0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CAPABILITY_HEX "0100000201000000000000000000000000000000"

static char said[4096];

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

/* What others than root may set, too. */
static const char *settable(void) {
    return geteuid() == 0 ? "security.capability" : "user.capability";
}

static void put_file(const char *path, const char *data, size_t len) {
    struct err e = {0};

    assert_int_equal(write_file_atomic(path, data, len, 0644, false, &e), 0);
}

static unsigned set(const struct buf *table) {
    put_file(TOP "/" ATTRIBUTES_TABLE, table->data, table->len);
    said[0] = '\0';
    log_set_sink(hear);
    unsigned failures = attributes_set(TOP);
    log_set_sink(NULL);
    return failures;
}

static void put_text(struct buf *table, const char *text) {
    assert_int_equal(buf_append(table, text, strlen(text) + 1), 0);
}

static void put_one(struct buf *table, const char *path, const char *hex) {
    put_text(table, path);
    put_text(table, settable());
    put_text(table, hex);
}

static void check_has(const char *path, const char *value, size_t len) {
    char found[64];

    assert_int_equal(lgetxattr(path, settable(), found, sizeof(found)), (ssize_t)len);
    assert_memory_equal(found, value, len);
}

static bool is_there(const char *path) {
    struct stat st;

    return lstat(path, &st) == 0;
}

static void test_all_are_set_and_the_table_goes(void **state) {
    AUTO_BUF struct buf table = BUF_INIT;

    (void)state;
    put_one(&table, "bin/ping", CAPABILITY_HEX);
    put_one(&table, "bin/\xff\n", CAPABILITY_HEX);
    assert_int_equal(set(&table), 0);
    check_has(TOP "/bin/ping", CAPABILITY, sizeof(CAPABILITY));
    check_has(TOP "/bin/\xff\n", CAPABILITY, sizeof(CAPABILITY));
    assert_string_equal(said, "");
    assert_false(is_there(TOP "/" ATTRIBUTES_TABLE));
    assert_false(is_there(TOP "/" ATTRIBUTES_STEP));
}

static void test_what_fails_is_named_and_the_next_one_set(void **state) {
    AUTO_BUF struct buf table = BUF_INIT;

    (void)state;
    put_one(&table, "bin/none", CAPABILITY_HEX);
    put_one(&table, "bin/ping", "0g");
    put_text(&table, "bin/ping");
    put_text(&table, "nosuch.name");
    put_text(&table, "00");
    put_one(&table, "bin/ping", CAPABILITY_HEX);
    put_text(&table, "bin/ping");
    assert_int_equal(set(&table), 4);
    check_has(TOP "/bin/ping", CAPABILITY, sizeof(CAPABILITY));
    assert_non_null(strstr(said, "of /bin/none: No such file"));
    assert_non_null(strstr(said, "of /bin/ping: Bad message"));
    assert_non_null(strstr(said, "could not set nosuch.name of /bin/ping: Operation not supported"));
    assert_non_null(strstr(said, ATTRIBUTES_TABLE " is cut off"));
    assert_false(is_there(TOP "/" ATTRIBUTES_TABLE));
}

static void test_a_link_is_not_followed(void **state) {
    AUTO_BUF struct buf table = BUF_INIT;
    char found[64];

    (void)state;
    put_one(&table, "bin/link", CAPABILITY_HEX);
    (void)set(&table); /* names of some kinds a link may have itself */
    assert_int_equal(lgetxattr(TOP "/bin/ping", settable(), found, sizeof(found)), -1);
    assert_int_equal(errno, ENODATA);
}

static void test_without_a_table_the_step_goes(void **state) {
    (void)state;
    assert_int_equal(attributes_set(TOP), 0);
    assert_false(is_there(TOP "/" ATTRIBUTES_STEP));
    assert_int_equal(attributes_set(TOP), 0);
}

static int setup(void **state) {
    struct err e = {0};

    (void)state;
    int r = mkdir_p(TOP "/bin", 0755, &e) || mkdir_p(TOP "/etc/init.d", 0755, &e);
    (void)unlink(TOP "/" ATTRIBUTES_STEP);
    (void)unlink(TOP "/bin/link");
    put_file(TOP "/bin/ping", "x", 1);
    put_file(TOP "/bin/\xff\n", "x", 1);
    return r || symlink("ping", TOP "/bin/link") < 0 || symlink(ATTRIBUTES_SERVICE, TOP "/" ATTRIBUTES_STEP) < 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_are_set_and_the_table_goes, setup),
        cmocka_unit_test_setup(test_what_fails_is_named_and_the_next_one_set, setup),
        cmocka_unit_test_setup(test_a_link_is_not_followed, setup),
        cmocka_unit_test_setup(test_without_a_table_the_step_goes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
