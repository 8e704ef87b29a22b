/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/leftover.h"

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "svcd/shim.h"

#define RUNC_MS 20000
#define LOOK_MS 20
#define ADDRESS_MAX 256
#define UNIX_SCHEME "unix://"

/* containerd waits 3 s for a shim's end, and 5 s for what cleans up behind it. */
const struct leftover_place leftover_default = {"/run/containerd/io.containerd.runtime.v2.task", "/run/containerd/runc",
                                                "/usr/bin/runc", 10000};

static char *inside(const char *dir, const char *ns, const char *name) {
    AUTO_FREE char *ours = path_join(dir, ns);

    return ours ? path_join(ours, name) : NULL;
}

static bool exists(const char *path) {
    return path && access(path, F_OK) == 0;
}

bool leftover_is_there(const struct leftover_place *at, const char *ns, const char *name) {
    AUTO_FREE char *task = inside(at->tasks, ns, name);
    AUTO_FREE char *container = inside(at->containers, ns, name);

    return exists(task) || exists(container);
}

/* If it cannot be done, the start says so: the runtime takes no second container of a name. */
static void end_container(const struct leftover_place *at, const char *ns, const char *name) {
    AUTO_FREE char *root = path_join(at->containers, ns);
    struct spawn s = SPAWN_INIT;
    int status;

    if (!root)
        return;
    s.argv = (const char *const[]){at->runc, "--root", root, "delete", "--force", name, NULL};
    s.stdout_fd = STDERR_FILENO; /* our own is for our error */
    (void)spawn_wait(&s, RUNC_MS, &status, NULL);
}

/* A shim takes its socket away when it ends in good order; where one was killed, nobody listens any more. */
static bool shim_was_killed(const char *task) {
    AUTO_FREE char *path = path_join(task, "address");
    AUTO_BUF struct buf address = BUF_INIT;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const size_t scheme = strlen(UNIX_SCHEME);

    if (!path || read_file(path, ADDRESS_MAX, &address, NULL) < 0 || !address.data)
        return false;
    if (strncmp(address.data, UNIX_SCHEME, scheme) != 0 || address.len - scheme >= sizeof(addr.sun_path))
        return false;
    memcpy(addr.sun_path, address.data + scheme, address.len - scheme);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED;
}

static void wait_for_its_end(const char *task, unsigned patience_ms) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    const uint64_t until = clock_ms() + patience_ms;

    while (exists(task) && clock_ms() < until)
        (void)nanosleep(&pause, NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st;
    (void)type;
    (void)where;
    (void)remove(path); /* what stays is seen in the end */
    return 0;
}

static int remove_task(const char *task, struct err *e) {
    AUTO_FREE char *rootfs = path_join(task, "rootfs");

    if (!rootfs)
        return err_errno(e, -ENOMEM, "could not remove %s", task);
    (void)umount2(rootfs, MNT_DETACH); /* mostly nothing is mounted there */
    (void)nftw(task, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return exists(task) ? err_set(e, -EBUSY, "could not remove %s, which an earlier run has left", task) : 0;
}

int leftover_remove(const struct leftover_place *at, const char *ns, const char *name, struct err *e) {
    AUTO_FREE char *container = inside(at->containers, ns, name);
    AUTO_FREE char *task = inside(at->tasks, ns, name);

    if (!container || !task)
        return err_errno(e, -ENOMEM, "could not remove what an earlier run has left");
    if (exists(container))
        end_container(at, ns, name);
    if (exists(task) && !shim_was_killed(task)) {
        wait_for_its_end(task, at->patience_ms);
        if (exists(task) && shim_kill(ns, name))
            wait_for_its_end(task, at->patience_ms);
    }
    return exists(task) ? remove_task(task, e) : 0;
}

bool leftover_free(const struct leftover_place *at, const char *ns, const char *name) {
    AUTO_FREE char *task = inside(at->tasks, ns, name);

    return task && !exists(task) && shim_kill(ns, name);
}
