/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/onboot_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/printable.h"
#include "svcd/logbound.h"
#include "svcd/logsink.h"

#define SHOW_MAX ((size_t)64 << 10)
#define LOG_MAX (1 << 20)

void output_init(struct output *o) {
    *o = (struct output){.child_fd = -1, .log_fd = -1, .tee = TEE_NONE};
}

/* False: there is no memlogd, or it does not take it. */
static bool log_to_memlogd(struct output *o, const struct output_way *way) {
    struct err e = {0};

    if (!logsink_present(way->log_socket))
        return false;
    if (logsink_pipe(way->log_socket, o->source, &o->log_fd, &e) == 0)
        return true;
    log_error("%s; its lines go to %s", e.msg, way->log_dir);
    return false;
}

static int open_log(struct output *o, const struct output_way *way, struct err *e) {
    if (log_to_memlogd(o, way))
        return 0;
    if (asprintf(&o->path, "%s/%s.log", way->log_dir, o->source) < 0) {
        o->path = NULL;
        return err_errno(e, -ENOMEM, "could not open the log of %s", o->source);
    }
    o->log_fd = open_log_file(o->path, e);
    return o->log_fd < 0 ? o->log_fd : 0;
}

/* The log must not hold up who has a deadline to keep: hence non-blocking. */
static int open_pipe(struct output *o, bool wants_tail, struct err *e) {
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not make a pipe for %s", o->source);
    o->tee.from = p[0];
    o->child_fd = p[1];
    o->tee.log = o->log_fd;
    o->tee.console = o->on_console ? STDERR_FILENO : -1;
    o->tee.tail = wants_tail ? &o->tail : NULL;
    if (fcntl(o->tee.from, F_SETFL, O_NONBLOCK) < 0 || (!o->path && fcntl(o->log_fd, F_SETFL, O_NONBLOCK) < 0))
        return err_errno(e, -errno, "could not make a pipe for %s", o->source);
    return 0;
}

int output_open(struct output *o, const struct output_way *way, const char *source, bool wants_tail, struct err *e) {
    o->on_console = way->console;
    o->source = strdup(source);
    if (!o->source)
        return err_errno(e, -ENOMEM, "could not open the log of %s", source);
    int r = open_log(o, way, e);
    if (r < 0)
        return r;
    wants_tail &= !o->path && !o->on_console;
    if (o->on_console || wants_tail)
        return open_pipe(o, wants_tail, e);
    o->child_fd = fcntl(o->log_fd, F_DUPFD_CLOEXEC, 3);
    return o->child_fd < 0 ? err_errno(e, -errno, "could not open the log of %s", source) : 0;
}

/* They are in memory, in the file system that runc and the shims of all services need as well. */
static void shorten_log(const char *path) {
    uint64_t kept, lost;
    struct err e = {0};
    int r = logbound_shorten(path, LOG_MAX, &kept, &lost, &e);
    const uint64_t size = kept + lost;

    if (r < 0)
        log_warning("%s", e.msg);
    else if (r > 0)
        log_warning("%s: only the last %llu of its %llu bytes are kept", path, (unsigned long long)kept,
                    (unsigned long long)size);
}

void output_close(struct output *o) {
    if (o->path)
        shorten_log(o->path);
    if (o->tee.lost)
        log_warning("%llu bytes of %s are lost: its log did not take them", (unsigned long long)o->tee.lost, o->source);
    if (o->child_fd >= 0)
        (void)close(o->child_fd);
    if (o->tee.from >= 0)
        (void)close(o->tee.from);
    if (o->log_fd >= 0)
        (void)close(o->log_fd);
    free(o->path);
    free(o->source);
    output_init(o);
}

/* A container's words must not drive the terminal of whoever watches the boot. A console that takes no more does
 * without. */
static void print(char *text, size_t len) {
    make_lines_printable(text, len);
    (void)write_full(STDERR_FILENO, text, len);
    if (text[len - 1] != '\n')
        (void)write_full(STDERR_FILENO, "\n", 1);
}

void output_show(const struct output *o) {
    AUTO_BUF struct buf text = BUF_INIT;

    if (!o->path || o->on_console)
        return;
    AUTO_CLOSE int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size <= 0)
        return;
    char *room = buf_reserve(&text, SHOW_MAX);
    off_t skip = size > (off_t)SHOW_MAX ? size - (off_t)SHOW_MAX : 0;
    if (skip > 0)
        log_notice("the first %lld bytes of %s are not shown", (long long)skip, o->path);
    ssize_t n = room ? pread(fd, room, SHOW_MAX, skip) : 0;
    if (n > 0)
        print(room, (size_t)n);
}

void output_show_tail(struct output *o, unsigned lines) {
    if (!o->tee.tail || o->tail.len == 0)
        return;
    (void)tail_last_lines(&o->tail, lines);
    log_error("the last lines of %s:", o->source);
    print(o->tail.text, o->tail.len);
}
