/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/look.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/openat2.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

struct look {
    struct service *s;
    const char *path;
    look_fn *done; /* NULL: nobody waits */
    pid_t pid;     /* 0: none */
    int pidfd;
    bool old; /* the child is not for this path, and has been killed */
    struct loop_source end;
};

/* --- the child --- */

/* Its exit status is the errno: all of them are small. */
int look_main(int argc, char **argv) {
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    char root[64];

    if (argc != 3)
        return EINVAL;
    (void)snprintf(root, sizeof(root), "/proc/%s/root", argv[1]);
    AUTO_CLOSE int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, argv[2], &how, sizeof(how));
    return fd < 0 ? errno : 0;
}

/* --- who waits for it --- */

static void release(struct look *l) {
    loop_remove(l->s->loop, &l->end);
    if (l->pidfd >= 0)
        (void)close(l->pidfd);
    l->s->look = NULL;
    free(l);
}

static int begin(struct look *l);

static void conclude(struct look *l, int code) {
    struct service *s = l->s;
    look_fn *done = l->done;

    release(l);
    if (done)
        done(s, code);
}

static int code_of(int status) {
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static void on_end(struct loop_source *src, uint32_t events, void *data) {
    struct look *l = data;
    int status;

    (void)events;
    pid_t ended = waitpid(l->pid, &status, WNOHANG);
    if (ended == 0)
        return;
    loop_remove(l->s->loop, src);
    (void)close(l->pidfd);
    l->pidfd = -1;
    if (!l->old || !l->done) {
        conclude(l, ended < 0 ? -ECHILD : code_of(status));
        return;
    }
    int r = begin(l);
    if (r < 0)
        conclude(l, r);
}

static int begin(struct look *l) {
    struct spawn sp = SPAWN_INIT;
    char pid[16];

    (void)snprintf(pid, sizeof(pid), "%u", l->s->pid);
    sp.argv = (const char *const[]){LOOK_NAME, pid, l->path, NULL};
    sp.program = "/proc/self/exe";
    sp.die_with_us = true;
    l->old = false;
    int r = spawn(&sp, &l->pid, &l->pidfd, NULL);
    if (r < 0)
        return r;
    r = loop_add_fd(l->s->loop, &l->end, l->pidfd, EPOLLIN, on_end, l);
    if (r < 0)
        (void)kill(l->pid, SIGKILL); /* PID 1 reaps it when svcd has ended */
    return r;
}

int look_start(struct service *s, const char *path, look_fn *done) {
    look_cancel(s);
    if (s->look) {
        s->look->path = path;
        s->look->done = done;
        return 0;
    }
    struct look *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    *l = (struct look){.s = s, .path = path, .done = done, .pidfd = -1};
    s->look = l;
    int r = begin(l);
    if (r < 0)
        release(l);
    return r;
}

void look_cancel(struct service *s) {
    struct look *l = s->look;

    if (!l)
        return;
    (void)kill(l->pid, SIGKILL); /* not reaped yet: the number is its own */
    l->old = true;
    l->done = NULL;
}

void look_fini(struct service *s) {
    look_cancel(s);
    if (!s->look)
        return;
    (void)waitpid(s->look->pid, NULL, WNOHANG);
    release(s->look);
}
