/* SPDX-License-Identifier: Apache-2.0 */
#include "init/modules.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "init/glob.h"
#include "lib/fdutil.h"

static char root[] = "/tmp/modules_test.XXXXXX";
static struct modules m;
static char loaded[512];
static const char *failing;

static int record(const char *path, void *data) {
    const char *base = strrchr(path, '/') + 1;
    (void)data;
    if (failing && !strcmp(base, failing))
        return -ENODEV;
    size_t len = strlen(loaded);
    (void)snprintf(loaded + len, sizeof(loaded) - len, "%s ", base);
    return 0;
}

static int write_list(const char *dir, const char *name, const char *text) {
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return write_file_atomic(path, text, strlen(text), 0644, false, NULL);
}

static int setup(void **state) {
    char dir[160];
    struct utsname uts;
    (void)state;
    if (!mkdtemp(root) || uname(&uts) < 0)
        return -1;
    (void)snprintf(dir, sizeof(dir), "%s/lib/modules/%s", root, uts.release);
    if (mkdir_p(dir, 0755, NULL) < 0 ||
        write_list(dir, "modules.dep",
                   "kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/net/failover.ko\n"
                   "kernel/net/net_failover.ko: kernel/net/failover.ko\nkernel/net/failover.ko:\n"
                   "kernel/fs/over-lay.ko.xz:\n") < 0 ||
        write_list(dir, "modules.alias",
                   "# comment\nalias virtio:d00000001v* virtio_net\nalias fs-overlay over_lay\n"
                   "alias virtio:d0000000[12]v* failover\nalias broken\nalias gone* nowhere\n") < 0)
        return -1;
    return modules_open(&m, root, NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    (void)state;
    modules_close(&m);
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int reset(void **state) {
    (void)state;
    loaded[0] = '\0';
    failing = NULL;
    return 0;
}

static void dependencies_come_first(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_load(&m, "virtio-net", record, NULL, &e), 1);
    assert_string_equal(loaded, "failover.ko net_failover.ko virtio_net.ko ");
}

static void every_matching_alias_is_loaded(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_load(&m, "virtio:d00000001v00001AF4", record, NULL, &e), 2);
    assert_string_equal(loaded, "failover.ko net_failover.ko virtio_net.ko failover.ko ");
}

static void names_in_files_may_have_either_dash(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_load(&m, "fs-overlay", record, NULL, &e), 1);
    assert_string_equal(loaded, "over-lay.ko.xz ");
}

static void blacklisted_modules_are_loaded_by_name_only(void **state) {
    struct err e = {0};
    (void)state;
    modules_blacklist(&m, "other, virtio-net");
    assert_int_equal(modules_load(&m, "virtio:d00000001v00001AF4", record, NULL, &e), 1);
    assert_string_equal(loaded, "failover.ko ");
    assert_int_equal(modules_load(&m, "virtio_net", record, NULL, &e), 1);
    buf_reset(&m.blacklist);
}

static void blacklists_are_read_from_modprobe_d(void **state) {
    char dir[160];
    struct err e = {0};
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s/etc/modprobe.d", root);
    assert_int_equal(mkdir_p(dir, 0755, NULL), 0);
    assert_int_equal(write_list(dir, "a.conf", "# blacklist failover\nblacklist over-lay\noptions x y=1\n"), 0);
    assert_int_equal(write_list(dir, "b.txt", "blacklist failover\n"), 0);
    modules_blacklist_files(&m, root);
    assert_int_equal(modules_load(&m, "fs-overlay", record, NULL, &e), 0);
    assert_int_equal(modules_load(&m, "virtio:d00000002v1", record, NULL, &e), 1);
    buf_reset(&m.blacklist);
}

static void what_nobody_drives_is_no_error(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_load(&m, "pci:v00001234", record, NULL, &e), 0);
    assert_int_equal(modules_load(&m, "gone-away", record, NULL, &e), 0);
    assert_string_equal(loaded, "");
}

static void a_failed_load_is_told_and_the_others_are_tried(void **state) {
    struct err e = {0};
    (void)state;
    failing = "net_failover.ko";
    assert_int_equal(modules_load(&m, "virtio:d00000001v00001AF4", record, NULL, &e), -ENODEV);
    assert_non_null(strstr(e.msg, "net_failover.ko: No such device"));
    assert_string_equal(loaded, "failover.ko failover.ko ");
}

static void patterns_match_as_a_shells_do(void **state) {
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {{"", "", true},
                 {"*", "", true},
                 {"a*c", "abbbc", true},
                 {"a*c", "abbbd", false},
                 {"a?c", "abc", true},
                 {"a?c", "ac", false},
                 {"[12]x", "2x", true},
                 {"[12]x", "3x", false},
                 {"[a-c]", "b", true},
                 {"[!a-c]", "b", false},
                 {"[]]", "]", true},
                 {"[a", "[a", true},
                 {"a", "ab", false},
                 {"ab", "a", false},
                 {"*a*b", "xaybzab", true},
                 {"a\xff*", "a\xffz", true},
                 {"pci:v*d*sv*sd*bc01sc06i*", "pci:v00001AF4d00001001sv1sd2bc01sc06i00", true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (glob_match(cases[i].pattern, strlen(cases[i].pattern), cases[i].name) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].name);
}

static void an_image_without_modules_is_told_apart(void **state) {
    struct modules none;
    (void)state;
    assert_int_equal(modules_open(&none, "/nonexistent", NULL), -ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(dependencies_come_first, reset),
        cmocka_unit_test_setup(every_matching_alias_is_loaded, reset),
        cmocka_unit_test_setup(names_in_files_may_have_either_dash, reset),
        cmocka_unit_test_setup(blacklisted_modules_are_loaded_by_name_only, reset),
        cmocka_unit_test_setup(blacklists_are_read_from_modprobe_d, reset),
        cmocka_unit_test_setup(what_nobody_drives_is_no_error, reset),
        cmocka_unit_test_setup(a_failed_load_is_told_and_the_others_are_tried, reset),
        cmocka_unit_test(patterns_match_as_a_shells_do),
        cmocka_unit_test_setup(an_image_without_modules_is_told_apart, reset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
