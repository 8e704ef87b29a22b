/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/auto.h"

#define HEAD "{\"version\":1,\"stages\":[\n"
#define TAIL "\n]}\n"
#define TAIL_LEN ((off_t)sizeof(TAIL) - 1)
#define NAME_MAX_BYTES 128
#define DETAIL_MAX_BYTES 200
#define DETAIL_HEAD 60 /* of one that is too long; what went wrong stands at its end */
#define LOCK_TRIES 20
#define LINE_MAX_BYTES 8192

size_t timeline_escape(char *out, size_t out_len, const char *s, size_t cut) {
    size_t n = 0;

    for (size_t i = 0; i < cut && s[i] && n + 7 < out_len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\' || c == '\n') {
            out[n++] = '\\';
            out[n++] = c == '\n' ? 'n' : (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(out + n, out_len - n, "\\u%04x", c);
        } else {
            out[n++] = c < 0x7f ? (char)c : '?';
        }
    }
    out[n] = '\0';
    return n;
}

/* ,"output":"..." if there is any. */
static void format_output(char *out, size_t len, const char *output) {
    size_t all = output ? strlen(output) : 0;

    out[0] = '\0';
    if (all == 0)
        return;
    int n = snprintf(out, len, ",\"output\":\"");
    size_t from = all > TIMELINE_OUTPUT_MAX ? all - TIMELINE_OUTPUT_MAX : 0;
    size_t used = (size_t)n + timeline_escape(out + n, len - (size_t)n - 1, output + from, TIMELINE_OUTPUT_MAX);
    (void)snprintf(out + used, len - used, "\"");
}

static int format_stage(char *out, size_t len, const char *before, const struct timeline_stage *s, const char *more) {
    char stage[NAME_MAX_BYTES * 6 + 8], parent[NAME_MAX_BYTES * 6 + 8], detail[DETAIL_MAX_BYTES * 6 + 8];
    char output[TIMELINE_OUTPUT_MAX * 6 + 32], cut[DETAIL_MAX_BYTES + 1];

    (void)timeline_escape(stage, sizeof(stage), s->stage, NAME_MAX_BYTES);
    (void)timeline_escape(parent, sizeof(parent), s->parent, NAME_MAX_BYTES);
    size_t all = strlen(s->detail);
    if (all > DETAIL_MAX_BYTES)
        (void)snprintf(cut, sizeof(cut), "%.*s...%s", DETAIL_HEAD, s->detail,
                       s->detail + all - (DETAIL_MAX_BYTES - DETAIL_HEAD - 3));
    (void)timeline_escape(detail, sizeof(detail), all > DETAIL_MAX_BYTES ? cut : s->detail, DETAIL_MAX_BYTES);
    format_output(output, sizeof(output), s->output);
    return snprintf(out, len,
                    "%s{\"stage\":\"%s\",\"parent\":\"%s\",\"start_ns\":%llu,\"end_ns\":%llu,\"ok\":%s,"
                    "\"detail\":\"%s\"%s%s}" TAIL,
                    before, stage, parent, (unsigned long long)s->start_ns, (unsigned long long)s->end_ns,
                    s->ok ? "true" : "false", detail, output, more);
}

static int lock(int fd) {
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        (void)nanosleep(&pause, NULL);
    }
    return -EAGAIN;
}

/* Where the next stage goes: over the document's tail. */
static int find_end(int fd, off_t *end) {
    struct stat st;
    char tail[TAIL_LEN];

    if (fstat(fd, &st) < 0)
        return -errno;
    *end = 0;
    if (st.st_size == 0)
        return 0;
    *end = st.st_size - TAIL_LEN;
    if (*end < 0 || pread(fd, tail, sizeof(tail), *end) != TAIL_LEN || memcmp(tail, TAIL, sizeof(tail)) != 0)
        return -EBADMSG; /* not ours, or half written */
    return 0;
}

int timeline_append_more(const char *path, const struct timeline_stage *s, const char *more) {
    char line[LINE_MAX_BYTES];
    off_t end = 0;

    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    int r = lock(fd);
    if (!r)
        r = find_end(fd, &end);
    if (r < 0)
        return r;
    int n = format_stage(line, sizeof(line), end ? ",\n" : HEAD, s, more);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -EINVAL;
    if (end + n > TIMELINE_MAX_BYTES)
        return -EFBIG;
    ssize_t written = pwrite(fd, line, (size_t)n, end);
    if (written < 0)
        return -errno;
    return written == n ? 0 : -EIO;
}

int timeline_append(const char *path, const struct timeline_stage *s) {
    return timeline_append_more(path, s, "");
}

