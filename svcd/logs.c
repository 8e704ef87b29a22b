/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/printable.h"
#include "memlogd/follow.h"
#include "memlogd/name.h"
#include "memlogd/notice.h"
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

/* What is asked for, and what came of it. */
struct reading {
    const char *name;
    struct buf *newest; /* NULL: print at once; else the newest lines, in a circle of `max` */
    unsigned max;
    unsigned long long count;
};

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

static int make_line(struct buf *to, const char *from, const struct ring_entry *e) {
    int r = buf_puts(to, from);

    if (!r)
        r = buf_append(to, e->msg, e->msg_len); /* there may be a NUL in it */
    return r < 0 ? r : buf_puts(to, "\n");
}

/* Not by its reader, who adds what it was about. */
static int not_printed(const char *name, int r, struct err *e) {
    return err_seal(e, err_errno(e, r, "could not print the log of %s", name));
}

static int on_line(void *data, const char *text, size_t len, const struct ring_entry *entry, struct err *e) {
    AUTO_BUF struct buf line = BUF_INIT;
    struct reading *reading = data;
    bool notice = concerns(entry, reading->name);

    (void)text;
    (void)len;
    if (!notice && !is_of(entry, reading->name))
        return 0;
    struct buf *to = reading->newest ? &reading->newest[reading->count % reading->max] : &line;
    reading->count++;
    buf_reset(to);
    int r = make_line(to, notice ? NAME_OWN ": " : "", entry);
    if (!r && to == &line)
        r = print(line.data, line.len);
    return r < 0 ? not_printed(reading->name, r, e) : 0;
}

static int print_newest(const struct reading *reading, struct err *e) {
    unsigned long long from = reading->count > reading->max ? reading->count - reading->max : 0;
    int r = 0;

    for (unsigned long long i = from; i < reading->count && !r; i++) {
        const struct buf *line = &reading->newest[i % reading->max];
        r = print(line->data, line->len);
    }
    return r < 0 ? not_printed(reading->name, r, e) : 0;
}

static int read_log(struct reading *reading, bool follow, struct err *e) {
    AUTO_FREE struct follow *f = calloc(1, sizeof(*f)); /* too large for a stack */

    if (!f)
        return not_printed(reading->name, -ENOMEM, e);
    f->socket = WIRE_QUERY_SOCKET;
    f->on_line = on_line;
    f->data = reading;
    int r = follow ? follow_on(f, WIRE_DUMP_FOLLOW, e) : follow_dump(f, e);
    if (r == -ETIMEDOUT)
        return err_set(e, r, "could not print the log of %s: memlogd does not answer", reading->name);
    if (r < 0)
        return err_wrap(e, r, "could not print the log of %s", reading->name);
    return follow ? err_set(e, -ECONNRESET, "could not follow the log of %s: memlogd has ended", reading->name) : 0;
}

static int newest_from_memlogd(const char *name, unsigned max, struct err *e) {
    struct reading reading = {.name = name, .max = max, .newest = calloc(max, sizeof(*reading.newest))};

    if (!reading.newest)
        return not_printed(name, -ENOMEM, e);
    int r = read_log(&reading, false, e);
    if (!r)
        r = print_newest(&reading, e);
    for (unsigned i = 0; i < max; i++)
        buf_free(&reading.newest[i]);
    free(reading.newest);
    return r;
}

/* Whether memlogd has a line of it; or a negative errno. */
static int has_lines(const char *name, struct err *e) {
    AUTO_BUF struct buf newest = BUF_INIT;
    struct reading reading = {.name = name, .max = 1, .newest = &newest};
    int r = read_log(&reading, false, e);

    return r < 0 ? r : reading.count > 0;
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

/* --- by name --- */

static bool is_name(const char *name) {
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/') &&
           strlen(name) <= RING_SOURCE_MAX;
}

static bool is_service(const char *name) {
    AUTO_FREE char *bundle = path_join(SERVICES_DIR, name);

    return bundle && access(bundle, F_OK) == 0;
}

static int unknown(const char *name, struct err *e) {
    return err_set(e, -ENOENT,
                   "could not print the log of %.100s: no service \"%.100s\" in " SERVICES_DIR
                   ", and no line of that name",
                   name, name);
}

int logs_print(const char *name, bool follow, struct err *e) {
    struct reading all = {.name = name};

    if (!is_name(name))
        return unknown(name, e);
    if (!logsink_present(WIRE_QUERY_SOCKET))
        return from_files(name, 0, follow, e);
    bool service = is_service(name);
    if (follow && !service) {
        int known = has_lines(name, e);
        if (known <= 0)
            return known < 0 ? known : unknown(name, e);
    }
    int r = read_log(&all, follow, e);
    return r || service || all.count ? r : unknown(name, e);
}

int logs_print_newest(const char *name, unsigned max, struct err *e) {
    return logsink_present(WIRE_QUERY_SOCKET) ? newest_from_memlogd(name, max, e) : from_files(name, max, false, e);
}
