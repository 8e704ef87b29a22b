/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/serve/catalog.h"
#include "tools/serve/dnsmasq.h"
#include "tools/serve/range.h"

static void ranges(void **state) {
    static const struct {
        const char *header;
        enum range_kind kind;
        uint64_t first, len;
    } cases[] = {
        {NULL, RANGE_ALL, 0, 0},
        {"bytes=0-9", RANGE_PART, 0, 10},
        {"bytes=10-", RANGE_PART, 10, 90},
        {"bytes=-5", RANGE_PART, 95, 5},
        {"bytes=-500", RANGE_PART, 0, 100},
        {"bytes=99-200", RANGE_PART, 99, 1},
        {"bytes=100-", RANGE_NONE, 0, 0},
        {"bytes=-0", RANGE_NONE, 0, 0},
        {"bytes=-", RANGE_ALL, 0, 0},
        {"bytes=5-2", RANGE_ALL, 0, 0},
        {"bytes=x-2", RANGE_ALL, 0, 0},
        {"bytes=0-1,4-5", RANGE_ALL, 0, 0},
        {"lines=0-1", RANGE_ALL, 0, 0},
        {"bytes=99999999999999999999999999-", RANGE_ALL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t first = 0, len = 0;
        assert_int_equal(range_parse(cases[i].header, 100, &first, &len), cases[i].kind);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(len, cases[i].len);
    }
}

static void images_are_found_by_their_files(void **state) {
    static const char *const names[] = {"a-kernel", "a-initrd.img", "a.efi",  "b.efi",   "c-kernel",
                                        ".d.efi",   "e x.efi",      "-f.efi", "boot.efi"};
    char dir[] = "/tmp/serve-test.XXXXXX", path[64];
    struct catalog c;
    AUTO_BUF struct buf text = BUF_INIT;

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
    }
    assert_int_equal(catalog_read(dir, &c, NULL), 0);
    assert_int_equal(c.len,
                     2); /* c has no initrd, d is hidden, e would have to be quoted, f is an option, boot the menu */
    assert_string_equal(c.v[0].name, "a");
    assert_true(c.v[0].kernel && c.v[0].uki);
    assert_string_equal(c.v[1].name, "b");
    assert_true(!c.v[1].kernel && c.v[1].uki);
    assert_int_equal(catalog_script(&c.v[0], "quiet", &text), 0);
    assert_string_equal(text.data, "#!ipxe\nkernel a-kernel initrd=a-initrd.img quiet\ninitrd a-initrd.img\nboot\n");
    buf_reset(&text);
    assert_int_equal(catalog_script(&c.v[1], "", &text), 0);
    assert_string_equal(text.data, "#!ipxe\nchain b.efi\n");
    buf_reset(&text);
    assert_int_equal(catalog_menu(&c, &text), 0);
    assert_non_null(strstr(text.data, "\nitem b b\n"));
    c.v[0].arch = "arm64";
    c.v[1].arch = "amd64";
    buf_reset(&text);
    assert_int_equal(catalog_menu(&c, &text), 0);
    assert_non_null(strstr(text.data, "\niseq ${buildarch} arm64 && item a a ||\n"));
    assert_non_null(strstr(text.data, "\niseq ${buildarch} arm64 || item b b\n"));
    assert_null(strstr(text.data, "--default"));
    assert_ptr_equal(catalog_uki(&c, "amd64"), &c.v[1]);
    assert_null(catalog_uki(&c, "riscv64"));
    c.len = 1;
    buf_reset(&text);
    assert_int_equal(catalog_menu(&c, &text), 0);
    assert_string_equal(text.data, "#!ipxe\nchain a.ipxe\n");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

static void what_a_script_cannot_hold_is_not_in_it(void **state) {
    static const struct {
        const char *cmdline, *unfit; /* NULL: all of it fits */
    } cases[] = {
        {"", NULL},
        {"console=ttyS0 a;b a||b $x {y} a#b", NULL},
        {"dyndbg=\"file a.c +p; file b.c +p\"", NULL},
        {"x=${y", NULL},
        {"x=} y=${", NULL},
        {"quiet -- a ; b", ";"},
        {"a || b", "||"},
        {"a\t&& b", "&&"},
        {"quiet #5", "#5"},
        {"mac=${net0/mac}", "mac=${net0/mac}"},
    };
    const struct appliance alone = {.name = "a", .kernel = true}, both = {.name = "a", .kernel = true, .uki = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_BUF struct buf a = BUF_INIT, b = BUF_INIT;
        size_t len = 0;
        const char *word = catalog_unfit_word(cases[i].cmdline, &len);
        assert_int_equal(!word, !cases[i].unfit);
        assert_int_equal(catalog_script(&alone, cases[i].cmdline, &a), 0);
        assert_int_equal(catalog_script(&both, cases[i].cmdline, &b), 0);
        assert_int_equal(!strstr(a.data, "kernel a-kernel"), !!word);
        assert_int_equal(!strcmp(b.data, "#!ipxe\nchain a.efi\n"), !!word);
        if (word && cases[i].unfit) {
            assert_int_equal(len, strlen(cases[i].unfit));
            assert_memory_equal(word, cases[i].unfit, len);
            assert_null(strstr(a.data, cases[i].unfit));
        }
    }
}

static void names_stay_in_the_folder(void **state) {
    (void)state;
    assert_true(catalog_name_ok("hello-initrd.img"));
    assert_false(catalog_name_ok("../secret"));
    assert_false(catalog_name_ok(".."));
    assert_false(catalog_name_ok("--autofree"));
    assert_false(catalog_name_ok("a/b"));
    assert_false(catalog_name_ok(""));
}

static void dnsmasq_is_told_of_http_boot_where_it_answers_that(void **state) {
    const struct appliance web = {.name = "web", .uki = true}, arm = {.name = "arm", .uki = true};
    struct dnsmasq d = {.address = "10.9.0.1", .port = 80, .amd64 = &web, .arm64 = &arm};
    AUTO_BUF struct buf proxy = BUF_INIT, server = BUF_INIT;

    (void)state;
    assert_int_equal(dnsmasq_config(&d, &proxy), 0);
    assert_non_null(strstr(proxy.data, "\ndhcp-range=10.9.0.1,proxy\n"));
    assert_null(strstr(proxy.data, "HTTPClient"));
    d.range = "10.9.0.5,10.9.0.9";
    assert_int_equal(dnsmasq_config(&d, &server), 0);
    assert_non_null(strstr(server.data, "\ndhcp-range=10.9.0.5,10.9.0.9,1h\n"));
    assert_non_null(strstr(server.data, "\ndhcp-vendorclass=set:http-amd64,HTTPClient:Arch:00016\n"));
    assert_non_null(strstr(server.data, "\ndhcp-boot=tag:http-amd64,http://10.9.0.1:80/web.efi\n"));
    assert_non_null(strstr(server.data, "\ndhcp-boot=tag:http-arm64,http://10.9.0.1:80/arm.efi\n"));
    assert_non_null(strstr(proxy.data, "\npxe-service="));
    assert_null(strstr(server.data, "pxe-service")); /* UEFI does not take it from who gives it its address */
    assert_int_equal(dnsmasq_check_range(d.range, NULL), 0);
    assert_int_equal(dnsmasq_check_range("10.9.0.5", NULL), -EINVAL);
    assert_int_equal(dnsmasq_check_range("10.9.0.5,x", NULL), -EINVAL);
    assert_int_equal(dnsmasq_check_range("10.9.0.5,10.9.0.9,static", NULL), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(images_are_found_by_their_files),
        cmocka_unit_test(what_a_script_cannot_hold_is_not_in_it),
        cmocka_unit_test(names_stay_in_the_folder),
        cmocka_unit_test(dnsmasq_is_told_of_http_boot_where_it_answers_that),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
