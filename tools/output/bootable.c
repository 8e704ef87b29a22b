/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "tools/output/bootable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

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
#define TAR_MAGIC_AT 257
#define TAR_MAGIC "ustar"

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

    for (size_t i = 0; i < 4; i++)
        b->efi = b->efi || head[446 + 16 * i + 4] == PARTITION_ESP;
    for (size_t at = 2 * GPT_SECTOR;
         has(head, len, GPT_SECTOR, "EFI PART", 8) && at + 128 <= len && at < 34 * GPT_SECTOR; at += 128)
        b->efi = b->efi || !memcmp(head + at, esp, sizeof(esp));
    for (size_t i = 0; i < 440; i++)
        b->bios = b->bios || head[i] != 0;
}

/* What is packed with gzip is a tar with a disk in it, or an initrd, which is nothing here. */
static void parse_gzip(const unsigned char *head, size_t len, struct bootable *b) {
    unsigned char block[512] = {0};
    z_stream z = {.next_in = head, .avail_in = (uInt)len, .next_out = block, .avail_out = sizeof(block)};

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return;
    (void)inflate(&z, Z_SYNC_FLUSH);
    (void)inflateEnd(&z);
    if (has(block, sizeof(block), TAR_MAGIC_AT, TAR_MAGIC, 5))
        b->kind = BOOTABLE_TAR;
}

/* docs/interop/qcow2.txt of QEMU: the offset of a backing file's name; an external data file. */
static void parse_qcow2(const unsigned char *head, size_t len, struct bootable *b) {
    static const unsigned char none[8];

    b->elsewhere =
        (len >= 16 && !has(head, len, 8, none, sizeof(none))) || (len > 79 && head[7] >= 3 && (head[79] & 4));
}

static void parse_vmdk(const unsigned char *head, size_t len, struct bootable *b) {
    static const char hint[] = "parentFileNameHint";

    b->elsewhere = memmem(head, len, hint, sizeof(hint) - 1) != NULL;
}

/* The first that fits counts: a kernel and an ISO may begin as a disk does. */
void bootable_parse(const unsigned char *head, size_t len, struct bootable *b) {
    static const struct {
        size_t at;
        const char *magic;
        size_t len;
        enum bootable_kind kind;
        const char *arch;
        void (*parse)(const unsigned char *head, size_t len, struct bootable *b);
    } magics[] = {
        {TAR_MAGIC_AT, TAR_MAGIC, 5, BOOTABLE_TAR, "", NULL},
        {0x202, "HdrS", 4, BOOTABLE_KERNEL, "amd64", NULL},
        {0x38, "ARM\x64", 4, BOOTABLE_KERNEL, "arm64", NULL},
        {0, "QFI\xfb", 4, BOOTABLE_QCOW2, "", parse_qcow2},
        {0, "KDMV", 4, BOOTABLE_VMDK, "", parse_vmdk},
        {0, "conectix", 8, BOOTABLE_VHD, "", NULL},
        {0, "hsqs", 4, BOOTABLE_SQUASHFS, "", NULL},
        {1024, "\xe2\xe1\xf5\xe0", 4, BOOTABLE_EROFS, "", NULL},
        {16 * ISO_SECTOR, "\1CD001", 6, BOOTABLE_ISO, "", NULL},
        {0, "\x1f\x8b", 2, BOOTABLE_UNKNOWN, "", parse_gzip},
        {0, "MZ", 2, BOOTABLE_UNKNOWN, "", parse_pe},
        {510, "\x55\xaa", 2, BOOTABLE_RAW, "", parse_disk},
    };

    *b = (struct bootable){.arch = ""};
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (!has(head, len, magics[i].at, magics[i].magic, magics[i].len))
            continue;
        *b = (struct bootable){.kind = magics[i].kind, .arch = magics[i].arch};
        if (magics[i].parse)
            magics[i].parse(head, len, b);
        return;
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

int bootable_look_fd(int fd, struct bootable *b) {
    AUTO_FREE unsigned char *head = calloc(1, BOOTABLE_HEAD);
    ssize_t n = !head ? -ENOMEM : lseek(fd, 0, SEEK_SET) < 0 ? -errno : read_full(fd, head, BOOTABLE_HEAD);

    if (n < 0)
        return (int)n;
    bootable_parse(head, (size_t)n, b);
    if (b->kind == BOOTABLE_ISO)
        look_at_catalog(fd, head, (size_t)n, b);
    return 0;
}

int bootable_look(const char *path, struct bootable *b, struct err *e) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : bootable_look_fd(fd, b);

    return r < 0 ? err_errno(e, r, "could not read %s", path) : 0;
}

static const struct {
    const char *name, *disk_format;
    bool boots;
} kinds[] = {
    [BOOTABLE_UNKNOWN] = {"something else", "", false},
    [BOOTABLE_KERNEL] = {"a kernel", "", false},
    [BOOTABLE_UKI] = {"a UKI", "", true},
    [BOOTABLE_EFI] = {"an EFI program", "", true},
    [BOOTABLE_ISO] = {"an ISO", "", true},
    [BOOTABLE_RAW] = {"a raw disk", "raw", true},
    [BOOTABLE_QCOW2] = {"a qcow2 disk", "qcow2", true},
    [BOOTABLE_VMDK] = {"a vmdk disk", "vmdk", true},
    [BOOTABLE_VHD] = {"a VHD disk", "vpc", true},
    [BOOTABLE_TAR] = {"a tar", "", false},
    [BOOTABLE_SQUASHFS] = {"a squashfs", "", false},
    [BOOTABLE_EROFS] = {"an erofs", "", false},
};

const char *bootable_name(enum bootable_kind kind) {
    return kinds[kind].name;
}

bool bootable_boots(enum bootable_kind kind) {
    return kinds[kind].boots;
}

const char *bootable_disk_format(enum bootable_kind kind) {
    return kinds[kind].disk_format;
}
