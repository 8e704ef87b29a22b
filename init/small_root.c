/* SPDX-License-Identifier: Apache-2.0 */
#include "init/small_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/request.h"

#define NEW_ROOT "/root"
#define MODULES_LIST_MAX 4096

static int load(const char *path) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) {
        log_error("could not load %s: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

static void load_modules(void) {
    AUTO_BUF struct buf list = {.max = (size_t)2 * MODULES_LIST_MAX};
    struct err e = {0};

    if (read_file(SMALL_ROOT_MODULES, MODULES_LIST_MAX, &list, &e) < 0)
        log_error("%s", e.msg);
    if (!list.data)
        return; /* the kernel has all of it built in */
    for (char *line, *pos = list.data; (line = next_line(&pos));)
        if (*line)
            (void)load(line); /* said; whether it matters shows at the mount */
}

/* Returns a descriptor that keeps the loop device, whose path goes to `device`. */
static int attach(char *device, size_t len) {
    struct loop_config config = {
        .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
    };

    AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    AUTO_CLOSE int image = open(SMALL_ROOT_IMAGE, O_RDONLY | O_CLOEXEC);
    int number = control < 0 || image < 0 ? -1 : ioctl(control, IOCTL_REQUEST(LOOP_CTL_GET_FREE));
    if (number < 0)
        return -1;
    (void)snprintf(device, len, "/dev/loop%d", number);
    AUTO_CLOSE int fd = open(device, O_RDONLY | O_CLOEXEC);
    config.fd = (unsigned)image;
    if (fd < 0 || ioctl(fd, IOCTL_REQUEST(LOOP_CONFIGURE), &config) < 0)
        return -1;
    return steal_fd(&fd);
}

/* One of the two: which, the kernel sees from the first bytes. */
static int mount_image(const char *device) {
    return mount(device, NEW_ROOT, "squashfs", MS_RDONLY, NULL) < 0 ? mount(device, NEW_ROOT, "erofs", MS_RDONLY, NULL)
                                                                    : 0;
}

/* The old root's files are gone with their names: the loop device keeps the one that is needed. */
static int move_root(void) {
    (void)umount2("/dev", MNT_DETACH);
    (void)unlink(SMALL_ROOT_IMAGE);
    (void)unlink("/init");
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return -1;
    return 0;
}

void small_root_enter(void) {
    char device[32] = "a loop device";

    if (access(SMALL_ROOT_IMAGE, F_OK) < 0)
        return;
    log_init("init", LOG_LEVEL_NOTICE);
    (void)mkdir("/dev", 0755);
    (void)mkdir(NEW_ROOT, 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL) < 0)
        log_error("could not mount /dev: %s", strerror(errno));
    load_modules();
    AUTO_CLOSE int fd = attach(device, sizeof(device));
    if (fd < 0 || mount_image(device) < 0 || move_root() < 0) {
        log_error("could not mount the root (%s) from %s: %s", SMALL_ROOT_MARK, device, strerror(errno));
        return;
    }
    const char *const argv[] = {"/sbin/init", NULL};
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    log_error("could not execute /sbin/init in the new root: %s", strerror(errno));
}
