/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/attend.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"

/* False: nothing will come any more. */
static bool copy(const struct tee *t) {
    char chunk[4096];

    for (;;) {
        ssize_t n = read(t->from, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        (void)write_full(t->log, chunk, (size_t)n);
        (void)write_full(t->console, chunk, (size_t)n);
    }
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

    for (int i = 0; i < 2; i++)
        fds[i + 1] = (struct pollfd){.fd = a->tees[i].from, .events = POLLIN}; /* poll(2) passes over -1 */
    for (;;) {
        uint64_t now = clock_ms();
        int n = poll(fds, 3, time_left(now, notice, a->deadline_ms));
        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < 2 && n > 0; i++)
            if (fds[i + 1].revents && !copy(&a->tees[i]))
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
        if (fds[i + 1].fd >= 0)
            (void)copy(&a->tees[i]);
    return 0;
}
