/* SPDX-License-Identifier: Apache-2.0 */
#include "init/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_input(struct loop_source *s, uint32_t events, void *data);
static void on_console(struct loop_source *s, uint32_t events, void *data);

static void drop(struct relay *r, size_t len) {
    r->lost += len;
    r->lost_ever += len;
    r->begin = r->end = 0;
}

/* False: the console takes no more for now. */
static bool write_out(struct relay *r) {
    while (r->begin < r->end) {
        ssize_t n = write(r->console_fd, r->buf + r->begin, r->end - r->begin);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0 && errno != EINTR)
            drop(r, r->end - r->begin); /* it is broken, not stopped: waiting would not help */
        else if (n > 0)
            r->begin += (size_t)n;
    }
    r->begin = r->end = 0;
    return true;
}

static void keep_tail(struct relay *r) {
    size_t more = r->end < RELAY_TAIL ? r->end : RELAY_TAIL;
    size_t kept = r->tail_len + more > RELAY_TAIL ? RELAY_TAIL - more : r->tail_len;

    memmove(r->tail, r->tail + r->tail_len - kept, kept);
    memcpy(r->tail + kept, r->buf + r->end - more, more);
    r->tail_len = kept + more;
    r->tail[r->tail_len] = '\0';
}

void relay_forget(struct relay *r) {
    r->tail_len = 0;
    r->tail[0] = '\0';
}

/* False: the pipe is empty. */
static bool read_in(struct relay *r) {
    ssize_t n;

    do
        n = read(r->pipe_fd, r->buf, sizeof(r->buf));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    r->end = (size_t)n;
    keep_tail(r);
    return true;
}

static void on_patience_over(struct loop_source *s, void *data) {
    struct relay *r = data;

    (void)s;
    r->given_up = true;
    drop(r, r->end - r->begin);
    (void)loop_modify_fd(r->loop, &r->in, EPOLLIN);
}

/* Whoever prints waits now, but not for longer than our patience. */
static void wait_for_console(struct relay *r) {
    if (loop_add_fd(r->loop, &r->out, r->console_fd, EPOLLOUT, on_console, r) < 0 ||
        loop_set_timer(r->loop, &r->patience, RELAY_PATIENCE_MS, on_patience_over, r) < 0) {
        loop_remove(r->loop, &r->out);
        drop(r, r->end - r->begin);
        return;
    }
    (void)loop_modify_fd(r->loop, &r->in, 0);
}

static void on_input(struct loop_source *s, uint32_t events, void *data) {
    struct relay *r = data;

    (void)s;
    (void)events;
    if (!read_in(r))
        return;
    if (r->given_up)
        drop(r, r->end);
    else if (!write_out(r))
        wait_for_console(r);
}

static void on_console(struct loop_source *s, uint32_t events, void *data) {
    struct relay *r = data;

    (void)events;
    if (r->given_up) {
        int n =
            snprintf(r->buf, sizeof(r->buf), "\ninit: %llu bytes of output lost: this console took none\n", r->lost);
        r->given_up = false;
        r->lost = 0;
        r->end = (size_t)n;
    }
    loop_remove(r->loop, &r->patience);
    if (write_out(r)) {
        loop_remove(r->loop, s);
        (void)loop_modify_fd(r->loop, &r->in, EPOLLIN);
    } else if (loop_set_timer(r->loop, &r->patience, RELAY_PATIENCE_MS, on_patience_over, r) < 0) {
        on_patience_over(&r->patience, r);
    }
}

int relay_start(struct relay *r, struct loop *l, int console_fd) {
    int ends[2];

    *r = (struct relay){.loop = l, .console_fd = console_fd, .pipe_fd = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    /* Only our end: a child that got EAGAIN for what it prints would lose it, or fail. */
    int e = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (!e)
        e = loop_add_fd(l, &r->in, ends[0], EPOLLIN, on_input, r);
    if (e < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return e;
    }
    r->pipe_fd = ends[0];
    return ends[1];
}

void relay_flush(struct relay *r) {
    while (r->pipe_fd > 0 && !r->given_up && write_out(r) && read_in(r))
        ;
}
