/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <zlib.h>

#include "tools/output/bootable.h"

static unsigned char head[BOOTABLE_HEAD];

static struct bootable parse(size_t len) {
    struct bootable b;

    bootable_parse(head, len, &b);
    return b;
}

static void clear(void) {
    memset(head, 0, sizeof(head));
}

static void kernels_are_known_by_their_magic(void **state) {
    (void)state;
    clear();
    memcpy(head, "MZ", 2);
    memcpy(head + 0x202, "HdrS", 4);
    struct bootable b = parse(4096);
    assert_int_equal(b.kind, BOOTABLE_KERNEL);
    assert_string_equal(b.arch, "amd64");
    clear();
    memcpy(head + 0x38, "ARM\x64", 4);
    b = parse(4096);
    assert_int_equal(b.kind, BOOTABLE_KERNEL);
    assert_string_equal(b.arch, "arm64");
}

static void make_pe(unsigned machine, const char *section) {
    clear();
    memcpy(head, "MZ", 2);
    head[0x3c] = 0x80;
    memcpy(head + 0x80, "PE\0", 4);
    head[0x84] = (unsigned char)machine;
    head[0x85] = (unsigned char)(machine >> 8);
    head[0x86] = 1;    /* sections */
    head[0x94] = 0x10; /* optional header */
    memcpy(head + 0x80 + 24 + 0x10, section, strlen(section));
}

static void an_efi_program_with_a_kernel_is_a_uki(void **state) {
    (void)state;
    make_pe(0xaa64, ".linux");
    struct bootable b = parse(4096);
    assert_int_equal(b.kind, BOOTABLE_UKI);
    assert_string_equal(b.arch, "arm64");
    make_pe(0x8664, ".text");
    b = parse(4096);
    assert_int_equal(b.kind, BOOTABLE_EFI);
    assert_true(b.efi);
    assert_false(b.bios);
}

static void headers_that_point_outside_are_nothing(void **state) {
    (void)state;
    make_pe(0x8664, ".linux");
    memset(head + 0x3c, 0xff, 4);
    assert_int_equal(parse(4096).kind, BOOTABLE_UNKNOWN);
    make_pe(0x8664, ".linux");
    memset(head + 0x86, 0xff, 2); /* 65535 sections */
    assert_int_equal(parse(4096).kind, BOOTABLE_UKI);
    for (size_t len = 0; len < 600; len++)
        (void)parse(len);
    assert_int_equal(parse(0).kind, BOOTABLE_UNKNOWN);
}

static void disks_tell_their_firmware(void **state) {
    (void)state;
    clear();
    head[510] = 0x55;
    head[511] = 0xaa;
    head[446 + 4] = 0xee;
    struct bootable b = parse(4096);
    assert_int_equal(b.kind, BOOTABLE_RAW);
    assert_false(b.bios || b.efi);
    memcpy(head + 512, "EFI PART", 8);
    memcpy(head + 1024, "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b", 16);
    b = parse(20480);
    assert_true(b.efi);
    assert_false(b.bios);
    head[0] = 0xfa; /* boot code */
    assert_true(parse(20480).bios);
    clear();
    memcpy(head, "QFI\xfb", 4);
    assert_int_equal(parse(512).kind, BOOTABLE_QCOW2);
    memcpy(head, "KDMV", 4);
    assert_int_equal(parse(512).kind, BOOTABLE_VMDK);
    memcpy(head, "conectix", 8);
    assert_int_equal(parse(512).kind, BOOTABLE_VHD);
}

