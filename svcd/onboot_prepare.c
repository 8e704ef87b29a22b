/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done in the root for a one-shot before runc is called, and waiting for a child with its deadline. A mount
 * from another machine may block who asks for it, and nothing but a signal that kills it ends that: so a child asks.
 */
#include "svcd/onboot_prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "svcd/onboot_priv.h"

/* --- waiting --- */

static struct attend attend_of(struct oneshot *o, uint64_t deadline_ms) {
    struct attend a = {.who = o->label, .deadline_ms = deadline_ms};

    a.tees[0] = o->out.tee.from >= 0 ? &o->out.tee : NULL;
    a.tees[1] = o->err.tee.from >= 0 ? &o->err.tee : NULL;
    return a;
}

static bool ends_in_time(struct oneshot *o, int pidfd) {
    const struct attend grace = attend_of(o, clock_ms() + ONESHOT_KILL_GRACE_MS);

    return attend_end(&grace, pidfd) == 0;
}

/* False: it sits in the kernel, and nothing will end it. */
static bool kill_for_good(struct oneshot *o, pid_t pid, int pidfd, void (*kill_all)(struct oneshot *o)) {
    if (kill_all) {
        kill_all(o);
        if (ends_in_time(o, pidfd))
            return true;
    }
    (void)kill(pid, SIGKILL);
    return ends_in_time(o, pidfd);
}

static int reap(pid_t pid, int *status) {
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int oneshot_attend(struct oneshot *o, pid_t pid, int pidfd, void (*kill_all)(struct oneshot *o), int *status,
                   struct err *e) {
    const struct attend a = attend_of(o, o->deadline_ms);
    int r = attend_end(&a, pidfd);

    o->late |= r == -ETIMEDOUT;
    bool ended = r == 0 || kill_for_good(o, pid, pidfd, kill_all);
    int reaped = ended ? reap(pid, status) : 0;
    if (o->late)
        return err_set(e, r, "it %s: it took longer than its deadline of %llu ms",
                       ended ? "was killed" : "does not end, not even killed",
                       (unsigned long long)o->runtime.deadline_ms);
    if (r < 0 || reaped < 0)
        return err_errno(e, r < 0 ? r : reaped, "could not wait for %s", o->label);
    return 0;
}

/* --- the child --- */

static void keep_quiet(const char *line, size_t len) {
    (void)line; /* the parent has read the same file, and said what is to be said of it */
    (void)len;
}

int onboot_preparer_main(int argc, char **argv) {
    struct runtime rt;
    struct err e = {0};

    if (argc != 2)
        return 100;
    AUTO_FREE char *path = path_join(argv[1], "runtime.json");
    if (!path)
        return 1;
    log_set_sink(keep_quiet);
    int r = runtime_load(path, &rt, &e);
    if (!r)
        r = runtime_prepare(&rt, argv[1], &e);
    if (r < 0)
        (void)write_full(STDOUT_FILENO, e.msg, strlen(e.msg));
    return r < 0;
}

/* --- who asks for it --- */

static int start_preparer(const struct oneshot *o, pid_t *pid, int *pidfd, int *words, struct err *e) {
    struct spawn s = SPAWN_INIT;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not prepare %s", o->label);
    s.argv = (const char *const[]){ONBOOT_PREPARER, o->bundle, NULL};
    s.program = o->sys->preparer;
    s.stdout_fd = fds[1];
    s.die_with_us = true;
    int r = spawn(&s, pid, pidfd, e);
    (void)close(fds[1]);
    *words = fds[0];
    return r;
}

static int prepare_aside(struct oneshot *o, struct err *e) {
    AUTO_CLOSE int pidfd = -1;
    AUTO_CLOSE int words = -1;
    char why[ERR_MSG_MAX];
    pid_t pid;
    int status = 0;

    int r = start_preparer(o, &pid, &pidfd, &words, e);
    if (!r)
        r = oneshot_attend(o, pid, pidfd, NULL, &status, e);
    if (r < 0)
        return err_wrap(e, r, "could not prepare it");
    ssize_t n = status ? read_full(words, why, sizeof(why) - 1) : 0;
    why[n < 0 ? 0 : n] = '\0';
    if (status && !*why)
        return err_set(e, -EIO, "what prepares it %s", exit_reason(status, why, sizeof(why)));
    return status ? err_set(e, -EIO, "%s", why) : 0;
}

int oneshot_prepare(struct oneshot *o, struct err *e) {
    return runtime_may_block(&o->runtime) ? prepare_aside(o, e) : runtime_prepare(&o->runtime, o->bundle, e);
}
