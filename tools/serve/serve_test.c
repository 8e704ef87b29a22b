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
    assert_non_null(strstr(text.data, "item b b\n"));
    assert_non_null(strstr(text.data, "--default a "));
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
        cmocka_unit_test(names_stay_in_the_folder),
        cmocka_unit_test(dnsmasq_is_told_of_http_boot_where_it_answers_that),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
