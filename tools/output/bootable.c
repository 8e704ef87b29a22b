/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/bootable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/little.h"

#define ISO_SECTOR 2048
#define EL_TORITO_BIOS 0x00
#define EL_TORITO_EFI 0xef
#define GPT_SECTOR 512
#define PARTITION_GPT 0xee
#define PARTITION_ESP 0xef
#define PE_AMD64 0x8664
#define PE_ARM64 0xaa64
#define PE_SECTION_NAME 8

static bool has(const unsigned char *head, size_t len, size_t at, const void *magic, size_t magic_len) {
    return at + magic_len <= len && !memcmp(head + at, magic, magic_len);
}

/* Where the header of a PE program is; 0: it is none. */
static size_t find_pe(const unsigned char *head, size_t len) {
    size_t pe = len > 0x40 ? little_get(head + 0x3c, 4) : len;

    return pe <= len && len - pe >= 24 && !memcmp(head + pe, "PE\0", 4) ? pe : 0;
}

const unsigned char *bootable_section(const unsigned char *head, size_t len, const char *name) {
    char padded[PE_SECTION_NAME + 1] = "";
    size_t pe = find_pe(head, len);

    if (!pe)
        return NULL;
    (void)snprintf(padded, sizeof(padded), "%s", name);
    size_t count = little_get(head + pe + 6, 2), at = pe + 24 + little_get(head + pe + 20, 2);
    for (size_t i = 0; i < count && at + PE_SECTION <= len; i++, at += PE_SECTION)
        if (!memcmp(head + at, padded, PE_SECTION_NAME))
            return head + at;
    return NULL;
}

static void parse_pe(const unsigned char *head, size_t len, struct bootable *b) {
    size_t pe = find_pe(head, len);

    if (!pe)
        return;
    uint64_t machine = little_get(head + pe + 4, 2);
    b->arch = machine == PE_AMD64 ? "amd64" : machine == PE_ARM64 ? "arm64" : "";
    b->efi = true;
    b->kind = bootable_section(head, len, ".linux") ? BOOTABLE_UKI : BOOTABLE_EFI;
}

/* A hybrid has a BIOS loader in its first sector, as well as the EFI partition of its GPT. */
static void parse_disk(const unsigned char *head, size_t len, struct bootable *b) {
    static const unsigned char esp[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                                          0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};

    b->kind = BOOTABLE_RAW;
    for (size_t i = 0; i < 4; i++)
        b->efi = b->efi || head[446 + 16 * i + 4] == PARTITION_ESP;
    for (size_t at = 2 * GPT_SECTOR;
         has(head, len, GPT_SECTOR, "EFI PART", 8) && at + 128 <= len && at < 34 * GPT_SECTOR; at += 128)
        b->efi = b->efi || !memcmp(head + at, esp, sizeof(esp));
    for (size_t i = 0; i < 440; i++)
        b->bios = b->bios || head[i] != 0;
}

void bootable_parse(const unsigned char *head, size_t len, struct bootable *b) {
    *b = (struct bootable){.arch = ""};
    if (has(head, len, 0x202, "HdrS", 4)) {
        b->kind = BOOTABLE_KERNEL;
        b->arch = "amd64";
    } else if (has(head, len, 0x38, "ARM\x64", 4)) {
        b->kind = BOOTABLE_KERNEL;
        b->arch = "arm64";
    } else if (has(head, len, 0, "QFI\xfb", 4)) {
        b->kind = BOOTABLE_QCOW2;
    } else if (has(head, len, 0, "KDMV", 4)) {
        b->kind = BOOTABLE_VMDK;
    } else if (has(head, len, 0, "conectix", 8)) {
        b->kind = BOOTABLE_VHD;
    } else if (has(head, len, 16 * ISO_SECTOR, "\1CD001", 6)) {
        b->kind = BOOTABLE_ISO;
    } else if (has(head, len, 0, "MZ", 2)) {
        parse_pe(head, len, b);
    } else if (has(head, len, 510, "\x55\xaa", 2)) {
        parse_disk(head, len, b);
    }
}

/* One 32-byte record each: the validation and default entry, then a header and entry for each further platform. */
void bootable_parse_catalog(const unsigned char *catalog, size_t len, struct bootable *b) {
    uint32_t platform = EL_TORITO_BIOS;

    for (size_t at = 0; at + 32 <= len && (at < 64 || catalog[at]); at += 32) {
        uint32_t id = catalog[at];
        if (id == 0x01 || id == 0x90 || id == 0x91)
            platform = catalog[at + 1];
        b->bios = b->bios || (id == 0x88 && platform == EL_TORITO_BIOS);
        b->efi = b->efi || (id == 0x88 && platform == EL_TORITO_EFI);
    }
}

static void look_at_catalog(int fd, const unsigned char *head, size_t len, struct bootable *b) {
    unsigned char catalog[ISO_SECTOR];
    size_t record = 17 * ISO_SECTOR;

    if (!has(head, len, record, "\0CD001\1EL TORITO SPECIFICATION", 30) || record + 75 > len)
        return;
    off_t at = (off_t)little_get(head + record + 71, 4) * ISO_SECTOR;
    if (lseek(fd, at, SEEK_SET) == at && read_full(fd, catalog, sizeof(catalog)) == (ssize_t)sizeof(catalog))
        bootable_parse_catalog(catalog, sizeof(catalog), b);
}

int bootable_look(const char *path, struct bootable *b, struct err *e) {
    AUTO_FREE unsigned char *head = calloc(1, BOOTABLE_HEAD);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -errno : head ? read_full(fd, head, BOOTABLE_HEAD) : -ENOMEM;

    if (n < 0)
        return err_errno(e, (int)n, "could not read %s", path);
    bootable_parse(head, (size_t)n, b);
    if (b->kind == BOOTABLE_ISO)
        look_at_catalog(fd, head, (size_t)n, b);
    return 0;
}

const char *bootable_name(enum bootable_kind kind) {
    static const char *const names[] = {
        [BOOTABLE_UNKNOWN] = "something else", [BOOTABLE_KERNEL] = "a kernel",  [BOOTABLE_UKI] = "a UKI",
        [BOOTABLE_EFI] = "an EFI program",     [BOOTABLE_ISO] = "an ISO",       [BOOTABLE_RAW] = "a raw disk",
        [BOOTABLE_QCOW2] = "a qcow2 disk",     [BOOTABLE_VMDK] = "a vmdk disk", [BOOTABLE_VHD] = "a VHD disk",
    };

    return names[kind];
}
