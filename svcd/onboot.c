/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `runc run` where nothing has to happen between create and start, else create, give interfaces and bind namespaces,
 * start, wait, delete. The container's process is an orphan of runc create; as a subreaper this program is who waits
 * for it.
 */
#include "svcd/onboot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "runtime-config/runtime.h"

#define RUNC "/usr/bin/runc"
#define SHOW_MAX ((size_t)64 << 10) /* bytes of each log shown on the console */

const struct oneshot_dir oneshot_onboot = {"/containers/onboot", "/run/log/onboot", "/var/log/onboot", "onboot",
                                           "010-onboot"};
const struct oneshot_dir oneshot_onshutdown = {"/containers/onshutdown", "/run/log/shutdown", "/var/log/shutdown",
                                               "shutdown", NULL};

struct oneshot {
    const struct oneshot_dir *dir;
    const struct cmdline *cmdline;
    char *bundle, *id, *stderr_path, *stdout_path;
    int stderr_fd, stdout_fd;
    struct runtime runtime;
};

static void announce(const struct oneshot *o, const char *stage) {
    if (o->cmdline->runc_debug)
        log_notice("%s: %s", o->id, stage);
}

static int runc(const struct oneshot *o, const char *const *args, int *status, struct err *e) {
    const char *argv[16] = {RUNC};
    size_t n = 1;
    struct spawn s = SPAWN_INIT;

    if (o->cmdline->runc_debug)
        argv[n++] = "--debug";
    for (; *args && n + 1 < ARRAY_SIZE(argv); args++)
        argv[n++] = *args;
    s.argv = argv;
    if (!o->cmdline->runc_console) {
        s.stdout_fd = o->stdout_fd;
        s.stderr_fd = o->stderr_fd;
    }
    return spawn_wait(&s, 0, status, e);
}

/* A runc command that must succeed. */
static int runc_step(const struct oneshot *o, const char *const *args, struct err *e) {
    char reason[96];
    int status;
    int r = runc(o, args, &status, e);

    if (!r && status != 0)
        r = err_set(e, -EIO, "runc %s %s", args[0], exit_reason(status, reason, sizeof(reason)));
    return r;
}

static int read_pid(const char *path, pid_t *pid, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    uint64_t n;
    int r = read_file(path, 32, &text, e);

    if (r < 0)
        return r;
    if (!text.data || parse_u64(text.data, INT32_MAX, &n) < 0)
        return err_set(e, -EINVAL, "could not read a pid from %s", path);
    *pid = (pid_t)n;
    return 0;
}

