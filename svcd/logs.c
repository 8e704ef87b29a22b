/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/printable.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/name.h"
#include "memlogd/notice.h"
#include "memlogd/wire.h"
#include "svcd/acts.h"
#include "svcd/logsink.h"
#include "svcd/svcd.h"

static const char *const suffixes[] = {"", ".out"};
#define SOURCES ARRAY_SIZE(suffixes)

/* On a terminal a container's words must not be more than words. */
static int print(char *text, size_t len) {
    if (isatty(STDOUT_FILENO))
        make_lines_printable(text, len);
    return write_full(STDOUT_FILENO, text, len);
}

/* --- from memlogd --- */

/* The newest lines of a source, in a circle. */
struct tail {
    char **lines;
    unsigned max;
    unsigned long long count;
};

static int tail_add(struct tail *t, const char *from, const char *text) {
    char **slot = &t->lines[t->count++ % t->max];

    free(*slot);
    if (asprintf(slot, "%s%s", from, text) < 0)
        *slot = NULL;
    return *slot ? 0 : -ENOMEM;
}

static int print_line(const char *from, const char *text) {
    AUTO_FREE char *line = NULL;
    int len = asprintf(&line, "%s%s\n", from, text);

    if (len < 0) {
        line = NULL;
        return -ENOMEM;
    }
    return print(line, (size_t)len);
}

static int tail_print(const struct tail *t) {
    unsigned long long from = t->count > t->max ? t->count - t->max : 0;
    int r = 0;

    for (unsigned long long i = from; i < t->count && !r; i++)
        r = print_line("", t->lines[i % t->max]);
    return r;
}

static void tail_free(struct tail *t) {
    for (unsigned i = 0; t->lines && i < t->max; i++)
        free(t->lines[i]);
    free(t->lines);
}

static bool is_of(const struct ring_entry *e, const char *name) {
    size_t len = strlen(name);

    if (strncmp(e->source, name, len) != 0)
        return false;
    for (size_t i = 0; i < SOURCES; i++)
        if (!strcmp(e->source + len, suffixes[i]))
            return true;
    return false;
}

/* What memlogd tells about it: that lines are missing here. */
static bool concerns(const struct ring_entry *e, const char *name) {
    for (size_t i = 0; i < SOURCES; i++) {
        char source[RING_SOURCE_MAX + 1];
        int len = snprintf(source, sizeof(source), "%s%s", name, suffixes[i]);
        if (len >= 0 && (size_t)len < sizeof(source) && notice_concerns(e, source))
            return true;
    }
    return false;
}

/* t: NULL: print at once. */
static int read_entries(const char *name, int fd, struct tail *t) {
    struct client c = CLIENT_INIT(fd);
    struct ring_entry e;
    char *line;
    size_t len;
    int r;

    while ((r = client_next(&c, &line, &len)) > 0) {
        if (entry_parse(line, len, &e) < 0)
            continue;
        bool notice = concerns(&e, name);
        if (!notice && !is_of(&e, name))
            continue;
        const char *from = notice ? NAME_OWN ": " : "";
        int failed = t ? tail_add(t, from, e.msg) : print_line(from, e.msg);
        if (failed < 0) {
            r = failed;
            break;
        }
    }
    client_fini(&c);
    return r;
}

static int query(const char *name, enum wire_mode mode, struct tail *t, struct err *e) {
    AUTO_CLOSE int fd = wire_query(WIRE_QUERY_SOCKET, mode, e);
    int r = fd < 0 ? fd : read_entries(name, fd, t);

    return fd >= 0 && r < 0 ? err_errno(e, r, "could not print the log of %s", name) : r;
}

static int from_memlogd(const char *name, unsigned max, bool follow, struct err *e) {
    struct tail t = {.max = max};

    if (!max)
        return query(name, follow ? WIRE_DUMP_FOLLOW : WIRE_DUMP, NULL, e);
    t.lines = calloc(max, sizeof(*t.lines));
    int r = t.lines ? query(name, WIRE_DUMP, &t, e) : err_errno(e, -ENOMEM, "could not print the log of %s", name);
    if (!r)
        r = tail_print(&t);
    tail_free(&t);
    return r < 0 || !follow ? r : query(name, WIRE_FOLLOW, NULL, e);
}

/* --- from files --- */