/* --- what only some say --- */

static size_t add_name(char *out, size_t n, const char *name) {
    char escaped[NAME_MAX_BYTES * 6 + 8];
    size_t len = timeline_escape(escaped, sizeof(escaped), name, NAME_MAX_BYTES);

    if (n + len + sizeof(",\"\"]") > TIMELINE_MORE_MAX)
        return n;
    return n + (size_t)snprintf(out + n, TIMELINE_MORE_MAX - n, "%s\"%s\"", out[n - 1] == '[' ? "" : ",", escaped);
}

void timeline_more(char out[TIMELINE_MORE_MAX], uint64_t cpu_ns, const char *const *after, size_t after_len) {
    size_t n = 0;

    out[0] = '\0';
    if (cpu_ns)
        n = (size_t)snprintf(out, TIMELINE_MORE_MAX, ",\"cpu_ns\":%llu", (unsigned long long)cpu_ns);
    if (!after)
        return;
    n += (size_t)snprintf(out + n, TIMELINE_MORE_MAX - n, ",\"after\":[");
    for (size_t i = 0; i < after_len && i < TIMELINE_AFTER_MAX; i++)
        n = add_name(out, n, after[i]);
    (void)snprintf(out + n, TIMELINE_MORE_MAX - n, "]");
}

/* --- reading it --- */

/* What stands between the quotes behind ,"KEY": or {"KEY": at *at, which is moved behind it. */
static bool take_text(const char *text, size_t len, size_t *at, const char *key, struct timeline_text *out) {
    size_t n = strlen(key), i = *at + n;

    if (i >= len || memcmp(text + *at, key, n) != 0)
        return false;
    for (size_t start = i; i < len && text[i] != '\n'; i++) {
        if (text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            *out = (struct timeline_text){text + start, i - start};
            *at = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_number(const char *text, size_t len, size_t *at, const char *key, uint64_t *out) {
    size_t n = strlen(key), i = *at + n, digits = 0;

    if (i >= len || memcmp(text + *at, key, n) != 0)
        return false;
    for (*out = 0; i < len && text[i] >= '0' && text[i] <= '9' && digits < 19; i++, digits++)
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    *at = i;
    return digits > 0;
}

static bool take_ok(const char *text, size_t len, size_t *at, bool *ok) {
    static const char yes[] = ",\"ok\":true", no[] = ",\"ok\":false";

    *ok = *at + sizeof(yes) <= len && !memcmp(text + *at, yes, sizeof(yes) - 1);
    if (!*ok && (*at + sizeof(no) > len || memcmp(text + *at, no, sizeof(no) - 1) != 0))
        return false;
    *at += *ok ? sizeof(yes) - 1 : sizeof(no) - 1;
    return true;
}

/* The names behind ,"after":[ if that is there. */
static void take_after(const char *text, size_t len, size_t at, struct timeline_entry *e) {
    static const char key[] = ",\"after\":[";

    e->tells_after = at + sizeof(key) <= len && !memcmp(text + at, key, sizeof(key) - 1);
    if (!e->tells_after)
        return;
    at += sizeof(key) - 1;
    while (e->after_len < TIMELINE_AFTER_MAX &&
           take_text(text, len, &at, e->after_len ? ",\"" : "\"", &e->after[e->after_len]))
        e->after_len++;
}

static bool take_entry(const char *text, size_t len, size_t at, struct timeline_entry *e) {
    *e = (struct timeline_entry){.output = {"", 0}};
    if (!take_text(text, len, &at, "{\"stage\":\"", &e->stage) ||
        !take_text(text, len, &at, ",\"parent\":\"", &e->parent) ||
        !take_number(text, len, &at, ",\"start_ns\":", &e->start_ns) ||
        !take_number(text, len, &at, ",\"end_ns\":", &e->end_ns) || !take_ok(text, len, &at, &e->ok) ||
        !take_text(text, len, &at, ",\"detail\":\"", &e->detail))
        return false;
    (void)take_text(text, len, &at, ",\"output\":\"", &e->output);
    (void)take_number(text, len, &at, ",\"cpu_ns\":", &e->cpu_ns);
    take_after(text, len, at, e);
    return true;
}

bool timeline_next(const char *text, size_t len, size_t *pos, struct timeline_entry *e) {
    while (*pos < len) {
        const char *end = memchr(text + *pos, '\n', len - *pos);
        size_t at = *pos;
        *pos = end ? (size_t)(end - text) + 1 : len;
        if (take_entry(text, *pos, at, e))
            return true;
    }
    return false;
}
