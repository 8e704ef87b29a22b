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
#define LOCK_TRIES 20

/* At most cut bytes of s as JSON string contents; bytes outside ASCII become '?', so a cut never breaks UTF-8. */
static void escape(char *out, size_t out_len, const char *s, size_t cut) {
    size_t n = 0;

    for (size_t i = 0; i < cut && s[i] && n + 7 < out_len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(out + n, out_len - n, "\\u%04x", c);
        } else {
            out[n++] = c < 0x7f ? (char)c : '?';
        }
    }
    out[n] = '\0';
}

static int format_stage(char *out, size_t len, const char *before, const struct timeline_stage *s) {
    char stage[NAME_MAX_BYTES * 6 + 8], parent[NAME_MAX_BYTES * 6 + 8], detail[DETAIL_MAX_BYTES * 6 + 8];

    escape(stage, sizeof(stage), s->stage, NAME_MAX_BYTES);
    escape(parent, sizeof(parent), s->parent, NAME_MAX_BYTES);
    escape(detail, sizeof(detail), s->detail, DETAIL_MAX_BYTES);
    return snprintf(out, len,
                    "%s{\"stage\":\"%s\",\"parent\":\"%s\",\"start_ns\":%llu,\"end_ns\":%llu,\"ok\":%s,"
                    "\"detail\":\"%s\"}" TAIL,
                    before, stage, parent, (unsigned long long)s->start_ns, (unsigned long long)s->end_ns,
                    s->ok ? "true" : "false", detail);
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

int timeline_append(const char *path, const struct timeline_stage *s) {
    char line[4096];
    off_t end = 0;

    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    int r = lock(fd);
    if (!r)
        r = find_end(fd, &end);
    if (r < 0)
        return r;
    int n = format_stage(line, sizeof(line), end ? ",\n" : HEAD, s);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -EINVAL;
    if (end + n > TIMELINE_MAX_BYTES)
        return -EFBIG;
    ssize_t written = pwrite(fd, line, (size_t)n, end);
    if (written < 0)
        return -errno;
    return written == n ? 0 : -EIO;
}
