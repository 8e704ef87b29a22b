/* SPDX-License-Identifier: Apache-2.0 */
/* Tars and ISOs, with libarchive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/temp.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/output.h"

#define CHUNK ((size_t)64 << 10)
/* What a tar begins with that holds no tree, but a disk, or the files of one (rpi3). */
#define DISK_IN_TAR "disk.raw"
#define CARD_IN_TAR "bootcode.bin"

struct contents {
    struct archive *a;
    bool failed;
};

static ssize_t read_contents(void *cookie, char *data, size_t len) {
    struct contents *c = cookie;
    la_ssize_t n = archive_read_data(c->a, data, len);

    c->failed = c->failed || n < 0;
    return n < 0 ? -1 : (ssize_t)n;
}

static int hand_on(struct inspection *in, struct archive *a, payload_fn *read, struct err *e) {
    struct contents c = {.a = a};
    AUTO_FCLOSE FILE *f = fopencookie(&c, "r", (cookie_io_functions_t){.read = read_contents});
    int r = f ? read(in, f, e) : err_errno(e, -ENOMEM, "could not unpack it");

    return c.failed ? err_set(e, -EBADMSG, "could not unpack it: %s", archive_error_string(a)) : r;
}

/* The kernel's files stand below boot/ in a tar of the tree, and alone in a tar-kernel-initrd. */
static payload_fn *payload_in_tar(const char *path) {
    if (!strcmp(path, BOOT_KERNEL) || !strcmp(path, "kernel"))
        return payload_kernel;
    if (!strcmp(path, BOOT_CMDLINE) || !strcmp(path, "cmdline"))
        return payload_cmdline;
    return strcmp(path, "initrd.img") ? NULL : payload_initrd;
}

/* Its holes stay holes. */
static int read_disk(struct inspection *in, struct archive *a, struct archive_entry *ae, struct err *e) {
    AUTO_CLOSE int fd = temp_unnamed(e);

    if (fd < 0)
        return fd;
    if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK)
        return err_set(e, -EBADMSG, "could not unpack " DISK_IN_TAR ": %s", archive_error_string(a));
    if (ftruncate(fd, (off_t)archive_entry_size(ae)) < 0)
        return err_errno(e, -errno, "could not unpack " DISK_IN_TAR);
    return disk_read(in, fd, e);
}

static int read_entry(struct inspection *in, struct archive *a, struct archive_entry *ae, enum archive_use use,
                      struct err *e) {
    const char *path = archive_entry_pathname(ae);
    bool regular = archive_entry_filetype(ae) == AE_IFREG && !archive_entry_hardlink(ae);

    if (!path)
        return err_set(e, -EBADMSG, "it has an entry without a name");
    path += 2 * !strncmp(path, "./", 2);
    payload_fn *read = use == ARCHIVE_TAR      ? payload_in_tar(path)
                       : use == ARCHIVE_MEDIUM ? payload_on_medium(path)
                                               : NULL;
    if (read)
        return hand_on(in, a, read, e);
    if (use == ARCHIVE_MEDIUM)
        return 0;
    return item_count(in, path, regular, (uint64_t)archive_entry_size(ae), 0, e);
}

static int read_entries(struct inspection *in, struct archive *a, enum archive_use use, struct err *e) {
    struct archive_entry *ae;
    int status, r = 0;
    bool first = true;

    while (!r && (status = archive_read_next_header(a, &ae)) != ARCHIVE_EOF) {
        const char *path = status == ARCHIVE_OK || status == ARCHIVE_WARN ? archive_entry_pathname(ae) : NULL;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            return err_set(e, -EBADMSG, "could not read it: %s", archive_error_string(a));
        if (use == ARCHIVE_TAR && first && path && !strcmp(path, DISK_IN_TAR))
            return read_disk(in, a, ae, e);
        if (use == ARCHIVE_TAR && first && path && !strcmp(path, CARD_IN_TAR))
            use = ARCHIVE_MEDIUM;
        first = false;
        r = read_entry(in, a, ae, use, e);
    }
    return r;
}

int archive_read_all(struct inspection *in, int fd, enum archive_use use, struct err *e) {
    struct archive *a = archive_read_new();
    int r;

    if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_support_format_iso9660(a) != ARCHIVE_OK || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, fd, CHUNK) != ARCHIVE_OK)
        r = err_set(e, -EBADMSG, "could not read it: %s", a ? archive_error_string(a) : "no memory");
    else
        r = read_entries(in, a, use, e);
    (void)archive_read_free(a);
    return r;
}
