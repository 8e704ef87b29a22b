/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

static ssize_t fill(struct client *c) {
    ssize_t n;

    buf_consume(&c->text, c->done);
    c->done = 0;
    char *room = buf_reserve(&c->text, CHUNK);
    if (!room)
        return -E2BIG;
    do
        n = read(c->fd, room, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    buf_commit(&c->text, (size_t)n);
    return n;
}

int client_next(struct client *c, char **line, size_t *len) {
    size_t seen = 0;

    for (;;) {
        char *start = c->text.data ? c->text.data + c->done : NULL;
        size_t have = c->text.len - c->done;
        char *end = start && have > seen ? memchr(start + seen, '\n', have - seen) : NULL;
        if (end) {
            *end = '\0';
            *line = start;
            *len = (size_t)(end - start);
            c->done += *len + 1;
            return 1;
        }
        seen = have;
        ssize_t n = fill(c);
        if (n <= 0)
            return (int)n;
    }
}

void client_fini(struct client *c) {
    buf_free(&c->text);
    c->done = 0;
}

bool resume_skip(struct resume *r, long long time_ns) {
    if (r->skipping && time_ns <= r->last_time) {
        r->skipping = time_ns < r->last_time;
        return true;
    }
    r->skipping = false;
    r->last_time = time_ns;
    return false;
}