/* Where the last `max` lines begin. */
static off_t tail_start(int fd, unsigned max) {
    char chunk[4096];
    off_t pos = lseek(fd, 0, SEEK_END);
    unsigned newlines = 0;

    while (pos > 0) {
        size_t n = pos < (off_t)sizeof(chunk) ? (size_t)pos : sizeof(chunk);
        if (pread(fd, chunk, n, pos - (off_t)n) != (ssize_t)n)
            return 0;
        for (size_t i = n; i-- > 0; pos--)
            if (chunk[i] == '\n' && newlines++ == max)
                return pos;
    }
    return 0;
}

/* One that has become shorter was emptied, and is read from its beginning on: logbound.h. */
static int print_rest(int fd) {
    char chunk[4096];
    struct stat st;
    ssize_t n;
    int r = 0;

    if (fstat(fd, &st) == 0 && lseek(fd, 0, SEEK_CUR) > st.st_size)
        (void)lseek(fd, 0, SEEK_SET);
    while (!r && (n = read(fd, chunk, sizeof(chunk))) > 0)
        r = print(chunk, (size_t)n);
    return r;
}

static int open_log(const char *name, const char *suffix, struct err *e) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s%s.log", SERVICE_LOG_DIR, name, suffix) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not print the log of %s", name);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? err_errno(e, -errno, "could not open %s", path) : fd;
}

/* A start puts a full log aside, and then there is another of that name. */
static int print_news(const char *name, const char *suffix, int *fd) {
    int r = *fd < 0 ? 0 : print_rest(*fd);
    AUTO_CLOSE int now = open_log(name, suffix, NULL);

    if (r < 0 || now < 0 || (*fd >= 0 && is_same_file(*fd, now)))
        return r;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = steal_fd(&now);
    return print_rest(*fd);
}

/* The folder is watched: files come and go there. */
static int follow_files(const char *name, int watch, int fds[SOURCES], struct err *e) {
    char events[4096];
    int r = 0;

    while (!r && read(watch, events, sizeof(events)) > 0)
        for (size_t i = 0; i < SOURCES && !r; i++)
            r = print_news(name, suffixes[i], &fds[i]);
    return r < 0 ? err_errno(e, r, "could not print the log") : err_errno(e, -EIO, "could not follow the log");
}

/* Before anything is read, so that nothing is missed. */
static int watch_files(struct err *e) {
    AUTO_CLOSE int watch = inotify_init1(IN_CLOEXEC);

    if (watch < 0 || inotify_add_watch(watch, SERVICE_LOG_DIR, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_errno(e, -errno, "could not follow the log");
    return steal_fd(&watch);
}

static int from_files(const char *name, unsigned max, bool follow, struct err *e) {
    AUTO_CLOSE int watch = follow ? watch_files(e) : -1;
    int fds[SOURCES], r = 0;
    bool any = false;

    if (follow && watch < 0)
        return watch;
    for (size_t i = 0; i < SOURCES; i++) {
        fds[i] = open_log(name, suffixes[i], e);
        any |= fds[i] >= 0;
        if (fds[i] >= 0 && max)
            (void)lseek(fds[i], tail_start(fds[i], max), SEEK_SET);
        if (fds[i] >= 0 && !r)
            r = print_rest(fds[i]);
    }
    if (r < 0)
        (void)err_errno(e, r, "could not print the log of %s", name);
    else if (any && follow)
        r = follow_files(name, watch, fds, e);
    for (size_t i = 0; i < SOURCES; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return any ? r : e ? e->code : -ENOENT;
}

/* memlogd has nothing to say of a name that it does not know: a service, or somebody who has written. */
static bool is_known(const char *name) {
    char *line[1] = {NULL};
    struct tail t = {.lines = line, .max = 1};
    AUTO_FREE char *bundle = path_join(SERVICES_DIR, name);

    if (!bundle || access(bundle, F_OK) == 0)
        return true;
    int r = query(name, WIRE_DUMP, &t, NULL);
    free(line[0]);
    return r < 0 || t.count > 0;
}

int logs_print(const char *name, unsigned max, bool follow, struct err *e) {
    if (!logsink_present(WIRE_QUERY_SOCKET))
        return from_files(name, max, follow, e);
    if (!follow && !is_known(name)) /* one that is followed may write yet */
        return err_set(e, -ENOENT, "no service \"%.100s\" in " SERVICES_DIR ", and no line of that name", name);
    return from_memlogd(name, max, follow, e);
}
