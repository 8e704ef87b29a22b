/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/attend.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/printable.h"

#define COPY_CHUNKS 16
#define DRAIN_CHUNKS 256 /* the largest pipe that somebody without privileges may make */

void tail_add(struct tail *t, const char *data, size_t len) {
    if (len > TAIL_MAX) {
        data += len - TAIL_MAX;
        len = TAIL_MAX;
    }
    size_t keep = t->len + len > TAIL_MAX ? TAIL_MAX - len : t->len;
    memmove(t->text, t->text + t->len - keep, keep);
    memcpy(t->text + keep, data, len);
    t->len = keep + len;
}

const char *tail_last_lines(struct tail *t, unsigned lines) {
    size_t start = t->len;

    for (; start > 0; start--)
        if (t->text[start - 1] == '\n' && start < t->len && lines-- == 1)
            break;
    t->len -= start;
    memmove(t->text, t->text + start, t->len);
    return t->text;
}

static bool log_takes_more(const struct tee *t) {
    struct pollfd p = {.fd = t->log, .events = POLLOUT};

    return poll(&p, 1, t->log_stuck ? 0 : ATTEND_LOG_PATIENCE_MS) > 0 && (p.revents & POLLOUT);
}

static void put_log(struct tee *t, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(t->log, data, len);
        if (n > 0) {
            t->log_stuck = false;
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN && !log_takes_more(t)) {
            t->log_stuck = true;
            break;
        } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    t->lost += len;
}

/* At most so much at a time: who writes without end has a deadline as well. False: nothing will come any more. */
static bool copy(struct tee *t, unsigned chunks) {
    char chunk[4096];

    while (chunks-- > 0) {
        ssize_t n = read(t->from, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        if (t->log >= 0)
            put_log(t, chunk, (size_t)n);
        if (t->tail)
            tail_add(t->tail, chunk, (size_t)n);
        make_lines_printable(chunk, (size_t)n);
        if (t->console >= 0)
            (void)write_full(t->console, chunk, (size_t)n);
    }
    return true;
}

/* Milliseconds until the next thing that has a time. */
static int time_left(uint64_t now, uint64_t notice, uint64_t deadline) {
    uint64_t until = deadline && deadline < notice ? deadline : notice;

    return until <= now ? 0 : (int)(until - now);
}

int attend_end(const struct attend *a, int pidfd) {
    struct pollfd fds[3] = {{.fd = pidfd, .events = POLLIN}};
    uint64_t start = clock_ms();
    uint64_t every = a->notice_ms ? a->notice_ms : ATTEND_NOTICE_MS;
    uint64_t notice = start + every;

    for (int i = 0; i < 2; i++) /* poll(2) passes over -1 */
        fds[i + 1] = (struct pollfd){.fd = a->tees[i] ? a->tees[i]->from : -1, .events = POLLIN};
    for (;;) {
        uint64_t now = clock_ms();
        int n = poll(fds, 3, time_left(now, notice, a->deadline_ms));
        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < 2 && n > 0; i++)
            if (a->tees[i] && fds[i + 1].revents && !copy(a->tees[i], COPY_CHUNKS))
                fds[i + 1].fd = -1;
        if (n > 0 && fds[0].revents)
            break;
        now = clock_ms();
        if (a->deadline_ms && now >= a->deadline_ms)
            return -ETIMEDOUT;
        if (now >= notice) {
            log_notice("%s has been running for %llu s", a->who, (unsigned long long)(now - start) / 1000);
            notice += every;
        }
    }
    for (int i = 0; i < 2; i++)
        if (a->tees[i] && fds[i + 1].fd >= 0)
            (void)copy(a->tees[i], DRAIN_CHUNKS);
    return 0;
}