static void other_forms_of_an_appliance_do_not_boot(void **state) {
    unsigned char tar[512] = {0};

    (void)state;
    clear();
    memcpy(head, "hsqs", 4);
    assert_int_equal(parse(4096).kind, BOOTABLE_SQUASHFS);
    clear();
    memcpy(head + 1024, "\xe2\xe1\xf5\xe0", 4);
    assert_int_equal(parse(4096).kind, BOOTABLE_EROFS);
    assert_int_equal(parse(1026).kind, BOOTABLE_UNKNOWN);
    memcpy(tar + 257, "ustar", 5);
    clear();
    memcpy(head, tar, sizeof(tar));
    assert_int_equal(parse(512).kind, BOOTABLE_TAR);
    for (enum bootable_kind kind = BOOTABLE_TAR; kind <= BOOTABLE_EROFS; kind++)
        assert_false(bootable_boots(kind) || *bootable_disk_format(kind));
    z_stream z = {.next_in = tar, .avail_in = sizeof(tar), .next_out = head, .avail_out = sizeof(head)};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = z.total_out;
    (void)deflateEnd(&z);
    assert_int_equal(parse(len).kind, BOOTABLE_TAR);
    assert_int_equal(parse(len / 2).kind, BOOTABLE_UNKNOWN);
    assert_int_equal(parse(2).kind, BOOTABLE_UNKNOWN);
}

static void disks_have_a_format_for_qemu(void **state) {
    (void)state;
    assert_string_equal(bootable_disk_format(BOOTABLE_VHD), "vpc");
    assert_string_equal(bootable_disk_format(BOOTABLE_ISO), "");
    assert_true(bootable_boots(BOOTABLE_ISO) && bootable_boots(BOOTABLE_VMDK) && bootable_boots(BOOTABLE_UKI));
    assert_false(bootable_boots(BOOTABLE_UNKNOWN) || bootable_boots(BOOTABLE_KERNEL));
}

static void a_boot_catalogue_tells_an_isos_firmware(void **state) {
    unsigned char catalog[2048] = {[0] = 1, [32] = 0x88};
    struct bootable b = {.kind = BOOTABLE_ISO};

    (void)state;
    bootable_parse_catalog(catalog, sizeof(catalog), &b);
    assert_true(b.bios);
    assert_false(b.efi);
    catalog[64] = 0x91; /* the last header, for EFI */
    catalog[65] = 0xef;
    catalog[96] = 0x88;
    bootable_parse_catalog(catalog, sizeof(catalog), &b);
    assert_true(b.bios && b.efi);
    b = (struct bootable){.kind = BOOTABLE_ISO};
    catalog[1] = 0xef; /* for EFI alone */
    bootable_parse_catalog(catalog, sizeof(catalog), &b);
    assert_true(b.efi && !b.bios);
}

/* What a guest may have written onto its disk must not make the host read other files for it. */
static void disks_that_go_on_elsewhere_are_told(void **state) {
    unsigned char disk[1024] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
    struct bootable b;

    (void)state;
    bootable_parse(disk, sizeof(disk), &b);
    assert_true(b.kind == BOOTABLE_QCOW2 && !b.elsewhere);
    disk[15] = 200; /* where the backing file's name is */
    bootable_parse(disk, sizeof(disk), &b);
    assert_true(b.elsewhere);
    disk[15] = 0;
    disk[79] = 4; /* its data are in a file of their own */
    bootable_parse(disk, sizeof(disk), &b);
    assert_true(b.elsewhere);
    disk[7] = 2; /* a version that has no such feature */
    bootable_parse(disk, sizeof(disk), &b);
    assert_false(b.elsewhere);
    memcpy(disk, "KDMV", 4);
    bootable_parse(disk, sizeof(disk), &b);
    assert_true(b.kind == BOOTABLE_VMDK && !b.elsewhere);
    memcpy(disk + 512, "parentFileNameHint=\"x\"", 22);
    bootable_parse(disk, sizeof(disk), &b);
    assert_true(b.elsewhere);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_are_known_by_their_magic),
        cmocka_unit_test(an_efi_program_with_a_kernel_is_a_uki),
        cmocka_unit_test(headers_that_point_outside_are_nothing),
        cmocka_unit_test(disks_tell_their_firmware),
        cmocka_unit_test(other_forms_of_an_appliance_do_not_boot),
        cmocka_unit_test(disks_have_a_format_for_qemu),
        cmocka_unit_test(a_boot_catalogue_tells_an_isos_firmware),
        cmocka_unit_test(disks_that_go_on_elsewhere_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
