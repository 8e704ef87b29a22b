/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/log.h"
#include "memlogd/entry.h"

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

/* Its strings are changed by being read, and the line is needed as it came. */
static int take(struct follow *f, const char *line, size_t len, struct err *e) {
    struct ring_entry entry;
    AUTO_FREE char *copy = malloc(len + 1);

    if (!copy)
        return err_errno(e, -ENOMEM, "could not read the log");
    memcpy(copy, line, len + 1);
    int r = entry_parse(copy, len, &entry);
    if (r < 0)
        return err_errno(e, r, "could not read the log");
    bool seen = resume_skip(&f->resume, &entry);
    if (f->unsure && !seen)
        log_warning("memlogd was restarted, and lines may be missing here");
    f->unsure = false;
    return seen ? 0 : f->on_line(f->data, line, len, &entry, e);
}

/* Who asks now is not answered either. If nobody is there, the connection that is waited on will tell. */
static bool is_silent(const char *socket) {
    AUTO_CLOSE int fd = wire_query(socket, WIRE_DUMP, NULL);
    char c;

    return fd == -ETIMEDOUT || (fd >= 0 && recv(fd, &c, 1, 0) < 0 && errno == EAGAIN);
}

/* A dump goes on until it ends; where nothing may come for days, memlogd is asked for a sign of life. */
static int next(const struct follow *f, struct client *c, bool may_be_quiet, char **line, size_t *len) {
    int r;

    while ((r = client_next(c, line, len)) == -EAGAIN)
        if (!may_be_quiet || is_silent(f->socket))
            return -ETIMEDOUT;
    return r;
}

static int end(int r, struct err *e) {
    if (r == -ETIMEDOUT)
        return err_set(e, r, "could not read the log: memlogd does not answer");
    return r < 0 ? err_errno(e, r, "could not read the log") : 0;
}

/* Until the connection ends, which it closes. *reset: memlogd ended before it looked at this connection. */
static int read_lines(struct follow *f, int connection, bool follows, bool *reset, struct err *e) {
    AUTO_CLOSE int fd = connection;
    struct client c = CLIENT_INIT(fd);
    char *line;
    size_t len;
    int r = 0, got = follows ? wire_limit_reads(fd) : 0;

    while (!r && got >= 0 && (got = next(f, &c, follows, &line, &len)) > 0) {
        r = take(f, line, len, e);
        if (!r && f->on_pause && c.done == c.text.len)
            r = f->on_pause(f->data, e);
    }
    client_fini(&c);
    *reset = got == -ECONNRESET;
    return r < 0 ? r : end(got, e);
}

int follow_dump(struct follow *f, struct err *e) {
    bool reset;
    int fd = wire_query(f->socket, WIRE_DUMP, e);

    return fd < 0 ? fd : read_lines(f, fd, false, &reset, e);
}

static int64_t now_ns(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A new connection; -ETIMEDOUT: its queue is full; else it is gone for good. */
static int connect_again(const struct follow *f) {
    int fd = -1;

    for (int waited = 0; waited < FOLLOW_GONE_MS; waited += PAUSE_MIN_MS) {
        fd = wire_query(f->socket, WIRE_DUMP_FOLLOW, NULL);
        if (fd >= 0 || fd == -ETIMEDOUT)
            break;
        (void)poll(NULL, 0, PAUSE_MIN_MS);
    }
    return fd;
}

int follow_on(struct follow *f, enum wire_mode mode, struct err *e) {
    int pause = PAUSE_MIN_MS;
    bool reset = false;

    if (mode == WIRE_FOLLOW)
        f->resume.start_ns = now_ns();
    int fd = wire_query(f->socket, mode, e);
    if (fd < 0)
        return fd;
    f->resume.skipping = mode == WIRE_DUMP_FOLLOW && f->resume.len;
    int r = read_lines(f, fd, true, &reset, e);
    while ((!r || reset) && (fd = connect_again(f)) >= 0) {
        f->resume.skipping = f->unsure = f->resume.len || f->resume.start_ns;
        r = read_lines(f, fd, true, &reset, e);
        /* A memlogd that has no room for another reader ends the connection at once. */
        bool nothing_came = f->unsure;
        pause = !nothing_came ? PAUSE_MIN_MS : pause < PAUSE_MAX_MS / 2 ? 2 * pause : PAUSE_MAX_MS;
        (void)poll(NULL, 0, pause);
    }
    if (fd == -ETIMEDOUT)
        return end(fd, e);
    return reset ? 0 : r;
}
