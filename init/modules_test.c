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

static int record(const char *path, const char *options, void *data) {
    const char *base = strrchr(path, '/') + 1;
    (void)data;
    if (failing && !strcmp(base, failing))
        return -ENODEV;
    size_t len = strlen(loaded);
    (void)snprintf(loaded + len, sizeof(loaded) - len, *options ? "%s(%s) " : "%s%s ", base, options);
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
                   "kernel/fs/over-lay.ko.xz:\nkernel/a.ko:\nkernel/b.ko:\n") < 0 ||
        write_list(dir, "modules.builtin", "kernel/drivers/char/built-in.ko\n") < 0 ||
        write_list(dir, "modules.softdep", "# of modules\nsoftdep over_lay pre: a missing post: b\n") < 0 ||
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
    modconf_free(&m.conf);
    return 0;
}

static void conf(const char *text) {
    modconf_add(&m.conf, text, strlen(text));
}

static void cmdline(const char *text) {
    modconf_add_cmdline(&m.conf, text, strlen(text));
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
    cmdline("quiet modprobe.blacklist=other,virtio-net");
    assert_int_equal(modules_load(&m, "virtio:d00000001v00001AF4", record, NULL, &e), 1);
    assert_string_equal(loaded, "failover.ko ");
    assert_int_equal(modules_load(&m, "virtio_net", record, NULL, &e), 1);
}

static void blacklists_are_read_from_modprobe_d(void **state) {
    char dir[160];
    struct err e = {0};
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s/etc/modprobe.d", root);
    assert_int_equal(mkdir_p(dir, 0755, NULL), 0);
    assert_int_equal(write_list(dir, "a.conf", "# blacklist failover\nblacklist over-lay\noptions x y=1\n"), 0);
    assert_int_equal(write_list(dir, "b.txt", "blacklist failover\n"), 0);
    modconf_add_files(&m.conf, root);
    assert_int_equal(modules_load(&m, "fs-overlay", record, NULL, &e), 0);
    assert_int_equal(modules_load(&m, "virtio:d00000002v1", record, NULL, &e), 1);
}

static void softdeps_come_before_and_after(void **state) {
    struct err e = {0};
    (void)state;
    conf("softdep over-lay pre: a missing post: b\n");
    assert_int_equal(modules_load(&m, "fs-overlay", record, NULL, &e), 1);
    assert_string_equal(loaded, "a.ko over-lay.ko.xz b.ko ");
}

static void a_softdep_that_fails_is_no_failure(void **state) {
    struct err e = {0};
    (void)state;
    conf("softdep over_lay pre: a\n");
    failing = "a.ko";
    assert_int_equal(modules_load(&m, "over_lay", record, NULL, &e), 1);
    assert_string_equal(loaded, "over-lay.ko.xz ");
}

static void softdeps_in_a_circle_end(void **state) {
    struct err e = {0};
    (void)state;
    conf("softdep a pre: b\nsoftdep b pre: a\n");
    assert_int_equal(modules_load(&m, "a", record, NULL, &e), 1);
    assert_int_equal(strlen(loaded), 5 * strlen("a.ko ")); /* SOFTDEPS_DEPTH_MAX, and itself */
}

static void the_lists_of_depmod_are_read_when_they_are_opened(void **state) {
    struct modules other;
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_open(&other, root, &e), 0);
    assert_int_equal(modules_load(&other, "over_lay", record, NULL, &e), 1);
    assert_string_equal(loaded, "a.ko over-lay.ko.xz b.ko ");
    modules_close(&other);
}

static void options_go_to_their_module(void **state) {
    struct err e = {0};
    (void)state;
    conf("options virtio-net napi=0 \\\n  csum=1\noptions failover\n");
    cmdline("virtio_net.gso=1 net-failover.x failover=1 virtio_net.name=\"a b\" .y=1 z.=2");
    assert_int_equal(modules_load(&m, "virtio_net", record, NULL, &e), 1);
    assert_string_equal(loaded, "failover.ko net_failover.ko(x) virtio_net.ko(napi=0     csum=1 gso=1 name=\"a b\") ");
}

static void too_many_options_are_an_error(void **state) {
    char text[MODULE_OPTIONS_MAX + 64];
    struct err e = {0};
    (void)state;
    int n = snprintf(text, sizeof(text), "options a x=%0*d\n", MODULE_OPTIONS_MAX, 1);
    modconf_add(&m.conf, text, (size_t)n);
    assert_int_equal(modules_load(&m, "a", record, NULL, &e), -E2BIG);
    assert_string_equal(loaded, "");
}

static void more_than_a_line_is_no_option(void **state) {
    (void)state;
    cmdline("a.x=\"1\nblacklist b\"");
    assert_false(modconf_has(&m.conf, "blacklist", (struct word){"b", 1}));
}

static void aliases_of_ones_own_are_used_too(void **state) {
    struct err e = {0};
    (void)state;
    conf("alias my-* a\nalias\nalias my-thing\nalias my-t* b\n");
    assert_int_equal(modules_load(&m, "my-thing", record, NULL, &e), 2);
    assert_string_equal(loaded, "a.ko b.ko ");
}

/* "install NAME /bin/false" is how people keep a module out; nothing is run for it. */
static void a_module_with_an_install_line_is_left_alone(void **state) {
    struct err e = {0};
    (void)state;
    conf("install failover /bin/false\n");
    assert_int_equal(modules_load(&m, "virtio:d00000002v1", record, NULL, &e), 0);
    assert_int_equal(modules_load(&m, "failover", record, NULL, &e), -EPERM);
    assert_non_null(strstr(e.msg, "failover"));
    assert_int_equal(modules_load(&m, "virtio_net", record, NULL, &e), -EPERM);
    assert_string_equal(loaded, "");
}

static void what_is_built_in_is_there(void **state) {
    struct err e = {0};
    (void)state;
    assert_int_equal(modules_load(&m, "built_in", record, NULL, &e), 1);
    assert_string_equal(loaded, "");
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
        cmocka_unit_test_setup(softdeps_come_before_and_after, reset),
        cmocka_unit_test_setup(a_softdep_that_fails_is_no_failure, reset),
        cmocka_unit_test_setup(softdeps_in_a_circle_end, reset),
        cmocka_unit_test_setup(the_lists_of_depmod_are_read_when_they_are_opened, reset),
        cmocka_unit_test_setup(options_go_to_their_module, reset),
        cmocka_unit_test_setup(too_many_options_are_an_error, reset),
        cmocka_unit_test_setup(more_than_a_line_is_no_option, reset),
        cmocka_unit_test_setup(aliases_of_ones_own_are_used_too, reset),
        cmocka_unit_test_setup(a_module_with_an_install_line_is_left_alone, reset),
        cmocka_unit_test_setup(what_is_built_in_is_there, reset),
        cmocka_unit_test_setup(what_nobody_drives_is_no_error, reset),
        cmocka_unit_test_setup(a_failed_load_is_told_and_the_others_are_tried, reset),
        cmocka_unit_test(patterns_match_as_a_shells_do),
        cmocka_unit_test_setup(an_image_without_modules_is_told_apart, reset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
