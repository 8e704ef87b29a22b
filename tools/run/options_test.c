/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tools/run/options.h"

/* The words after "run", NULL-terminated. */
static int parse(struct run_options *o, struct err *e, const char *const *words) {
    char *argv[16] = {(char[]){"run"}};
    char copies[15][128];
    int argc = 1;
    for (; words[argc - 1]; argc++) {
        assert_true(argc < 16 && strlen(words[argc - 1]) < sizeof(copies[0]));
        memcpy(copies[argc - 1], words[argc - 1], strlen(words[argc - 1]) + 1);
        argv[argc] = copies[argc - 1];
    }
    int r = run_options_parse(o, argc, argv, e);
    o->name = NULL; /* these point into `copies`, which ends here */
    o->accel = o->cmdline_add = o->netboot = o->data = o->data_file = o->state = o->firmware = NULL;
    return r;
}

#define PARSE(o, e, ...) parse(o, e, (const char *const[]){__VA_ARGS__, NULL})

static struct run_options o;
static struct err e;

static void has_linuxkits_defaults(void **state) {
    (void)state;
    char *argv[] = {(char[]){"run"}, (char[]){"qemu"}, (char[]){"hello"}};
    assert_int_equal(run_options_parse(&o, 3, argv, &e), 0);
    assert_string_equal(o.name, "hello");
    assert_string_equal(o.accel, "auto");
    assert_int_equal(o.mem_mib, 1024);
    assert_int_equal(o.cpus, 1);
    assert_true(o.network);
    assert_false(o.dry_run || o.no_reboot || o.help);
}

static void takes_one_dash_two_dashes_and_equals(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "-mem", "512", "--cpus=3", "x", "-no-reboot"), 0);
    assert_int_equal(o.mem_mib, 512);
    assert_int_equal(o.cpus, 3);
    assert_true(o.no_reboot);
}

static void a_second_qemu_is_a_name(void **state) {
    (void)state;
    char *argv[] = {(char[]){"run"}, (char[]){"qemu"}, (char[]){"qemu"}};
    assert_int_equal(run_options_parse(&o, 3, argv, &e), 0);
    assert_string_equal(o.name, "qemu");
}

static void parses_sizes(void **state) {
    (void)state;
    uint64_t mib = 0;
    assert_int_equal(run_parse_mib("2G", &mib), 0);
    assert_int_equal(mib, 2048);
    assert_int_equal(run_parse_mib("300M", &mib), 0);
    assert_int_equal(mib, 300);
    const char *const bad[] = {"", "G", "0", "-1", "1T", "1.5G", "99999999999999999999", "67108865G"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(run_parse_mib(bad[i], &mib) < 0);
}

static void parses_published_ports(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "x", "--publish", "8080:80", "--publish", "127.0.0.1:53:5353/udp", "--publish",
                           "10.0.0.1:1:65535/tcp"),
                     0);
    assert_int_equal(o.publish_len, 3);
    assert_string_equal(o.publish[0].address, "");
    assert_int_equal(o.publish[0].host, 8080);
    assert_int_equal(o.publish[0].guest, 80);
    assert_string_equal(o.publish[1].address, "127.0.0.1");
    assert_true(o.publish[1].udp);
    assert_string_equal(o.publish[2].address, "10.0.0.1");
    assert_int_equal(o.publish[2].guest, 65535);
    assert_false(o.publish[2].udp);
}

static void refuses_bad_ports_and_says_which(void **state) {
    (void)state;
    const char *const bad[] = {
        "80",      "0:80",      "80:0",         "80:65536",        "a:80",       "8080:80/sctp", "80:",
        "x:80:80", "1.2.3:1:1", "8080:80,id=x", "127.0.0.1:80:-1", "[::1]:80:80"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(PARSE(&o, &e, "x", "--publish", bad[i]), -EINVAL);
        assert_non_null(strstr(e.msg, bad[i]));
    }
}

