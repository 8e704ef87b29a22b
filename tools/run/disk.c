/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/spawn.h"
#include "tools/output/bootable.h"
#include "tools/output/program.h"

#define CREATE_DEADLINE_MS 60000

static int create(const struct run_disk *d, struct err *e) {
    if (d->size_mib == 0)
        return err_set(e, -ENOENT, "could not open disk %s: no such file, and no size= to make it", d->path);
    char size[32];
    (void)snprintf(size, sizeof(size), "%lluM", (unsigned long long)d->size_mib);
    static const struct need need = {"qemu-img", "qemu-utils"};
    int r = need_check(&need, e);
    if (r < 0)
        return err_wrap(e, r, "could not make disk %s", d->path);
    AUTO_FREE char *path = NULL;
    /* A colon would make a protocol of what comes before it. */
    if (asprintf(&path, "%s%s", *d->path == '/' ? "" : "./", d->path) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not make disk %s", d->path);
    }
    const char *const argv[] = {"qemu-img", "create", "-q", "-f", d->format, "--", path, size, NULL};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    int status;
    r = spawn_wait(&s, CREATE_DEADLINE_MS, &status, e);
    if (r < 0)
        return err_wrap(e, r, "could not make disk %s", d->path);
    char reason[64];
    if (status != 0)
        return err_set(e, -EIO, "could not make disk %s: qemu-img %s", d->path,
                       exit_reason(status, reason, sizeof(reason)));
    return 0;
}

int disk_prepare(struct run_disk *d, bool dry_run, struct err *e) {
    struct bootable is;
    AUTO_CLOSE int fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return err_errno(e, -errno, "could not open disk %s", d->path);
    if (fd >= 0 && d->format[0])
        return 0;
    if (fd < 0) {
        if (!d->format[0])
            memcpy(d->format, "qcow2", sizeof("qcow2"));
        return dry_run ? 0 : create(d, e);
    }
    int r = bootable_look_fd(fd, &is);
    if (r < 0)
        return err_errno(e, r, "could not read disk %s", d->path);
    /* A guest may have written that itself, onto a raw disk: then it would read files of the host. */
    if (is.elsewhere)
        return err_set(
            e, -EINVAL,
            "could not use disk %s: it says that it goes on in another file; give format=qcow2 if that is so, "
            "and format=raw if its contents are no business of the host",
            d->path);
    (void)snprintf(d->format, sizeof(d->format), "%s",
                   bootable_disk_format(is.kind == BOOTABLE_QCOW2 ? is.kind : BOOTABLE_RAW));
    return 0;
}
