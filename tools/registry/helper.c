/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/helper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"

#define PIPE_BYTES 65536

enum { OUT, ERR, ENDED, FDS };

struct helper {
    const char *program;
    struct pollfd fds[FDS];
    struct buf *answer;
    struct buf complaint; /* what does not fit is not kept */
    bool too_long;        /* the answer */
};

static int open_pipe(struct pollfd *p, int *child) {
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *child = ends[1];
    p->fd = ends[0];
    p->events = POLLIN;
    return fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* As much as a pipe holds; at its end it is no longer asked for. */
static void take(struct helper *h, int which) {
    struct buf *to = which == OUT ? h->answer : &h->complaint;
    char chunk[PIPE_BYTES];
    ssize_t n = read(h->fds[which].fd, chunk, sizeof(chunk));

    if (n > 0 && buf_append(to, chunk, (size_t)n) < 0 && which == OUT)
        h->too_long = true;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        h->fds[which].events = 0;
}

/* Until it has ended: what it has started may hold its pipes for as long as it likes. */
static int wait_for(struct helper *h, unsigned timeout_ms, struct err *e) {
    uint64_t start = clock_ms(), now;
    bool said = false;

    while ((now = clock_ms()) - start < timeout_ms) {
        uint64_t next = said || timeout_ms < HELPER_WAIT_SAID_MS ? timeout_ms : HELPER_WAIT_SAID_MS;
        struct pollfd fds[FDS];
        for (size_t i = 0; i < FDS; i++)
            fds[i] = (struct pollfd){h->fds[i].events ? h->fds[i].fd : -1, POLLIN, 0};
        int n = poll(fds, FDS, next > now - start ? (int)(next - (now - start)) : 0);
        if (n < 0 && errno != EINTR)
            return err_errno(e, -errno, "could not wait for %s", h->program);
        for (int i = OUT; i <= ERR && n > 0; i++)
            if (fds[i].revents)
                take(h, i);
        if (n > 0 && fds[ENDED].revents)
            return 0;
        if (!said && clock_ms() - start >= HELPER_WAIT_SAID_MS) {
            said = true;
            log_notice("waiting for %s", h->program);
        }
    }
    return err_set(e, -ETIMEDOUT, "%s did not answer within %u s, and was ended", h->program, timeout_ms / 1000);
}

static void say(const struct helper *h, char *words) {
    const struct buf *from = h->complaint.len ? &h->complaint : h->answer;
    size_t len = 0;

    for (size_t i = 0; i < from->len && len + 1 < HELPER_WORDS_MAX; i++) {
        unsigned char c = (unsigned char)from->data[i];
        if (isspace(c) && (!len || words[len - 1] == ' '))
            continue;
        words[len++] = isspace(c) ? ' ' : isprint(c) ? (char)c : '?';
    }
    while (len && words[len - 1] == ' ')
        len--;
    /* A failure after an answer: that has a password in it. */
    words[*words == '{' ? 0 : len] = '\0';
}

static int run(struct helper *h, const struct spawn *s, unsigned timeout_ms, int *status, struct err *e) {
    pid_t pid;
    AUTO_CLOSE int pidfd = -1;
    int r = spawn(s, &pid, &pidfd, e);

    if (r < 0)
        return r;
    h->fds[ENDED] = (struct pollfd){pidfd, POLLIN, 0};
    r = wait_for(h, timeout_ms, e);
    if (r < 0)
        (void)kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return r < 0 ? r : err_errno(e, -errno, "could not wait for %s", h->program);
    for (int i = OUT; i <= ERR && !r; i++)
        take(h, i);
    return r;
}

int helper_ask(const char *program, const char *key, unsigned timeout_ms, struct buf *answer, char *words, int *status,
               struct err *e) {
    struct helper h = {.program = program, .answer = answer, .complaint = {.max = PIPE_BYTES}};
    AUTO_CLOSE int in = memfd_create("question", MFD_CLOEXEC), out = -1, err = -1;
    const char *const argv[] = {program, "get", NULL};
    struct spawn s = SPAWN_INIT;

    *words = '\0';
    h.fds[OUT].fd = h.fds[ERR].fd = -1;
    int r = in < 0 ? -errno : write_full(in, key, strlen(key));
    if (!r && lseek(in, 0, SEEK_SET) < 0)
        r = -errno;
    if (!r)
        r = open_pipe(&h.fds[OUT], &out);
    if (!r)
        r = open_pipe(&h.fds[ERR], &err);
    s.argv = argv;
    s.stdin_fd = in;
    s.stdout_fd = out;
    s.stderr_fd = err;
    s.setsid = true;
    s.die_with_us = true;
    r = r < 0 ? err_errno(e, r, "could not ask %s", program) : run(&h, &s, timeout_ms, status, e);
    if (!r)
        say(&h, words);
    if (!r && h.too_long)
        r = err_set(e, -EFBIG, "the answer of %s is larger than %zu bytes", program, HELPER_ANSWER_MAX);
    for (int i = OUT; i <= ERR; i++)
        if (h.fds[i].fd >= 0)
            (void)close(h.fds[i].fd);
    buf_free(&h.complaint);
    return r;
}