static void refuses_a_port_that_is_published_already(void **state) {
    static const struct {
        const char *first, *second;
        int r;
    } cases[] = {
        {"8080:80", "8080:81", -EINVAL},
        {"8080:80", "127.0.0.1:8080:81", -EINVAL},
        {"127.0.0.1:8080:80", "0.0.0.0:8080:81", -EINVAL},
        {"127.0.0.1:8080:80", "127.0.0.1:8080:80", -EINVAL},
        {"127.0.0.1:8080:80", "127.0.0.2:8080:80", 0},
        {"8080:80", "8080:80/udp", 0},
        {"8080:80", "8081:80", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(PARSE(&o, &e, "x", "--publish", cases[i].first, "--publish", cases[i].second), cases[i].r);
        if (cases[i].r)
            assert_non_null(strstr(e.msg, "port 8080 of this host is published already"));
    }
}

static void parses_disks(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "x", "-disk", "a.img,size=2G,format=raw", "-disk", "size=64M,file=b"), 0);
    assert_int_equal(o.disks_len, 2);
    assert_string_equal(o.disks[0].path, "a.img");
    assert_string_equal(o.disks[0].format, "raw");
    assert_int_equal(o.disks[0].size_mib, 2048);
    assert_string_equal(o.disks[1].path, "b");
    assert_string_equal(o.disks[1].format, "");
    assert_int_equal(PARSE(&o, &e, "x", "-disk", "size=1G"), 0); /* a file in the state folder */
    assert_string_equal(o.disks[0].path, "");
    const char *const bad[] = {"format=raw", "a,b", "a,size=x", "a,format=floppy", ""};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(PARSE(&o, &e, "x", "-disk", bad[i]), -EINVAL);
}

static void what_is_booted_is_said_once(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "--netboot", "http://10.0.2.2/boot.ipxe", "--uefi", "--timeout", "9"), 0);
    assert_true(o.uefi);
    assert_int_equal(o.timeout_s, 9);
    assert_int_equal(PARSE(&o, &e, "x", "--netboot", "a.ipxe"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "--netboot", "a,b"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "--netboot", "a", "--networking", "none"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--data", "a", "--data-file", "b"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--timeout", "0"), -EINVAL);
}

static void parses_channels(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "x", "--channel", "test.0=/tmp/a=b"), 0);
    assert_string_equal(o.channels[0].name, "test.0");
    assert_string_equal(o.channels[0].path, "/tmp/a=b");
    assert_int_equal(PARSE(&o, &e, "x", "--channel", "test.0"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--channel", "=a"), -EINVAL);
}

static void refuses_what_it_does_not_know(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "x", "--frobnicate"), -EINVAL);
    assert_string_equal(e.msg, "unknown option --frobnicate");
    assert_int_equal(PARSE(&o, &e, "x", "y"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "qemu"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--mem"), -EINVAL);
    assert_string_equal(e.msg, "option --mem needs a value");
    assert_int_equal(PARSE(&o, &e, "x", "--dry-run=yes"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--cpus", "0"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--accel", "kvm:hvf"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "x", "--accel", "kvm:tcg"), 0);
    assert_int_equal(PARSE(&o, &e, "x", "--networking", "none", "--publish", "1:1"), -EINVAL);
    assert_int_equal(PARSE(&o, &e, "--help"), 0);
}

static void bounds_repeated_options(void **state) {
    (void)state;
    char *argv[2 + 2 * (RUN_DISKS_MAX + 1)] = {(char[]){"run"}, (char[]){"x"}};
    static char word[] = "--disk", value[] = "d";
    for (size_t i = 2; i < ARRAY_SIZE(argv); i++)
        argv[i] = i % 2 ? value : word;
    assert_int_equal(run_options_parse(&o, (int)ARRAY_SIZE(argv), argv, &e), -EINVAL);
    assert_int_equal(run_options_parse(&o, (int)ARRAY_SIZE(argv) - 2, argv, &e), 0);
}

static void waits_for_what_is_named(void **state) {
    (void)state;
    assert_int_equal(PARSE(&o, &e, "hello"), 0);
    assert_int_equal(o.wait, RUN_WAIT_NOT);
    assert_int_equal(PARSE(&o, &e, "--wait", "hello"), 0);
    assert_int_equal(o.wait, RUN_WAIT_UP);
    assert_int_equal(PARSE(&o, &e, "--wait=down", "--json", "hello"), 0);
    assert_int_equal(o.wait, RUN_WAIT_DOWN);
    assert_true(o.json);
    assert_int_equal(PARSE(&o, &e, "--wait=sideways", "hello"), -EINVAL);
    assert_string_equal(e.msg, "could not understand --wait=sideways: want up or down");
    assert_int_equal(PARSE(&o, &e, "--json", "hello"), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_linuxkits_defaults),
        cmocka_unit_test(takes_one_dash_two_dashes_and_equals),
        cmocka_unit_test(a_second_qemu_is_a_name),
        cmocka_unit_test(parses_sizes),
        cmocka_unit_test(parses_published_ports),
        cmocka_unit_test(refuses_bad_ports_and_says_which),
        cmocka_unit_test(refuses_a_port_that_is_published_already),
        cmocka_unit_test(parses_disks),
        cmocka_unit_test(what_is_booted_is_said_once),
        cmocka_unit_test(parses_channels),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(bounds_repeated_options),
        cmocka_unit_test(waits_for_what_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
