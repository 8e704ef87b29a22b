/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one event loop: epoll, with signals through signalfd, timers through timerfd and child exits through pidfds.
 * Sources are embedded in the caller's structures: the loop allocates nothing. A callback may remove any source, its
 * own too, and free the memory it is in: events of the same batch that were meant for it are forgotten.
 * Signals (SIGCHLD among them) are served before everything else of a batch.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "lib/err.h"

#define LOOP_BATCH 32

struct loop_source;

typedef void loop_fd_fn(struct loop_source *s, uint32_t events, void *data);
typedef void loop_timer_fn(struct loop_source *s, void *data);
typedef void loop_signal_fn(struct loop_source *s, const struct signalfd_siginfo *info, void *data);

/* Zero-initialise before first use (or LOOP_SOURCE_INIT); private otherwise. */
struct loop_source {
    int kind;
    int fd;
    void *data;
    union {
        loop_fd_fn *fd_fn;
        loop_timer_fn *timer_fn;
        loop_signal_fn *signal_fn;
    } cb;
};

#define LOOP_SOURCE_INIT                                                                                               \
    { 0 }

struct loop {
    int epoll_fd;
    bool stopped;
    struct epoll_event batch[LOOP_BATCH];
    int batch_len;
};

int loop_init(struct loop *l);
void loop_fini(struct loop *l);

/* Watches fd for EPOLL* events. The fd stays the caller's: loop_remove() does not close it. */
int loop_add_fd(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fd_fn *fn, void *data);
int loop_modify_fd(struct loop *l, struct loop_source *s, uint32_t events);

/* One shot after `ms` milliseconds on the monotonic clock; setting it again restarts it. Owns its timerfd. */
int loop_set_timer(struct loop *l, struct loop_source *s, uint64_t ms, loop_timer_fn *fn, void *data);

/* Blocks the signals of the set for the process (before any child is spawned) and delivers them here. */
int loop_add_signals(struct loop *l, struct loop_source *s, const sigset_t *set, loop_signal_fn *fn, void *data);

/* No-op on a source that is not in the loop. */
void loop_remove(struct loop *l, struct loop_source *s);
bool loop_has(const struct loop_source *s);

/* Runs until loop_stop(). Returns 0 or a negative errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Milliseconds and nanoseconds on CLOCK_MONOTONIC. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

#endif
