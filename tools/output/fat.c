/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/fat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define FAT32_FROM (512 * FAT_MIB)
#define CLUSTER_MAX ((uint64_t)32 << 10)

int fat_bytes(const struct fat_file *files, size_t len, uint64_t *bytes, struct err *e) {
    uint64_t total = 2 * FAT_MIB; /* directories, and what a loader writes itself */

    for (size_t i = 0; i < len; i++) {
        uint64_t size;
        int r = parts_size(files[i].from, &size, e);
        if (r < 0)
            return r;
        if (size >= UINT32_MAX)
            return err_set(e, -EFBIG, "could not store %s: FAT takes files up to 4 GiB only", files[i].to);
        total += size + CLUSTER_MAX;
    }
    total += total / 64; /* both tables: at most four bytes a cluster each, and clusters of 512 bytes */
    *bytes = (total + FAT_MIB - 1) / FAT_MIB * FAT_MIB;
    return 0;
}

int make_sparse(const char *path, uint64_t bytes, struct err *e) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    return fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ? err_errno(e, -errno, "could not create %s", path) : 0;
}

/* mtools takes what is behind @@ for an offset: the image is its standard input, whatever its path has in it. */
static int run_on(const char *const *argv, int image, struct err *e) {
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    return null < 0 ? err_errno(e, -errno, "could not open /dev/null") : program_run_on(argv, image, null, e);
}

static int make_directories(int image, const char *target, const char *to, struct err *e) {
    for (const char *slash = strchr(to, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *dir = NULL;
        if (asprintf(&dir, "::/%.*s", (int)(slash - to), to) < 0)
            return err_errno(e, -ENOMEM, "could not store %s", to);
        const char *const argv[] = {"mmd", "-i", target, "-D", "s", dir, NULL}; /* one that is there is skipped */
        int r = run_on(argv, image, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_files(const char *path, uint64_t offset, const struct fat_file *files, size_t len, struct err *e) {
    AUTO_CLOSE int image = open(path, O_RDWR | O_CLOEXEC);
    char target[sizeof(PROGRAM_INPUT) + 24];
    int r = image < 0 ? err_errno(e, -errno, "could not open %s", path) : 0;

    (void)snprintf(target, sizeof(target), PROGRAM_INPUT "@@%llu", (unsigned long long)offset);

    for (size_t i = 0; i < len && !r; i++) {
        AUTO_FREE char *to = NULL;
        if (asprintf(&to, "::/%s", files[i].to) < 0)
            return err_errno(e, -ENOMEM, "could not store %s", files[i].to);
        const char *const argv[] = {"mcopy", "-m", "-o", "-i", target, files[i].from, to, NULL};
        r = make_directories(image, target, files[i].to, e);
        if (!r)
            r = parts_set_time(files[i].from, e); /* which mcopy hands on */
        if (!r)
            r = run_on(argv, image, e);
    }
    return r;
}

int fat_make(const struct parts *p, const char *image, uint64_t offset, uint64_t bytes, const char *label,
             const struct fat_file *files, size_t len, struct err *e) {
    char serial[16], sectors[24], kib[24];
    uint64_t size = 0;

    (void)snprintf(serial, sizeof(serial), "%08x", parts_serial(p));
    (void)snprintf(sectors, sizeof(sectors), "%llu", (unsigned long long)(offset / SECTOR));
    (void)snprintf(kib, sizeof(kib), "%llu", (unsigned long long)(bytes / 1024));
    /* Small ones become FAT12 or FAT16, as mkfs.vfat sees fit; every firmware and loader here reads all three. */
    const char *const argv[] = {"mkfs.vfat", "--invariant", "-i",    serial, "-n", label, "-h",
                                sectors,     "--offset",    sectors, image,  kib,  NULL};
    const char *const argv32[] = {"mkfs.vfat", "--invariant", "-F",       "32",    "-i",  serial, "-n", label,
                                  "-h",        sectors,       "--offset", sectors, image, kib,    NULL};
    int r = access(image, F_OK) == 0 ? parts_size(image, &size, e) : 0;
    if (!r && size < offset + bytes)
        r = make_sparse(image, offset + bytes, e);
    if (!r)
        r = program_run(bytes < FAT32_FROM ? argv : argv32, NULL, e);
    return r ? r : copy_files(image, offset, files, len, e);
}