static int create_and_start(const struct oneshot *o, int *status, struct err *e) {
    AUTO_FREE char *pid_file = NULL;
    pid_t pid = 0;

    if (asprintf(&pid_file, "/run/keelson/%s.pid", o->id) < 0) {
        pid_file = NULL;
        return err_errno(e, -ENOMEM, "could not run %s", o->id);
    }
    announce(o, "creating");
    int r =
        runc_step(o, (const char *const[]){"create", "--bundle", o->bundle, "--pid-file", pid_file, o->id, NULL}, e);
    if (!r)
        r = read_pid(pid_file, &pid, e);
    (void)unlink(pid_file);
    if (r < 0)
        return r;
    announce(o, "preparing");
    r = runtime_prepare_process(&o->runtime, pid, NULL, e);
    if (!r) {
        announce(o, "starting");
        r = runc_step(o, (const char *const[]){"start", o->id, NULL}, e);
    }
    announce(o, "waiting");
    while (!r && waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            r = err_errno(e, -errno, "could not wait for %s", o->id);
    announce(o, "cleaning up");
    int deleted = runc_step(o, (const char *const[]){"delete", "--force", o->id, NULL}, r < 0 ? NULL : e);
    return r < 0 ? r : deleted;
}

static int run_container(const struct oneshot *o, int *status, struct err *e) {
    if (runtime_wants_process(&o->runtime))
        return create_and_start(o, status, e);
    announce(o, "creating, starting and waiting");
    return runc(o, (const char *const[]){"run", "--bundle", o->bundle, o->id, NULL}, status, e);
}

/* --- logs --- */

static void show_log(const char *path) {
    AUTO_BUF struct buf text = BUF_INIT;

    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *room = fd < 0 ? NULL : buf_reserve(&text, SHOW_MAX);
    ssize_t n = room ? read_full(fd, room, SHOW_MAX) : 0;
    if (n > 0)
        (void)write_full(STDERR_FILENO, room, (size_t)n); /* a console that takes no more does without */
}

static int open_log(const char *path, int *fd, struct err *e) {
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return *fd < 0 ? err_errno(e, -errno, "could not open %s", path) : 0;
}

static int name_all(struct oneshot *o, const char *name, struct err *e) {
    o->bundle = path_join(o->dir->dir, name);
    if (asprintf(&o->id, "%s.%s", o->dir->prefix, name) < 0)
        o->id = NULL;
    if (!o->id || asprintf(&o->stderr_path, "%s/%s.log", o->dir->log_dir, o->id) < 0)
        o->stderr_path = NULL;
    if (!o->id || asprintf(&o->stdout_path, "%s/%s.out.log", o->dir->log_dir, o->id) < 0)
        o->stdout_path = NULL;
    return o->bundle && o->stderr_path && o->stdout_path ? 0 : err_errno(e, -ENOMEM, "could not run %s", name);
}

static void release(struct oneshot *o) {
    if (o->stderr_fd >= 0)
        (void)close(o->stderr_fd);
    if (o->stdout_fd >= 0)
        (void)close(o->stdout_fd);
    runtime_free(&o->runtime);
    free(o->bundle);
    free(o->id);
    free(o->stderr_path);
    free(o->stdout_path);
}

static int prepare(struct oneshot *o, const char *name, struct err *e) {
    AUTO_FREE char *runtime_json = NULL;
    int r = name_all(o, name, e);

    if (!r)
        r = open_log(o->stderr_path, &o->stderr_fd, e);
    if (!r)
        r = open_log(o->stdout_path, &o->stdout_fd, e);
    if (r < 0)
        return r;
    runtime_json = path_join(o->bundle, "runtime.json");
    if (!runtime_json)
        return err_errno(e, -ENOMEM, "could not run %s", name);
    r = runtime_load(runtime_json, &o->runtime, e);
    return r < 0 ? r : runtime_prepare(&o->runtime, o->bundle, e);
}

/* What was mounted for a container that fails stays, for whoever looks why. */
static int run_one(const struct oneshot_dir *d, const char *name, const struct cmdline *c, struct err *e) {
    struct oneshot o = {.dir = d, .cmdline = c, .stderr_fd = -1, .stdout_fd = -1};
    char reason[96];
    int status = 0;
    int r = prepare(&o, name, e);

    if (!r)
        r = run_container(&o, &status, e);
    if (!r && status != 0)
        r = err_set(e, -EIO, "it %s", exit_reason(status, reason, sizeof(reason)));
    if (o.stdout_path && !c->runc_console) {
        show_log(o.stdout_path);
        show_log(o.stderr_path);
    }
    if (!r) {
        runtime_unmount(&o.runtime, o.bundle);
        announce(&o, "complete");
    }
    release(&o);
    return r;
}

static void stamp(const struct oneshot_dir *d, const char *name, uint64_t start, bool ok, const char *detail) {
    char stage[128];

    if (!d->stage)
        return;
    (void)snprintf(stage, sizeof(stage), "%s/%s", d->prefix, name);
    const struct timeline_stage s = {stage, d->stage, start, clock_ns(), ok, detail};
    (void)timeline_append(TIMELINE_PATH, &s);
}

static void make_log_dir(const struct oneshot_dir *d) {
    struct err e = {0};

    if (mkdir_p(d->log_dir, 0755, &e) < 0)
        log_error("%s", e.msg);
    if (symlink(d->log_dir, d->link) < 0 && errno != EEXIST)
        log_error("could not link %s: %s", d->link, strerror(errno));
}

unsigned oneshot_run(const struct oneshot_dir *d, const struct cmdline *c) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    unsigned failures = 0;

    int r = list_dir(d->dir, &names, &e);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_log_dir(d);
    for (size_t i = 0; i < names.len; i++) {
        uint64_t start = clock_ns();
        e.msg[0] = '\0';
        r = run_one(d, names.v[i], c, &e);
        if (r < 0) {
            failures++;
            log_error("%s container %s failed: %s", d->prefix, names.v[i], e.msg);
        }
        stamp(d, names.v[i], start, r == 0, r < 0 ? e.msg : "");
    }
    return failures;
}

/* --- volumes --- */

static int mount_volume(const char *dir, const char *name, struct err *e) {
    AUTO_FREE char *base = path_join(dir, name);
    AUTO_FREE char *tmp = base ? path_join(base, "tmp") : NULL;
    AUTO_FREE char *merged = base ? path_join(base, "merged") : NULL;
    AUTO_FREE char *lower = base ? path_join(base, "lower") : NULL;
    AUTO_FREE char *data = NULL;
    struct stat st;

    if (!tmp || !merged || !lower)
        return err_errno(e, -ENOMEM, "could not mount volume %s", name);
    if (stat(tmp, &st) < 0) {
        if (mount(lower, merged, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, merged, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
            return err_errno(e, -errno, "could not mount read-only volume %s", name);
        return 0;
    }
    if (asprintf(&data, "lowerdir=%s/lower,upperdir=%s/tmp/upper,workdir=%s/tmp/work", base, base, base) < 0) {
        data = NULL;
        return err_errno(e, -ENOMEM, "could not mount volume %s", name);
    }
    AUTO_FREE char *upper = path_join(tmp, "upper");
    AUTO_FREE char *work = path_join(tmp, "work");
    if (mount("tmpfs", tmp, "tmpfs", 0, NULL) < 0)
        return err_errno(e, -errno, "could not mount %s", tmp);
    int r = upper ? mkdir_p(upper, 0755, e) : -ENOMEM;
    if (!r)
        r = work ? mkdir_p(work, 0755, e) : -ENOMEM;
    if (!r && mount("overlay", merged, "overlay", 0, data) < 0)
        r = err_errno(e, -errno, "could not mount volume %s", name);
    return r;
}

unsigned volumes_mount(const char *dir) {
    AUTO_NAMES struct names names = {0};
    struct err e = {0};
    unsigned failures = 0;

    int r = list_dir(dir, &names, &e);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    for (size_t i = 0; i < names.len; i++)
        if (mount_volume(dir, names.v[i], &e) < 0) {
            failures++;
            log_error("%s", e.msg);
        }
    return failures;
}
