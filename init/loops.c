/* SPDX-License-Identifier: Apache-2.0 */
#include "init/loops.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/fdutil.h"
#include "lib/request.h"

bool path_is_at_or_below(const char *path, const char *above) {
    size_t len = strlen(above);

    return !strncmp(path, above, len) && (path[len] == '/' || path[len] == '\0');
}

void loop_devices_below(const char *where, loop_device_fn *fn, void *data) {
    char path[320], file[512];

    AUTO_CLOSEDIR DIR *dir = opendir("/sys/block");
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "loop", 4) != 0)
            continue;
        (void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", entry->d_name);
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read_full(fd, file, sizeof(file) - 1);
        file[n < 0 ? 0 : n] = '\0';
        file[strcspn(file, "\n")] = '\0';
        if (path_is_at_or_below(file, where))
            fn(entry->d_name, file, data);
    }
}

/* The kernel would let go of a device in use at its last close only; it is asked again in the next round. */
static void detach(const char *name, const char *file, void *data) {
    char path[64];
    size_t *done = data;

    (void)file;
    (void)snprintf(path, sizeof(path), "/dev/%.32s", name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, IOCTL_REQUEST(LOOP_CLR_FD), 0) == 0)
        (*done)++;
}

size_t loop_devices_detach(const char *where) {
    size_t done = 0;

    loop_devices_below(where, detach, &done);
    return done;
}
