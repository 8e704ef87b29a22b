/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

enum { KIND_NONE, KIND_FD, KIND_TIMER, KIND_SIGNALS };

int loop_init(struct loop *l) {
    *l = (struct loop){0};
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd < 0 ? -errno : 0;
}

void loop_fini(struct loop *l) {
    if (l->epoll_fd >= 0)
        (void)close(l->epoll_fd);
    l->epoll_fd = -1;
}

static int watch(struct loop *l, struct loop_source *s, int kind, int fd, uint32_t events, void *data) {
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (s->kind != KIND_NONE)
        return -EEXIST;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    s->kind = kind;
    s->fd = fd;
    s->data = data;
    return 0;
}

int loop_add_fd(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fd_fn *fn, void *data) {
    int r = watch(l, s, KIND_FD, fd, events, data);
    if (!r)
        s->cb.fd_fn = fn;
    return r;
}

int loop_modify_fd(struct loop *l, struct loop_source *s, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (s->kind != KIND_FD)
        return -ENOENT;
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

static int timer_arm(int fd, uint64_t ms) {
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}};

    if (ms == 0)
        when.it_value.tv_nsec = 1; /* all zero would disarm it */
    return timerfd_settime(fd, 0, &when, NULL) < 0 ? -errno : 0;
}

/* An expiry that is already in the batch belongs to the old deadline. */
static void forget_pending(struct loop *l, const struct loop_source *s) {
    for (int i = 0; i < l->batch_len; i++)
        if (l->batch[i].data.ptr == s)
            l->batch[i].data.ptr = NULL;
}

int loop_set_timer(struct loop *l, struct loop_source *s, uint64_t ms, loop_timer_fn *fn, void *data) {
    int r;

    if (s->kind == KIND_TIMER) {
        forget_pending(l, s);
        s->cb.timer_fn = fn;
        s->data = data;
        return timer_arm(s->fd, ms);
    }
    AUTO_CLOSE int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    r = timer_arm(fd, ms);
    if (!r)
        r = watch(l, s, KIND_TIMER, fd, EPOLLIN, data);
    if (r)
        return r;
    s->cb.timer_fn = fn;
    (void)steal_fd(&fd);
    return 0;
}

int loop_add_signals(struct loop *l, struct loop_source *s, const sigset_t *set, loop_signal_fn *fn, void *data) {
    int r;

    if (s->kind != KIND_NONE)
        return -EEXIST;
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    AUTO_CLOSE int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    r = watch(l, s, KIND_SIGNALS, fd, EPOLLIN, data);
    if (r)
        return r;
    s->cb.signal_fn = fn;
    (void)steal_fd(&fd);
    return 0;
}

void loop_remove(struct loop *l, struct loop_source *s) {
    if (s->kind == KIND_NONE)
        return;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->kind != KIND_FD)
        (void)close(s->fd);
    forget_pending(l, s);
    s->kind = KIND_NONE;
    s->fd = -1;
}

bool loop_has(const struct loop_source *s) {
    return s->kind != KIND_NONE;
}

static void dispatch_signals(struct loop *l, int index) {
    struct signalfd_siginfo info;

    for (;;) {
        struct loop_source *s = l->batch[index].data.ptr;
        if (!s) /* removed by its own callback */
            return;
        ssize_t n = read(s->fd, &info, sizeof(info));
        if (n != (ssize_t)sizeof(info)) {
            if (n < 0 && errno == EINTR)
                continue;
            return;
        }
        s->cb.signal_fn(s, &info, s->data);
    }
}

/* A timer that fired leaves the loop before its callback, which may set it again. */
static void dispatch_timer(struct loop *l, struct loop_source *s) {
    uint64_t expirations;
    loop_timer_fn *fn = s->cb.timer_fn;
    void *data = s->data;

    if (read(s->fd, &expirations, sizeof(expirations)) < 0)
        return; /* armed again since the event was queued */
    loop_remove(l, s);
    fn(s, data);
}

static void dispatch(struct loop *l, int index) {
    struct loop_source *s = l->batch[index].data.ptr;

    if (s->kind == KIND_TIMER)
        dispatch_timer(l, s);
    else if (s->kind == KIND_FD)
        s->cb.fd_fn(s, l->batch[index].events, s->data);
}

static void dispatch_batch(struct loop *l) {
    for (int i = 0; i < l->batch_len; i++) {
        const struct loop_source *s = l->batch[i].data.ptr;
        if (s && s->kind == KIND_SIGNALS) {
            dispatch_signals(l, i);
            l->batch[i].data.ptr = NULL;
        }
    }
    for (int i = 0; i < l->batch_len && !l->stopped; i++)
        if (l->batch[i].data.ptr)
            dispatch(l, i);
    l->batch_len = 0;
}

int loop_run(struct loop *l) {
    l->stopped = false;
    while (!l->stopped) {
        int n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        l->batch_len = n;
        dispatch_batch(l);
    }
    return 0;
}

void loop_stop(struct loop *l) {
    l->stopped = true;
}

uint64_t clock_ns(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_ms(void) {
    return clock_ns() / 1000000u;
}
