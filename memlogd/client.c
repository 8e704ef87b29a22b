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

/* FNV-1a */
static uint64_t hash(uint64_t h, const void *data, size_t len) {
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static uint64_t identity(const struct ring_entry *line) {
    uint64_t h = hash(0xcbf29ce484222325u, &line->time_ns, sizeof(line->time_ns));

    h = hash(h, line->source, line->source_len + 1u); /* with the NUL between the two */
    return hash(h, line->msg, line->msg_len);
}

static bool is_next(const struct resume *r, uint64_t which, uint64_t id) {
    return which < r->len && r->lines[which % RESUME_LINES] == id;
}

/* Moves behind the line, if it is a remembered one. */
static bool recognise(struct resume *r, uint64_t id) {
    uint64_t oldest = r->len > RESUME_LINES ? r->len - RESUME_LINES : 0, which = r->next;

    if (which < oldest || !is_next(r, which, id)) {
        for (which = oldest; which < r->len && !is_next(r, which, id); which++)
            ;
        if (which == r->len)
            return false;
    }
    r->next = which + 1;
    r->skipping = r->next < r->len;
    return true;
}

bool resume_skip(struct resume *r, const struct ring_entry *line) {
    uint64_t id = identity(line);

    if (r->skipping) {
        bool before_all = r->len == 0 ? line->time_ns <= r->start_ns
                                      : r->len > RESUME_LINES && r->next == 0 && line->time_ns <= r->last_ns;
        if (recognise(r, id) || before_all)
            return true;
    }
    r->skipping = false;
    r->next = 0;
    r->last_ns = line->time_ns;
    r->lines[r->len++ % RESUME_LINES] = id;
    return false;
}
